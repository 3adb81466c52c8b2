package reloader

import (
	"strings"
	"testing"

	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
)

// B2, B3: FRR 10 keeps a neighbor Idle while BFD is down, and BFD over several hops
// that FRR was told of too early stays down for good.
func TestBFDFollowsTheNumberOfHops(t *testing.T) {
	t.Parallel()
	const profile = "bfd\n profile far\n  transmit-interval 200\n exit\n !\nexit\n!\n"
	const bfd = " neighbor 10.10.0.1 bfd\n neighbor 10.10.0.1 bfd profile far\n"
	const hops = " neighbor 10.10.0.1 ebgp-multihop 254\n"
	const source = " neighbor 10.10.0.1 update-source 10.10.0.11\n"
	steps := []struct {
		name, neighbor, router string
		restart                bool // FRR too
	}{
		{"several hops from the start", bfd + hops, " neighbor 10.10.0.11 ebgp-multihop 254\n neighbor 10.10.0.11 bfd\n", false},
		{"one", bfd, " no neighbor 10.10.0.11 bfd\n no neighbor 10.10.0.11 ebgp-multihop\n neighbor 10.10.0.11 bfd\n", false},
		{"several", bfd + hops, " no neighbor 10.10.0.11 bfd\n neighbor 10.10.0.11 ebgp-multihop 254\n neighbor 10.10.0.11 bfd\n", false},
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
			if step.router != "" {
				must(t, r.LoadConfig("router bgp 64500\n"+step.router+"exit\n"))
			}
			n.apply(config{top: profile, neighbor: step.neighbor}.String())
			up(step.name)
			// FRR 8.4 without a source makes BFD's session only once BGP's is up, for
			// which a router with FRR 10 waits in turn.
			if step.restart && (v != frr.V8_4 || strings.Contains(step.neighbor, source)) {
				n.frr.Kill()
				n.until("FRR gone", func(r report.Report) bool { return r.FRR.Error != "" })
				n.startFRR()
				up(step.name + ", after FRR started again")
			}
		}
	})
}
