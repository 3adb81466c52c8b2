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
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("Selectors", func() {
	It("D9 Services are taken by their own labels and their namespace's; an edit of either, or of a selector, moves the routes at once", func(ctx SpecContext) {
		const tier, env = "scenario.example/tier", "scenario.example/env"
		marked := lab.Advertisement("marked")
		marked.Spec.ServiceSelectors = selector(tier, "gold")
		marked.Spec.Communities = []v1alpha1.CommunityValue{"64512:1"}
		prod := lab.Advertisement("prod")
		prod.Spec.NamespaceSelectors = selector(env, "prod")
		prod.Spec.Peers = []string{"tor-b", "tor-b-ipv6"}
		prod.Spec.Communities = []v1alpha1.CommunityValue{"64512:2"}
		create(ctx, lab.Pool("public", block4, block6), marked, prod)
		podOn(ctx, "node1", "web")
		gold, plain := dualStack.service("gold"), dualStack.service("plain")
		for _, svc := range []*corev1.Service{gold, plain} {
			svc.Spec.Selector = map[string]string{"app": "web"}
		}
		gold.Labels = map[string]string{tier: "gold"}
		create(ctx, gold, plain)
		golden, other := addressesOf(ctx, gold), addressesOf(ctx, plain)
		// What each router has: communities, or no route.
		nobody := map[string][]string{}
		everybody := map[string][]string{"tor-a": {"64512:1"}, "tor-b": {"64512:1"}, "tor-c": {"64512:1"}}
		onlyB := map[string][]string{"tor-b": {"64512:2"}}
		both := map[string][]string{"tor-a": {"64512:1"}, "tor-b": {"64512:1", "64512:2"}, "tor-c": {"64512:1"}}

		By("one Service has the label")
		expectCarried(ctx, golden, everybody)
		expectCarried(ctx, other, nobody)
		for _, addr := range other {
			remains(ctx, addr, absence)
		}
		wires := captures()

		By("the namespace gets its label: what is announced gets more, and is never withdrawn")
		labelNamespace(ctx, "default", env, "prod")
		expectCarried(ctx, golden, both)
		expectCarried(ctx, other, onlyB)

		By("the other Service gets the label, too")
		update(ctx, plain, func(s *corev1.Service) { s.Labels = map[string]string{tier: "gold"} })
		expectCarried(ctx, other, both)
		expectCarried(ctx, golden, both)

		By("the namespace loses it")
		labelNamespace(ctx, "default", env, "")
		expectCarried(ctx, golden, everybody)
		expectCarried(ctx, other, everybody)
		for name, c := range wires {
			Expect(messages(c, withdraws(hostRoutes(golden)...))).To(BeEmpty(), name)
		}

		By("the selector is edited, and its negation")
		update(ctx, gold, func(s *corev1.Service) { s.Labels[tier] = "silver" })
		expectCarried(ctx, golden, nobody)
		expectCarried(ctx, other, everybody)
		update(ctx, marked, func(a *v1alpha1.BGPAdvertisement) { a.Spec.ServiceSelectors = selector(tier, "silver") })
		expectCarried(ctx, golden, everybody)
		expectCarried(ctx, other, nobody)
		update(ctx, marked, func(a *v1alpha1.BGPAdvertisement) {
			a.Spec.ServiceSelectors = append(a.Spec.ServiceSelectors, selector(tier, "gold")...)
		})
		expectCarried(ctx, golden, everybody)
		expectCarried(ctx, other, everybody)

		By("labels that no selector reads cause no write, no apply and no message")
		settled(ctx)
		quiet := captures()
		before, err := writesOf(ctx)
		Expect(err).NotTo(HaveOccurred())
		update(ctx, gold, func(s *corev1.Service) { s.Labels["scenario.example/unrelated"] = "yes" })
		labelNamespace(ctx, "default", "scenario.example/unrelated", "yes")
		Consistently(ctx, writesOf).WithArguments(ctx).Should(Equal(before))
		for name, c := range quiet {
			Expect(messages(c, updates)).To(BeEmpty(), "updates that reached %s", name)
		}
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("D7 two advertisements take one Service to two routers, each with its own attributes, and an edit of one leaves the other alone", func(ctx SpecContext) {
		to := func(routerName string, communities ...v1alpha1.CommunityValue) *v1alpha1.BGPAdvertisement {
			adv := lab.Advertisement("to-" + routerName)
			adv.Spec.Peers = []string{routerName, peerName(routerName, router.IPv6)}
			adv.Spec.Communities = communities
			return adv
		}
		first, second := to("tor-a", "64512:1", "no-export"), to("tor-b", "64512:2")
		create(ctx, lab.Pool("public", block4, block6), first, second)
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		expectCarried(ctx, addrs, map[string][]string{"tor-a": {"64512:1", "no-export"}, "tor-b": {"64512:2"}})
		for _, addr := range addrs {
			remainsAbsent(ctx, addr, "tor-c")
		}
		settled(ctx)
		wires := captures()

		update(ctx, second, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Communities = []v1alpha1.CommunityValue{"64512:3"} })
		expectCarried(ctx, addrs, map[string][]string{"tor-a": {"64512:1", "no-export"}, "tor-b": {"64512:3"}})
		update(ctx, second, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Peers = to("tor-c").Spec.Peers })
		expectCarried(ctx, addrs, map[string][]string{"tor-a": {"64512:1", "no-export"}, "tor-c": {"64512:3"}})
		Expect(messages(wires["tor-a"], withdraws())).To(BeEmpty())
		remove(ctx, first)
		expectCarried(ctx, addrs, map[string][]string{"tor-c": {"64512:3"}})
		Expect(messages(wires["tor-c"], withdraws())).To(BeEmpty())
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))
})

// remainsAbsent checks that for a while a router doesn't have an address.
func remainsAbsent(ctx context.Context, addr netip.Addr, routerName string) {
	GinkgoHelper()
	Consistently(ctx, hopsAt).WithArguments(ctx, site.Router(routerName), addr).Should(BeEmpty(), routerName)
}

// selector of one label.
func selector(key, value string) []metav1.LabelSelector {
	return []metav1.LabelSelector{{MatchLabels: map[string]string{key: value}}}
}

// expectCarried waits until each router has the addresses from all nodes with
// these communities, and the routers that are not named don't have them.
func expectCarried(ctx context.Context, addrs []netip.Addr, want map[string][]string) {
	GinkgoHelper()
	for _, addr := range addrs {
		for _, name := range routerNames() {
			var carried [][]string
			if communities, found := want[name]; found {
				carried = sameFromAll(communities)
			}
			Eventually(ctx, communitiesAt).WithArguments(ctx, name, addr).Should(Equal(carried), "%s at %s", addr, name)
		}
	}
}

// labelNamespace sets a label of a Namespace until the end of the spec; an empty
// value removes it.
func labelNamespace(ctx context.Context, name, key, value string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	set := func(ctx context.Context, value string) {
		update(ctx, namespace, func(n *corev1.Namespace) {
			if n.Labels == nil {
				n.Labels = map[string]string{}
			}
			if n.Labels[key] = value; value == "" {
				delete(n.Labels, key)
			}
		})
	}
	set(ctx, value)
	DeferCleanup(func(ctx SpecContext) { set(ctx, "") })
}
