package scenarios

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("Session parameters", func() {
	It("S5 changed timers reach FRR without a reset and are negotiated with the next OPEN", func(ctx SpecContext) {
		peer := steadyPeer("tor-a", router.IPv4)
		update(ctx, peer, func(p *v1alpha1.BGPPeer) {
			p.Spec.HoldTime, p.Spec.KeepaliveTime = &metav1.Duration{Duration: 12 * time.Second}, &metav1.Duration{Duration: 4 * time.Second}
		})
		inAllConfigs(ctx, "neighbor "+peer.Spec.PeerAddress+" timers 4 12", true)
		expectNoReset(ctx)
		for _, addr := range site.NodeAddresses(router.IPv4) {
			Expect(holdTimeAt(addr)).To(Equal(30*time.Second), "what the last OPEN agreed on holds: %s", addr)
		}

		By("asking for what is negotiated, also after a restart of the reloader")
		for _, n := range allNodes {
			Eventually(ctx, negotiation).WithArguments(ctx, n, "tor-a").Should(Equal("NotNegotiated [holdTime keepaliveTime]"), n)
		}
		kill(ctx, containersOf(node.Reloader)...)
		healthy(ctx, allNodes...)
		for _, n := range allNodes {
			Eventually(ctx, negotiation).WithArguments(ctx, n, "tor-a").Should(Equal("NotNegotiated [holdTime keepaliveTime]"), n)
			Eventually(ctx, negotiation).WithArguments(ctx, n, "tor-b").Should(Equal("NotNegotiated []"), n)
		}
		expectNoReset(ctx)

		mayReset("tor-a")
		for _, addr := range site.NodeAddresses(router.IPv4) {
			Expect(site.Router("tor-a").Disable(ctx, addr)).To(Succeed())
			Expect(site.Router("tor-a").Enable(ctx, addr)).To(Succeed())
		}
		for _, addr := range site.NodeAddresses(router.IPv4) {
			Eventually(holdTimeAt).WithArguments(addr).WithTimeout(20*time.Second).Should(Equal(12*time.Second), "%s", addr)
		}
		for _, n := range allNodes {
			Eventually(ctx, negotiation).WithArguments(ctx, n, "tor-a").Should(Equal("NotNegotiated []"), n)
		}
	}, SpecTimeout(specTimeout))
})

// holdTimeAt is what tor-a and a node agreed on.
func holdTimeAt(node netip.Addr) (time.Duration, error) {
	out, err := router.Instance(site.Router("tor-a")).Show("bgpd", fmt.Sprintf("show bgp neighbors %s json", node))
	if err != nil {
		return 0, err
	}
	var neighbors map[string]struct {
		State        string `json:"bgpState"`
		Milliseconds int64  `json:"bgpTimerHoldTimeMsecs"`
	}
	if err := json.Unmarshal([]byte(out), &neighbors); err != nil {
		return 0, err
	}
	n := neighbors[node.String()]
	if n.State != router.Established {
		return 0, nil
	}
	return time.Duration(n.Milliseconds) * time.Millisecond, nil
}
