package controllers

import (
	"net/netip"
	"testing"

	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/relay/exchange"
)

// TestOwnedWhileItDrains: only preserved connections come back to a node whose routes are
// gone. Of a relay that preserves none it isn't known that there are none.
func TestOwnedWhileItDrains(t *testing.T) {
	all := map[netip.Addr]int{netip.MustParseAddr("203.0.113.7"): 5}
	for name, c := range map[string]struct {
		view *status.RelayView
		want int64 // -1: not counted
	}{
		"no relay":              {nil, -1},
		"one that is dead":      {&status.RelayView{Report: &exchange.Report{Learning: true, Owned: all, Preserved: 2}}, -1},
		"nothing is counted":    {&status.RelayView{Fresh: true, Report: &exchange.Report{Learning: true}}, -1},
		"nothing is preserved":  {&status.RelayView{Fresh: true, Report: &exchange.Report{Owned: all}}, -1},
		"two of five":           {&status.RelayView{Fresh: true, Report: &exchange.Report{Learning: true, Owned: all, Preserved: 2}}, 2},
		"none that is not over": {&status.RelayView{Fresh: true, Report: &exchange.Report{Learning: true, Owned: all}}, 0},
	} {
		got := owned(c.view)
		if (got == nil) != (c.want < 0) || got != nil && *got != c.want {
			t.Errorf("%s: %v, want %d", name, got, c.want)
		}
	}
}
