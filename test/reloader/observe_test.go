package reloader

import (
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/wait"
)

// M1, M2: a transition is in the report at once, with FRR's reason and what the
// router's NOTIFICATION said, and the counts come back with the session. How soon "at
// once" is a busy machine can't tell.
func TestTransitionsAreReported(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		n.apply(config{networks: []string{"203.0.113.7/32", "203.0.113.8/32"}}.String())
		up := n.until("the session and its counts", func(r report.Report) bool {
			return established(r) && r.Sessions[0].IPv4 != nil && r.Sessions[0].IPv4.Sent == 2
		}).Sessions[0]
		began := time.Now()
		if up.Since == nil || began.Sub(*up.Since) > wait.Session {
			t.Errorf("%+v", up)
		}
		if _, err := r.Vtysh("-c", "configure terminal", "-c", "router bgp 64500", "-c", "neighbor 10.10.0.11 shutdown"); err != nil {
			t.Fatal(err)
		}
		down := n.until("the end of the session", func(r report.Report) bool { return !established(r) }).Sessions[0]
		t.Logf("the end of the session was reported after %s", time.Since(began))
		// FRR tells times by the second.
		if down.Flaps != up.Flaps+1 || down.Since == nil || began.Sub(*down.Since) > time.Second || down.LastResetTime == nil ||
			!strings.Contains(down.LastResetReason, "Administrative Shutdown") {
			t.Errorf("%+v", down)
		}
		if _, err := r.Vtysh("-c", "configure terminal", "-c", "router bgp 64500", "-c", "no neighbor 10.10.0.11 shutdown"); err != nil {
			t.Fatal(err)
		}
		again := n.until("the session again", func(r report.Report) bool {
			return established(r) && r.Sessions[0].IPv4 != nil && r.Sessions[0].IPv4.Sent == 2
		}).Sessions[0]
		if again.Flaps < down.Flaps || !again.Since.After(*up.Since) {
			t.Errorf("%+v", again)
		}
	})
}
