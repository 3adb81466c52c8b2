package reloader

import (
	"slices"
	"testing"

	"github.com/herald-lb/herald/test/lab/frr"
)

// --apply=frr-reload leaves everything to FRR's script, and ends at the same routes.
func TestEverythingByFRRReload(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n := newNode(t, v)
		n.args = append(n.args, "--apply=frr-reload")
		r := newRouter(t, n, 64500)
		n.startFRR()
		n.startReloader()
		for _, networks := range [][]string{
			{"203.0.113.7/32", "203.0.113.8/32 herald.tin"}, {"203.0.113.7/32", "203.0.113.9/32"}, {"203.0.113.9/32"},
		} {
			got := n.apply(config{networks: networks}.String())
			if want := []string{"frr-reload"}; !slices.Equal(got.LastApply.Steps, want) {
				t.Errorf("steps %v, want %v", got.LastApply.Steps, want)
			}
			want := map[string]string{}
			for _, p := range networks {
				if p != "203.0.113.8/32 herald.tin" {
					want[p] = "64512:1"
				}
			}
			untilRoutes(t, r, want)
		}
	})
}
