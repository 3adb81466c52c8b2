package controllers

import (
	"fmt"
	"net/netip"
	"testing"

	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/relay/exchange"
)

func TestAnswerOfTheRelay(t *testing.T) {
	web := exchange.Frontend{Address: netip.MustParseAddr("203.0.113.7"), Protocol: exchange.TCP, Port: 80}
	wish := func(hash string, learn ...exchange.Frontend) RelayWish {
		return RelayWish{Hash: hash, Desired: &exchange.Desired{Learn: learn}}
	}
	first, samePeers, more := wish("first", web), wish("peers", web), wish("more", web, exchange.Frontend{Address: web.Address, Protocol: exchange.TCP, Port: 443})
	reports := func(applied string, problems ...exchange.Problem) *status.RelayView {
		return &status.RelayView{Fresh: true, Report: &exchange.Report{Applied: applied, Problems: problems}}
	}
	stale := reports("first")
	stale.Fresh = false
	tests := map[string]struct {
		view   *status.RelayView
		wishes []RelayWish
		want   gates.Answer
	}{
		"no relay":                               {nil, []RelayWish{first}, gates.Ready},
		"a dead one":                             {stale, []RelayWish{first}, gates.Silent},
		"one that never reported":                {&status.RelayView{Starting: true}, []RelayWish{first}, gates.Silent},
		"it has the last wish":                   {reports("first"), []RelayWish{first}, gates.Ready},
		"it has another":                         {reports("older"), []RelayWish{first}, gates.NotReady},
		"nothing is wished yet":                  {reports(""), nil, gates.NotReady},
		"it has one with the same frontends":     {reports("first"), []RelayWish{first, samePeers}, gates.Ready},
		"it has one without a frontend":          {reports("first"), []RelayWish{first, more}, gates.NotReady},
		"it can't learn, perhaps not yet":        {reports("first", exchange.Problem{Learning: true}), []RelayWish{first}, gates.NotReady},
		"only the path MTU is off, and it waits": {reports("older", exchange.Problem{PathMTU: true}), []RelayWish{first}, gates.NotReady},
	}
	for name, test := range tests {
		if got := answerOf(test.view, test.wishes); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestRelayGateKeepsTheLastWishes(t *testing.T) {
	gate := NewRelayGate(&ReportReconciler{}, clock.RealClock{}, func(snapshot.Opened) {})
	for i := range 20 {
		for range 2 {
			gate.Want(true, true, RelayWish{Hash: fmt.Sprint(i), Desired: &exchange.Desired{}})
		}
	}
	gate.Want(true, true, RelayWish{})
	gate.Want(true, true, RelayWish{Hash: "unwritten", Desired: &exchange.Desired{}, Error: fmt.Errorf("no space left")})
	if len(gate.wishes) != wishesKept || gate.wishes[0].Hash != fmt.Sprint(20-wishesKept) || gate.wishes[wishesKept-1].Hash != "19" {
		t.Errorf("%+v", gate.wishes)
	}
	if gate.Want(false, false, RelayWish{}); gate.wishes != nil {
		t.Errorf("%+v", gate.wishes)
	}
}

// An agent that starts where the node has announced something in this boot holds nothing
// back, unless the relay's rules were taken away.
func TestGatesOfAnAgentThatStarts(t *testing.T) {
	relays, left := t.TempDir(), t.TempDir()
	for dir, desired := range map[string]exchange.Desired{relays: {}, left: {Remove: true}} {
		if wish := NewRelayFile(dir).Write(&desired); wish.Error != nil {
			t.Fatal(wish.Error)
		}
	}
	announced := &snapshot.Applied{Prefixes: map[netip.Prefix]struct{}{netip.MustParsePrefix("203.0.113.7/32"): {}}}
	tests := map[string]struct {
		applied *snapshot.Applied
		dir     string
		want    snapshot.GateState
	}{
		"no relay":                          {nil, "", snapshot.GateOpen},
		"after the boot":                    {nil, relays, snapshot.GateClosed},
		"after the boot, nothing announced": {&snapshot.Applied{}, relays, snapshot.GateClosed},
		"something is announced":            {announced, relays, snapshot.GateOpen},
		"something is, no relay.json":       {announced, t.TempDir(), snapshot.GateOpen},
		"Herald was uninstalled since":      {announced, left, snapshot.GateClosed},
	}
	for name, test := range tests {
		if got := gatesOf(test.applied, test.dir).Relay; got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
