package reloader

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/wait"
)

const aggregate = "203.0.113.0/24"

// withAggregate announces a host route and the aggregate around it.
func withAggregate() config {
	return config{
		top:      "ip route 203.0.113.0/24 blackhole 254\nipv6 route 2001:db8::/64 blackhole 254\n!\n",
		networks: []string{"203.0.113.7/32", aggregate},
	}
}

// D5, S8: an aggregate attracts packets only while the node has the discard route
// for it: that one comes first and goes last. Nothing else is touched.
func TestDiscardRouteOutlivesItsAggregate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		host := config{networks: []string{"203.0.113.7/32"}}
		n.apply(host.String())
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		before := sessionOf(t, r)
		for range 2 {
			hash := n.write(withAggregate().String())
			n.untilAggregate(r, true)
			got := n.until("the aggregate to be applied", func(r report.Report) bool { return r.AppliedHash == hash })
			if want := []string{"vtysh-add", "vty-add"}; !slices.Equal(got.LastApply.Steps, want) {
				t.Errorf("adding: steps %v, want %v", got.LastApply.Steps, want)
			}
			if got := n.discards(); !slices.Equal(got, []string{"203.0.113.0/24", "2001:db8::/64"}) {
				t.Errorf("discard routes in the kernel: %v", got)
			}
			hash = n.write(host.String())
			n.untilAggregate(r, false)
			got = n.until("the aggregate to be gone", func(r report.Report) bool { return r.AppliedHash == hash })
			if want := []string{"vty-remove", "frr-reload"}; !slices.Equal(got.LastApply.Steps, want) {
				t.Errorf("removing: steps %v, want %v", got.LastApply.Steps, want)
			}
		}
		// Another length: the new aggregate doesn't wait for frr-reload.
		n.apply(withAggregate().String())
		got := n.apply(strings.ReplaceAll(withAggregate().String(), aggregate, "203.0.113.0/25"))
		if want := []string{"vty-remove", "vtysh-add", "vty-add", "frr-reload"}; !slices.Equal(got.LastApply.Steps, want) {
			t.Errorf("another length: steps %v, want %v", got.LastApply.Steps, want)
		}
		untilRoutes(t, r, map[string]string{"203.0.113.0/25": "64512:1", "203.0.113.7/32": "64512:1"})
		n.untilDiscards("203.0.113.0/25", "2001:db8::/64")
		n.apply(host.String())
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		if after := sessionOf(t, r); before.resetUntil(after) {
			t.Errorf("the session was reset: %+v, %+v", before, after)
		}
		withdrawn := grep(routerLog(t, r), "withdrawn")
		if strings.Contains(withdrawn, "203.0.113.7/32") || !strings.Contains(withdrawn, aggregate) {
			t.Errorf("withdrawn is other than the aggregate:\n%s", withdrawn)
		}
	})
}

// R2, R6: a discard route that somebody removes comes back, and one that nobody
// wants goes. It is there again after zebra, staticd or FRR's container was
// killed, and goes with its aggregate all the same.
func TestDiscardRouteIsKept(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		hash := n.apply(withAggregate().String()).AppliedHash
		want := map[string]string{aggregate: "64512:1", "203.0.113.7/32": "64512:1"}
		untilRoutes(t, r, want)
		for _, c := range []struct{ command, drift string }{
			{"no ip route 203.0.113.0/24 blackhole 254", "+ ip route 203.0.113.0/24 blackhole 254"},
			{"no ipv6 route 2001:db8::/64 blackhole 254", "+ ipv6 route 2001:db8::/64 blackhole 254"},
			{"ip route 198.51.100.0/24 blackhole", "- ip route 198.51.100.0/24 blackhole"},
			{"ip route 203.0.113.0/24 blackhole 1", "- ip route 203.0.113.0/24 blackhole"}, // replaces the one of distance 254
		} {
			n.vtysh("configure terminal", c.command)
			n.until("the repair of "+c.command, func(r report.Report) bool {
				return r.Drift != nil && slices.Contains(r.Drift.Lines, c.drift) && r.AppliedHash == hash
			})
			n.untilDiscards(aggregate, "2001:db8::/64")
		}
		untilRoutes(t, r, want)

		for _, daemon := range []string{"zebra", "staticd"} {
			out, err := n.frr.Run(t.Context(), "sh", "-c", "kill -9 $(cat /run/frr/"+daemon+".pid)")
			if err != nil {
				t.Fatal(out, err)
			}
			n.until(daemon+" gone", func(r report.Report) bool { return !r.FRR.Daemons[daemon] })
			n.until(daemon+" back", func(r report.Report) bool { return r.FRR.Daemons[daemon] && r.AppliedHash == hash })
			n.untilDiscards(aggregate, "2001:db8::/64")
		}
		n.stopReloader()
		n.frr.Kill()
		n.startFRR()
		untilRoutes(t, r, want)
		n.untilDiscards(aggregate, "2001:db8::/64")

		// Nothing of what was killed is left when the aggregate goes.
		n.startReloader()
		n.apply(config{networks: []string{"203.0.113.7/32"}}.String())
		n.untilDiscards()
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
	})
}

// untilAggregate waits until the aggregate is announced, or gone, with its
// discard route. Whoever asks the router first and the kernel after it while it
// comes, and the other way round while it goes, never sees it without.
func (n *node) untilAggregate(r *frr.Instance, announced bool) {
	n.t.Helper()
	atRouter := func() bool { _, there := routes(n.t, r)[aggregate]; return there }
	inKernel := func() bool { return slices.Contains(n.discards(), aggregate) }
	first, second := atRouter, inKernel
	if !announced {
		first, second = inKernel, atRouter
	}
	must(n.t, wait.Until(n.t.Context(), "aggregate and discard route", wait.Session, func(context.Context) (bool, error) {
		one, two := first(), second()
		if announced && one && !two || !announced && !one && two {
			n.t.Errorf("the router has %s without the discard route on the node", aggregate)
		}
		return one == announced && two == announced, nil
	}))
}

// untilDiscards waits for exactly these discard routes in the node's kernel.
func (n *node) untilDiscards(want ...string) {
	n.t.Helper()
	must(n.t, wait.Until(n.t.Context(), fmt.Sprint("discard routes ", want), wait.Session, func(context.Context) (bool, error) {
		got := n.discards()
		return slices.Equal(got, want), fmt.Errorf("have %v", got)
	}))
}

// discards are the prefixes of the kernel's discard routes.
func (n *node) discards() []string {
	n.t.Helper()
	var prefixes []string
	for _, family := range []string{"-4", "-6"} {
		out, err := n.host.Run(n.t.Context(), "ip", family, "route", "show", "type", "blackhole")
		must(n.t, err)
		for line := range strings.Lines(out) {
			prefixes = append(prefixes, strings.Fields(line)[1])
		}
	}
	return prefixes
}
