package reloader

import (
	"context"
	"strings"
	"testing"

	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/wait"
)

// B2, B3: FRR 10 keeps a neighbor Idle while BFD is down, and BFD over several hops
// that FRR was told of too early stays down for good.
func TestBFDFollowsTheNumberOfHops(t *testing.T) {
	t.Parallel()
	const profile = "bfd\n profile far\n  transmit-interval 200\n exit\n !\nexit\n!\n"
	const bfd = " neighbor 10.10.0.1 bfd\n neighbor 10.10.0.1 bfd profile far\n"
	const hops = " neighbor 10.10.0.1 ebgp-multihop 254\n"
	const source = " neighbor 10.10.0.1 update-source 10.10.0.11\n"
	const watch = " neighbor 10.10.0.11 bfd\n"
	steps := []struct {
		// router is what the router is told before it watches the node by BFD too.
		name, neighbor, router string
		restart                bool // FRR too
	}{
		{"several hops from the start", bfd + hops, " neighbor 10.10.0.11 ebgp-multihop 254\n", false},
		{"one", bfd, " no neighbor 10.10.0.11 bfd\n no neighbor 10.10.0.11 ebgp-multihop\n", false},
		{"several", bfd + hops, " no neighbor 10.10.0.11 bfd\n neighbor 10.10.0.11 ebgp-multihop 254\n", false},
		{"with a source", bfd + hops + source, "", true},
		{"without", bfd + hops, "", true},
	}
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		up := func(when string) {
			t.Helper()
			n.until("the session and BFD: "+when, func(r report.Report) bool {
				return established(r) && r.Sessions[0].BFD != nil && r.Sessions[0].BFD.State == "Up"
			})
		}
		for _, step := range steps {
			// FRR 8.4 without a source makes BFD's session only once BGP's is up, for which
			// a router with FRR 10 waits in turn: it begins to watch when BGP's is up.
			watchLater := v == frr.V8_4 && step.router != ""
			before := sessionOf(t, r)
			switch {
			case watchLater:
				must(t, r.LoadConfig("router bgp 64500\n"+step.router+"exit\n"))
			case step.router != "":
				must(t, r.LoadConfig("router bgp 64500\n"+step.router+watch+"exit\n"))
			}
			n.apply(config{top: profile, neighbor: step.neighbor}.String())
			if watchLater {
				must(t, wait.Until(t.Context(), "the router's session: "+step.name, wait.Session, func(context.Context) (bool, error) {
					now := sessionOf(t, r) // both ends have closed the one before
					return now.State == "Established" && now.Established > before.Established, nil
				}))
				must(t, r.LoadConfig("router bgp 64500\n"+watch+"exit\n"))
			}
			up(step.name)
			// After a start of FRR 8.4 the router watches already.
			if step.restart && (v != frr.V8_4 || strings.Contains(step.neighbor, source)) {
				n.frr.Kill()
				n.until("FRR gone", func(r report.Report) bool { return r.FRR.Error != "" })
				n.startFRR()
				up(step.name + ", after FRR started again")
			}
		}
	})
}
