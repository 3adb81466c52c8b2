package scenarios

import (
	"context"
	"net/netip"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
)

var _ = Describe("Announcement", func() {
	for _, s := range []stack{onlyIPv4, onlyIPv6, dualStack} {
		It("D1 every node is a next hop of a Cluster Service, each router's kernel uses them all, and connections spread over them: "+s.name, func(ctx SpecContext) {
			create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))
			podOn(ctx, "node2", "web")
			svc := s.service("web")
			create(ctx, svc)
			for _, addr := range addressesOf(ctx, svc) {
				expectEverywhere(ctx, addr, allNodes...)
				expectSpread(ctx, addr, map[string]int{"node2": 100})
			}
		}, SpecTimeout(specTimeout))
	}

	It("D2 a changed address: the old one is withdrawn, the new one announced, nothing else moves", func(ctx SpecContext) {
		pool := lab.Pool("public", "203.0.113.10/32", "203.0.113.20/32", "2001:db8:113::a/128")
		create(ctx, pool, lab.Advertisement("all"))
		podOn(ctx, "node1", "moved")
		podOn(ctx, "node3", "stays")
		moved, stays := dualStack.service("moved"), lab.Service("stays")
		create(ctx, moved)
		Expect(addressesOf(ctx, moved)).To(Equal(addresses("203.0.113.10", "2001:db8:113::a")))
		create(ctx, stays)
		stable := addressOf(ctx, stays)
		for _, addr := range addresses("203.0.113.10", "2001:db8:113::a", "203.0.113.20") {
			expectEverywhere(ctx, addr, allNodes...)
		}
		wires := captures()

		update(ctx, pool, func(p *v1alpha1.IPAddressPool) {
			p.Spec.Addresses = []v1alpha1.AddressBlock{"203.0.113.20/32", "203.0.113.30/32", "2001:db8:113::b/128"}
		})
		Eventually(ctx, func() []netip.Addr { return addressesOf(ctx, moved) }).Should(Equal(addresses("203.0.113.30", "2001:db8:113::b")))
		for _, addr := range addresses("203.0.113.10", "2001:db8:113::a") {
			expectEverywhere(ctx, addr)
		}
		for _, addr := range addresses("203.0.113.30", "2001:db8:113::b") {
			expectEverywhere(ctx, addr, allNodes...)
		}
		Expect(addressOf(ctx, stays)).To(Equal(stable))
		expectEverywhere(ctx, stable, allNodes...)
		for name, c := range wires {
			Expect(messages(c, withdraws())).NotTo(BeEmpty(), name)
			Expect(messages(c, withdraws(lab.HostRoute(stable)))).To(BeEmpty(), name)
		}
	}, SpecTimeout(specTimeout))

	for _, s := range []stack{onlyIPv4, onlyIPv6} {
		It("D3 without a usable endpoint, or deleted, it is out; serving and terminating is usable: "+s.name, func(ctx SpecContext) {
			create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))
			svc := s.service("web")
			create(ctx, svc)
			addr := addressOf(ctx, svc)
			remains(ctx, addr, absence) // no endpoint, no route

			podOn(ctx, "node1", "web")
			expectEverywhere(ctx, addr, allNodes...)
			setPod(ctx, "web-node1", false, false, false)
			expectEverywhere(ctx, addr)
			setPod(ctx, "web-node1", true, true, false)
			expectEverywhere(ctx, addr, allNodes...)

			setPod(ctx, "web-node1", false, true, true)
			remains(ctx, addr, absence, allNodes...)
			setPod(ctx, "web-node1", false, false, true)
			expectEverywhere(ctx, addr)

			setPod(ctx, "web-node1", true, true, false)
			expectEverywhere(ctx, addr, allNodes...)
			remove(ctx, svc)
			expectEverywhere(ctx, addr)
		}, SpecTimeout(specTimeout))
	}

	It("D6 only the peers that an advertisement lists get its routes, and an edit of the list moves them", func(ctx SpecContext) {
		adv := lab.Advertisement("some")
		adv.Spec.Peers = []string{"tor-a", "tor-b-ipv6"}
		create(ctx, lab.Pool("public", block4, block6), adv)
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		v4, v6 := addrs[0], addrs[1]

		expectAt(ctx, "tor-a", v4, allNodes...)
		expectAt(ctx, "tor-b", v6, allNodes...)
		expectOnlyAt(ctx, map[netip.Addr]string{v4: "tor-a", v6: "tor-b"})

		update(ctx, adv, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Peers = []string{"tor-c", "tor-a-ipv6", "no-such"} })
		expectAt(ctx, "tor-c", v4, allNodes...)
		expectAt(ctx, "tor-a", v6, allNodes...)
		expectAt(ctx, "tor-a", v4)
		expectAt(ctx, "tor-b", v6)
		expectOnlyAt(ctx, map[netip.Addr]string{v4: "tor-c", v6: "tor-a"})

		By("selectors beside the list, and a label of a peer; no agent starts anew and no session is reset")
		const tier = "scenario.example/tier"
		labelPeer(ctx, "tor-b-ipv6", tier, "spine")
		update(ctx, adv, func(a *v1alpha1.BGPAdvertisement) {
			a.Spec.Peers, a.Spec.PeerSelectors = []string{"tor-a"}, selector(tier, "spine")
		})
		expectAt(ctx, "tor-a", v4, allNodes...)
		expectAt(ctx, "tor-b", v6, allNodes...)
		expectAt(ctx, "tor-c", v4)
		expectAt(ctx, "tor-a", v6)
		expectOnlyAt(ctx, map[netip.Addr]string{v4: "tor-a", v6: "tor-b"})
		labelPeer(ctx, "tor-b-ipv6", tier, "leaf")
		labelPeer(ctx, "tor-c-ipv6", tier, "spine")
		expectAt(ctx, "tor-c", v6, allNodes...)
		expectAt(ctx, "tor-b", v6)
		expectOnlyAt(ctx, map[netip.Addr]string{v4: "tor-a", v6: "tor-c"})

		By("a selector that no peer matches, without a list")
		update(ctx, adv, func(a *v1alpha1.BGPAdvertisement) {
			a.Spec.Peers, a.Spec.PeerSelectors = nil, selector(tier, "none-such")
		})
		expectEverywhere(ctx, v4)
		expectEverywhere(ctx, v6)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	for _, s := range []stack{onlyIPv4, onlyIPv6} {
		It("L1 a Local Service is announced by the nodes with a usable endpoint only, and moving pods moves the routes: "+s.name, func(ctx SpecContext) {
			create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))
			podOn(ctx, "node1", "web")
			svc := s.service("web")
			svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			create(ctx, svc)
			addr := addressOf(ctx, svc)
			expectEverywhere(ctx, addr, "node1")

			podOn(ctx, "node3", "web")
			expectEverywhere(ctx, addr, "node1", "node3")
			expectClientKept(ctx, addr)

			_, err := site.MovePod(ctx, "web-node1", "node2", "web-node2")
			Expect(err).NotTo(HaveOccurred())
			expectEverywhere(ctx, addr, "node2", "node3")
			setPod(ctx, "web-node2", false, false, false)
			expectEverywhere(ctx, addr, "node3")
			_, err = site.RemovePod(ctx, "web-node3")
			Expect(err).NotTo(HaveOccurred())
			expectEverywhere(ctx, addr)
		}, SpecTimeout(specTimeout))
	}
})

// labelPeer labels a BGPPeer until the spec ends.
func labelPeer(ctx context.Context, name, key, value string) {
	GinkgoHelper()
	peer := &v1alpha1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}}
	update(ctx, peer, func(p *v1alpha1.BGPPeer) { metav1.SetMetaDataLabel(&p.ObjectMeta, key, value) })
	DeferCleanup(func(ctx SpecContext) {
		update(ctx, peer, func(p *v1alpha1.BGPPeer) { delete(p.Labels, key) })
	})
}

// setPod changes the conditions of a pod's endpoint.
func setPod(ctx context.Context, name string, ready, serving, terminating bool) {
	GinkgoHelper()
	_, err := site.SetPod(ctx, name, ready, serving, terminating)
	Expect(err).NotTo(HaveOccurred())
}

// forwarding are the routers with a kernel that forwards: GoBGP has none.
var forwarding = []string{"tor-a", "tor-b"}

// expectSpread opens connections through each router: the pods of these nodes
// answer, as often as said, and every node took some of them in.
func expectSpread(ctx context.Context, addr netip.Addr, answers map[string]int) {
	GinkgoHelper()
	total := 0
	for _, n := range answers {
		total += n
	}
	for _, name := range forwarding {
		spread := site.Client().Open(ctx, total, site.Via(name, familyOf(addr)), netip.AddrPortFrom(addr, 80))
		Expect(spread.Errors).To(BeEmpty(), name)
		Expect(spread.ByNode()).To(Equal(answers), name)
		Expect(site.EnteredBy(spread)).To(And(HaveLen(len(allNodes)), HaveKey("node1"), HaveKey("node2"), HaveKey("node3")), name)
	}
}

// expectClientKept opens connections to a Local Service: the pods on node1 and
// node3 answer, and see the client's own address.
func expectClientKept(ctx context.Context, addr netip.Addr) {
	GinkgoHelper()
	for _, name := range forwarding {
		via := site.Via(name, familyOf(addr))
		spread := site.Client().Open(ctx, 40, via, netip.AddrPortFrom(addr, 80))
		Expect(spread.Errors).To(BeEmpty(), name)
		Expect(spread.ByNode()).To(And(HaveLen(2), HaveKey("node1"), HaveKey("node3")), name)
		Expect(spread.BySource()).To(Equal(map[netip.Addr]int{via: 40}), name)
	}
}

// expectOnlyAt checks that for a while no router but the one named has an
// address, and that one has it from all nodes.
func expectOnlyAt(ctx context.Context, routers map[netip.Addr]string) {
	GinkgoHelper()
	Consistently(ctx, func(g Gomega) {
		for addr, routerName := range routers {
			for _, r := range site.Routers() {
				want := 0
				if r.Config().Name == routerName {
					want = len(allNodes)
				}
				g.Expect(hopsAt(ctx, r, addr)).To(HaveLen(want), "next hops of %s at %s", addr, r.Config().Name)
			}
		}
	}).Should(Succeed())
}
