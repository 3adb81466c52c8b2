package reloader

import (
	"context"
	"testing"

	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/wait"
)

// Without "coalesce-time 0" FRR 8.4 announces after the soft clear and skips the
// withdrawal: the router keeps the route for good.
func TestWithdrawalInTheFirstSecondOfASession(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		n.apply(config{networks: []string{"203.0.113.7/32"}}.String())
		err := wait.Until(t.Context(), "the session", wait.Session, func(context.Context) (bool, error) {
			return sessionOf(t, r).State == "Established", nil
		})
		must(t, err)
		n.vtysh("clear bgp ipv4 unicast 10.10.0.1 soft out")
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		n.apply(config{}.String())
		untilRoutes(t, r, map[string]string{})
	})
}
