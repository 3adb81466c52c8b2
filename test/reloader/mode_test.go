package reloader

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/wire"
)

// startupTime is how long FRR 8.4 takes modes of graceful restart at once, counted from
// the making of a BGP instance (bgpd's default restart time, 120 s, and some of a busy
// machine). Afterwards they wait for a NOTIFICATION.
const startupTime = 125 * time.Second

// R11, S9: a mode of graceful restart is in the next OPEN, also where FRR is old and no
// NOTIFICATION was sent since: of a neighbor that comes, and of one whose mode changes.
// The router is passive: where it connects, 8.4 takes the mode for that connection.
func TestModeOfGracefulRestartIsInTheNextOpen(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		_, err := r.Vtysh("-c", "configure terminal", "-c", "router bgp 64500", "-c", "neighbor 10.10.0.11 passive")
		must(t, err)
		capture, err := wire.Listen(r.Box(), "down0")
		must(t, err)
		defer capture.Close()

		n.apply(withoutNeighbor(config{}.String()))
		began := time.Now()
		must(t, wait.Until(t.Context(), "the instance to be old", 2*startupTime, func(context.Context) (bool, error) {
			return time.Since(began) > startupTime, nil
		}))
		const mode = " neighbor 10.10.0.1 graceful-restart"
		for i, line := range []string{mode + "-disable\n", mode + "\n", mode + "-disable\n"} {
			n.apply(config{neighbor: line}.String())
			n.until("the session", established)
			if i > 0 { // 8.4 keeps a session whose mode changes
				replug(n)
			}
			want := line == mode+"\n"
			if offers := lastOpen(t, capture); slices.Contains(offers.Capabilities, wire.GracefulRestart) != want {
				t.Errorf("step %d, %q: the OPEN has the capabilities %d", i, line, offers.Capabilities)
			}
		}
	})
}

func withoutNeighbor(text string) string {
	lines := slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(line string) bool { return strings.Contains(line, " neighbor ") })
	return strings.Join(lines, "")
}

// replug takes the node's cable out, which ends the session without a NOTIFICATION, and
// puts it in again.
func replug(n *node) {
	n.t.Helper()
	must(n.t, link.SetUp(n.host, "up0", false))
	n.until("the end of the session", func(r report.Report) bool { return !established(r) })
	must(n.t, link.SetUp(n.host, "up0", true))
	n.until("the session again", established)
}

// lastOpen is the OPEN that the node sent last.
func lastOpen(t *testing.T, c *wire.Capture) wire.Message {
	t.Helper()
	messages, err := c.Messages()
	must(t, err)
	for _, m := range slices.Backward(messages) {
		if m.Type == wire.Open && m.From == nodeAddress.Addr() {
			return m
		}
	}
	t.Fatal("the node sent no OPEN")
	return wire.Message{}
}
