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
	"github.com/herald-lb/herald/test/lab/node"
)

// Which nodes announce: those that have an endpoint and those that are selected.

var _ = Describe("Local Services", func() {
	for _, s := range []stack{onlyIPv4, onlyIPv6} {
		It("L2 a node whose last pod ends is out before the pod is gone, and the others stay: "+s.name, func(ctx SpecContext) {
			addr := announcedLocal(ctx, s, lab.Advertisement("all"), "node1", "node3")
			expectEverywhere(ctx, addr, "node1", "node3")
			expectClientKept(ctx, addr)
			wires := captures()

			By("it still serves: nothing changes")
			_, err := site.TerminatePod(ctx, "web-node1")
			Expect(err).NotTo(HaveOccurred())
			remains(ctx, addr, absence, "node1", "node3")
			expectClientKept(ctx, addr)

			By("it serves no more, and is still there: the node is out")
			setPod(ctx, "web-node1", false, false, true)
			expectEverywhere(ctx, addr, "node3")
			By("it is gone: nothing changes")
			_, err = site.RemovePod(ctx, "web-node1")
			Expect(err).NotTo(HaveOccurred())
			remains(ctx, addr, absence, "node3")
			expectAnsweredBy(ctx, addr, "node3")

			others := site.NodeAddresses(familyOf(addr), "node3")
			for name, c := range wires {
				for _, m := range messages(c, withdraws(lab.HostRoute(addr))) {
					Expect(others).NotTo(ContainElement(m.From), "withdrawn from %s", name)
				}
			}
		}, SpecTimeout(specTimeout))

		It("L3 an endpoint on a node that no advertisement selects announces nothing there: "+s.name, func(ctx SpecContext) {
			const announces = "scenario.example/announces"
			adv := lab.Advertisement("selected")
			adv.Spec.NodeSelectors = selector(announces, "yes")
			label(ctx, "node1", announces, "yes")
			label(ctx, "node2", announces, "yes")
			local := announcedLocal(ctx, s, adv, "node2", "node3")
			expectEverywhere(ctx, local, "node2")

			By("a Cluster Service whose only endpoint is there is announced by the selected nodes")
			podOn(ctx, "node3", "anywhere")
			cluster := s.service("anywhere")
			create(ctx, cluster)
			addr := addressOf(ctx, cluster)
			expectEverywhere(ctx, addr, "node1", "node2")
			remains(ctx, local, absence, "node2")
			expectAnsweredBy(ctx, local, "node2")
			expectAnsweredBy(ctx, addr, "node3")

			By("the node is selected")
			label(ctx, "node3", announces, "yes")
			expectEverywhere(ctx, local, "node2", "node3")
			expectEverywhere(ctx, addr, allNodes...)
			By("the node of the other endpoint isn't any more")
			label(ctx, "node2", announces, "no")
			expectEverywhere(ctx, local, "node3")
			expectEverywhere(ctx, addr, "node1", "node3")
			expectNoReset(ctx)
		}, SpecTimeout(specTimeout))
	}
})

var _ = Describe("Node selectors", func() {
	It("N1 of an advertisement and of a peer are alternatives, none is all nodes, and edited labels act without a restart", func(ctx SpecContext) {
		const zone, rack = "scenario.example/zone", "scenario.example/rack"
		mayReset("tor-c")
		adv := lab.Advertisement("all")
		create(ctx, lab.Pool("public", block4, block6), adv)
		podOn(ctx, "node2", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		at := func(routerName string, nodes ...string) {
			GinkgoHelper()
			for _, addr := range addrs {
				expectAt(ctx, routerName, addr, nodes...)
			}
		}
		for _, name := range routerNames() {
			at(name, allNodes...)
		}
		starts := startsOf(node.FRR, node.Reloader, node.Agent)

		By("an advertisement with two selectors: the first matches node1, the second node2")
		label(ctx, "node1", zone, "a")
		label(ctx, "node2", rack, "1")
		either := append(selector(zone, "a"), metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: rack, Operator: metav1.LabelSelectorOpExists}},
		})
		update(ctx, adv, func(a *v1alpha1.BGPAdvertisement) { a.Spec.NodeSelectors = either })
		for _, name := range routerNames() {
			at(name, "node1", "node2")
		}
		label(ctx, "node3", zone, "a")
		label(ctx, "node1", zone, "b")
		for _, name := range routerNames() {
			at(name, "node2", "node3")
		}
		update(ctx, adv, func(a *v1alpha1.BGPAdvertisement) { a.Spec.NodeSelectors = nil })
		for _, name := range routerNames() {
			at(name, allNodes...)
		}
		expectNoReset(ctx)

		By("a peer with the same selectors: sessions come and go with the labels")
		for _, family := range families {
			update(ctx, steadyPeer("tor-c", family), func(p *v1alpha1.BGPPeer) { p.Spec.NodeSelectors = either })
		}
		expectSessionsOf(ctx, "tor-c", "node2", "node3")
		at("tor-c", "node2", "node3")
		label(ctx, "node3", zone, "b")
		label(ctx, "node1", zone, "a")
		expectSessionsOf(ctx, "tor-c", "node1", "node2")
		at("tor-c", "node1", "node2")
		at("tor-a", allNodes...)
		at("tor-b", allNodes...)
		expectNoReset(ctx)
		for _, family := range families {
			update(ctx, steadyPeer("tor-c", family), func(p *v1alpha1.BGPPeer) { p.Spec.NodeSelectors = nil })
		}
		expectSessionsOf(ctx, "tor-c", allNodes...)
		at("tor-c", allNodes...)
		Expect(startsOf(node.FRR, node.Reloader, node.Agent)).To(Equal(starts))
	}, SpecTimeout(specTimeout))
})

// announcedLocal announces a Local Service with a pod on each of these nodes, and
// returns its address.
func announcedLocal(ctx context.Context, s stack, adv *v1alpha1.BGPAdvertisement, nodes ...string) netip.Addr {
	GinkgoHelper()
	create(ctx, lab.Pool("public", block4, block6), adv)
	for _, name := range nodes {
		podOn(ctx, name, "web")
	}
	svc := s.service("web")
	svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	create(ctx, svc)
	return addressOf(ctx, svc)
}

// expectAnsweredBy opens connections through each router: only the pod on this
// node answers.
func expectAnsweredBy(ctx context.Context, addr netip.Addr, nodeName string) {
	GinkgoHelper()
	for _, name := range forwarding {
		spread := site.Client().Open(ctx, 20, site.Via(name, familyOf(addr)), netip.AddrPortFrom(addr, 80))
		Expect(spread.Errors).To(BeEmpty(), name)
		Expect(spread.ByNode()).To(Equal(map[string]int{nodeName: 20}), name)
	}
}

// expectSessionsOf waits until a router has established sessions with exactly
// these nodes.
func expectSessionsOf(ctx context.Context, routerName string, nodes ...string) {
	GinkgoHelper()
	for _, family := range families {
		_, err := site.WaitSettled(ctx, site.Router(routerName), family, nodes...)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, establishedWith).WithArguments(ctx, site, site.Router(routerName), family).
			Should(ConsistOf(site.NodeAddresses(family, nodes...)), routerName)
	}
}

// startsOf counts how often these containers were started, of all nodes.
func startsOf(names ...string) map[string]int {
	starts := map[string]int{}
	for _, n := range site.Nodes() {
		for _, name := range names {
			starts[n.Name()+" "+name] = n.Container(name).Starts()
		}
	}
	return starts
}
