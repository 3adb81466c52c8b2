package scenarios

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("Sessions", func() {
	It("S8 no change of services, advertisements, pools or other peers resets a session", func(ctx SpecContext) {
		pool, all := lab.Pool("public", block4, block6), lab.Advertisement("all")
		create(ctx, pool, all)
		podOn(ctx, "node1", "web")
		kept := dualStack.service("kept")
		kept.Spec.Selector = map[string]string{"app": "web"}
		create(ctx, kept)
		addr := addressOf(ctx, kept)
		expectEverywhere(ctx, addr, allNodes...)
		wires := captures()

		By("changing Services and endpoints")
		for i := range 10 {
			create(ctx, webService(i))
		}
		setPod(ctx, "web-node1", false, false, false)
		expectEverywhere(ctx, addr)
		setPod(ctx, "web-node1", true, true, false)
		update(ctx, kept, func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal })
		expectEverywhere(ctx, addr, "node1")
		for i := range 10 {
			remove(ctx, webService(i))
		}

		By("changing advertisements and pools")
		update(ctx, all, func(a *v1alpha1.BGPAdvertisement) {
			a.Spec.Communities = []v1alpha1.CommunityValue{"64512:1", "no-export"}
		})
		Eventually(ctx, communitiesAt).WithArguments(ctx, "tor-b", addr).Should(Equal([][]string{{"64512:1", "no-export"}}))
		more := advertisement("more", "public", []string{"tor-a"}, "64512:2")
		create(ctx, more, lab.Pool("spare", "198.51.100.0/24"))
		Eventually(ctx, communitiesAt).WithArguments(ctx, "tor-a", addr).Should(Equal([][]string{{"64512:1", "64512:2", "no-export"}}))
		update(ctx, all, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Peers = []string{"tor-b", "tor-c"} })
		Eventually(ctx, communitiesAt).WithArguments(ctx, "tor-a", addr).Should(Equal([][]string{{"64512:2"}}))
		// The last advertisement of a family to a peer: no change of the session's
		// families either.
		remove(ctx, all, more)
		expectEverywhere(ctx, addr)

		By("changing other peers")
		other := site.Peer("tor-a", router.IPv4)
		other.Name, other.Spec.PeerAddress = "other", "10.10.0.250"
		create(ctx, other)
		inAllConfigs(ctx, "neighbor 10.10.0.250", true)
		update(ctx, other, func(p *v1alpha1.BGPPeer) { p.Spec.PeerASN, p.Spec.PeerPort = 64999, ptr.To(int32(1790)) })
		inAllConfigs(ctx, "neighbor 10.10.0.250 remote-as 64999", true)
		update(ctx, other, func(p *v1alpha1.BGPPeer) { p.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: "none"} })
		inAllConfigs(ctx, "neighbor 10.10.0.250", false)
		remove(ctx, other)

		create(ctx, lab.Advertisement("again"))
		expectEverywhere(ctx, addr, "node1")
		expectNoReset(ctx)
		for name, c := range wires {
			Expect(messages(c, opensOrCloses)).To(BeEmpty(), "sessions of %s begun or ended", name)
		}
	}, SpecTimeout(specTimeout))

	It("S9 removing a peer closes its sessions and no other", func(ctx SpecContext) {
		mayReset("tor-b")
		create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		for _, addr := range addrs {
			expectEverywhere(ctx, addr, allNodes...)
		}
		wires := captures()

		remove(ctx, steadyPeer("tor-b", router.IPv4))
		for _, n := range allNodes {
			Eventually(ctx, func() (string, error) {
				s, err := sessionOf(ctx, "tor-b", n, router.IPv4)
				return s.State, err
			}).ShouldNot(Equal(router.Established), n)
		}
		expectAt(ctx, "tor-b", addrs[0])
		for _, n := range allNodes {
			Consistently(ctx, func() (string, error) {
				s, err := sessionOf(ctx, "tor-b", n, router.IPv4)
				return s.State, err
			}).WithTimeout(absence/3).ShouldNot(Equal(router.Established), n)
		}
		expectAt(ctx, "tor-a", addrs[0], allNodes...)
		expectAt(ctx, "tor-c", addrs[0], allNodes...)
		expectEverywhere(ctx, addrs[1], allNodes...)
		expectNoReset(ctx)
		for name, c := range wires {
			seen := BeEmpty()
			if name == "tor-b" {
				seen = HaveLen(len(allNodes))
			}
			Expect(messages(c, opensOrCloses)).To(seen, "sessions of %s begun or ended", name)
		}
	}, SpecTimeout(specTimeout))
})

// inAllConfigs waits until every node's FRR runs with a line that contains a
// text, or without one. Only for steps of a scenario, not for its evidence.
func inAllConfigs(ctx context.Context, text string, present bool) {
	GinkgoHelper()
	for _, n := range site.Nodes() {
		Eventually(ctx, func() ([]string, error) {
			config, err := n.Vtysh(ctx, "-c", "show running-config")
			return lines(config, text), err
		}).Should(Satisfy(func(found []string) bool { return len(found) > 0 == present }), "%q on %s: %t", text, n.Name(), present)
	}
}
