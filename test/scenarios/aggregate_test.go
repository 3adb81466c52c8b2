package scenarios

import (
	"context"
	"fmt"
	"net/netip"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("Aggregates", func() {
	It("D5 aggregate and host routes go out together, each with its own attributes; the aggregate and its discard route live while a member lives", func(ctx SpecContext) {
		hosts := lab.Advertisement("hosts")
		hosts.Spec.Communities = []v1alpha1.CommunityValue{"64512:1"}
		whole := aggregating("whole", 26, 122)
		whole.Spec.Communities = []v1alpha1.CommunityValue{"64512:2", "no-export"}
		create(ctx, lab.Pool("public", block4, block6), hosts, whole)
		podOn(ctx, "node2", "first")
		podOn(ctx, "node3", "second")
		first, second := dualStack.service("first"), dualStack.service("second")
		create(ctx, first, second)
		one, other := hostRoutes(addressesOf(ctx, first)), hostRoutes(addressesOf(ctx, second))
		aggregates := prefixes("203.0.113.0/26", "2001:db8:113::/122")
		expectPrefixes(ctx, one, "64512:1")
		expectPrefixes(ctx, other, "64512:1")
		expectPrefixes(ctx, aggregates, "64512:2", "no-export")
		expectDiscards(ctx, aggregates...)
		for _, p := range one {
			expectSpread(ctx, p.Addr(), map[string]int{"node2": 60})
		}

		By("the first member goes")
		wires := captures()
		remove(ctx, first)
		expectPrefixes(ctx, one)
		expectDiscards(ctx, aggregates...)
		for name, c := range wires {
			Expect(c.Wait(ctx, name+" hears of it", withdraws(one...))).To(Succeed())
			Expect(messages(c, withdraws(aggregates...))).To(BeEmpty(), name)
		}

		By("the length changes: other aggregates, the same host routes")
		update(ctx, whole, func(a *v1alpha1.BGPAdvertisement) {
			a.Spec.AggregationLength, a.Spec.AggregationLengthV6 = ptr.To(int32(24)), ptr.To(int32(120))
		})
		wider := prefixes(block4, block6)
		expectPrefixes(ctx, wider, "64512:2", "no-export")
		expectPrefixes(ctx, aggregates)
		expectPrefixes(ctx, other, "64512:1")
		expectDiscards(ctx, wider...)
		for name, c := range wires {
			Expect(messages(c, withdraws(other...))).To(BeEmpty(), name)
		}

		By("the last member goes")
		remove(ctx, second)
		expectPrefixes(ctx, wider)
		expectPrefixes(ctx, other)
		expectDiscards(ctx)
	}, SpecTimeout(specTimeout))

	It("V13 an aggregate wider than the pool's block is refused and says where; all else holds; mended, it is Accepted", func(ctx SpecContext) {
		wide := aggregating("wide", 24, 120)
		create(ctx, lab.Pool("a-small", "198.51.100.16/28", "2001:db8:114::/124"), lab.Pool("b-range", "198.51.100.10-198.51.100.13"), wide)
		inSmall, inBig := dualStack.service("in-small"), dualStack.service("in-big")
		inRange := lab.Service("in-range")
		inRange.Annotations = map[string]string{v1alpha1.AnnotationIPs: "198.51.100.11"}
		for _, svc := range []*corev1.Service{inSmall, inBig, inRange} {
			svc.Spec.Selector = map[string]string{"app": "web"}
		}
		inSmall.Annotations = map[string]string{v1alpha1.AnnotationPool: "a-small"}
		inBig.Annotations = map[string]string{v1alpha1.AnnotationPool: "c-big"}
		podOn(ctx, "node1", "web")
		create(ctx, lab.Pool("c-big", block4, block6), inSmall, inBig, inRange)
		small, big, ranged := hostRoutes(addressesOf(ctx, inSmall)), prefixes(block4, block6), hostRoutes(addressesOf(ctx, inRange))
		Expect(addressesOf(ctx, inBig)).To(Equal(addresses("203.0.113.0", "2001:db8:113::")))
		Eventually(ctx, acceptedOf).WithArguments(ctx, wide).Should(And(
			HavePrefix("False AggregateExceedsPool: "), ContainSubstring("spec.aggregationLength 24 exceeds"), ContainSubstring("spec.aggregationLengthV6 120 exceeds"),
			ContainSubstring(`198.51.100.16/28 of IPAddressPool "a-small"`), ContainSubstring(`198.51.100.10/31 of IPAddressPool "b-range"`), Not(ContainSubstring("c-big")),
			ContainSubstring("set it to at least 31"),
		))
		expectPrefixes(ctx, big, "")
		expectDiscards(ctx, big...)
		Eventually(ctx, serviceCondition).WithArguments(ctx, inSmall, v1alpha1.ConditionAnnounced).Should(HavePrefix("False NoAdvertisement"))
		for _, p := range append(small, ranged...) {
			remains(ctx, p.Addr(), absence)
		}
		for _, r := range site.Routers() {
			for _, p := range prefixes("198.51.100.0/24", "2001:db8:114::/120") {
				Expect(nextHopsOf(ctx, r, p)).To(BeEmpty(), "%s at %s", p, r.Config().Name)
			}
		}
		wires := captures()

		By("mended by leaving out what doesn't fit, which another advertisement takes")
		create(ctx, func() *v1alpha1.BGPAdvertisement {
			fitting := aggregating("fitting", 31, 124)
			fitting.Spec.IPAddressPools = []string{"a-small", "b-range"}
			return fitting
		}())
		update(ctx, wide, func(a *v1alpha1.BGPAdvertisement) { a.Spec.IPAddressPools = []string{"c-big"} })
		Eventually(ctx, acceptedOf).WithArguments(ctx, wide).Should(HavePrefix("True Accepted: "))
		mended := prefixes("198.51.100.10/31", "198.51.100.16/31", "2001:db8:114::/124")
		expectPrefixes(ctx, mended, "")
		expectDiscards(ctx, append(mended, big...)...)
		for name, c := range wires {
			Expect(messages(c, withdraws(big...))).To(BeEmpty(), name)
		}
	}, SpecTimeout(specTimeout))

	for _, s := range []stack{onlyIPv4, onlyIPv6} {
		It("L4 of a Local Service only host routes go out, from the nodes that can serve it, beside aggregates of others; the advertisement says so: "+s.name, func(ctx SpecContext) {
			whole := aggregating("whole", 26, 122)
			create(ctx, lab.Pool("public", block4, block6), whole)
			local, cluster := s.service("local"), s.service("cluster")
			local.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			podOn(ctx, "node1", "local")
			create(ctx, local)
			addr := addressOf(ctx, local)
			aggregate, err := addr.Prefix(map[bool]int{true: 26, false: 122}[addr.Is4()])
			Expect(err).NotTo(HaveOccurred())
			expectEverywhere(ctx, addr, "node1")
			Consistently(ctx, func(g Gomega) {
				for _, r := range site.Routers() {
					g.Expect(nextHopsOf(ctx, r, aggregate)).To(BeEmpty(), r.Config().Name)
				}
			}).Should(Succeed())
			expectDiscards(ctx)
			Eventually(ctx, acceptedOf).WithArguments(ctx, whole).Should(And(
				HavePrefix("True AggregateNotForLocal: "), ContainSubstring("externalTrafficPolicy: Local")))

			By("an aggregate of another Service comes: the host route still leads to the node that serves")
			podOn(ctx, "node2", "cluster")
			create(ctx, cluster)
			Expect(aggregate.Contains(addressOf(ctx, cluster))).To(BeTrue())
			expectPrefixes(ctx, []netip.Prefix{aggregate}, "")
			expectEverywhere(ctx, addr, "node1")
			expectDiscards(ctx, aggregate)
			podOn(ctx, "node3", "local")
			expectEverywhere(ctx, addr, "node1", "node3")
			expectClientKept(ctx, addr)
			remove(ctx, cluster)
			expectPrefixes(ctx, []netip.Prefix{aggregate})
			expectDiscards(ctx)

			By("Cluster, and nothing is to be said")
			update(ctx, local, func(svc *corev1.Service) { svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster })
			expectPrefixes(ctx, []netip.Prefix{aggregate}, "")
			expectEverywhere(ctx, addr)
			expectDiscards(ctx, aggregate)
			Eventually(ctx, acceptedOf).WithArguments(ctx, whole).Should(HavePrefix("True Accepted: "))
		}, SpecTimeout(specTimeout))
	}
})

// aggregating makes an advertisement of everything with these lengths.
func aggregating(name string, length, lengthV6 int32) *v1alpha1.BGPAdvertisement {
	adv := lab.Advertisement(name)
	adv.Spec.AggregationLength, adv.Spec.AggregationLengthV6 = &length, &lengthV6
	return adv
}

// expectPrefixes waits until every router has prefixes from all nodes, with
// exactly these communities ("" is none); without any it waits until they are gone.
func expectPrefixes(ctx context.Context, all []netip.Prefix, communities ...string) {
	GinkgoHelper()
	want := fmt.Sprint([]string{})
	if len(communities) > 0 {
		var from []string
		for _, addr := range allNodes {
			from = append(from, fmt.Sprint(addr, communities))
		}
		want = fmt.Sprint(from)
	}
	for _, r := range site.Routers() {
		for _, p := range all {
			Eventually(ctx, pathsOf).WithArguments(ctx, r, p).Should(Equal(want), "%s at %s", p, r.Config().Name)
		}
	}
}

// pathsOf are nodes and communities of a prefix's paths at a router, by node.
func pathsOf(ctx context.Context, r router.Router, p netip.Prefix) (string, error) {
	routes, err := r.Routes(ctx, router.FamilyOf(p))
	from := []string{}
	for _, name := range allNodes {
		for _, route := range routes[p] {
			if route.NextHop == site.NodeAddresses(router.FamilyOf(p), name)[0] {
				communities := route.Communities
				if len(communities) == 0 {
					communities = []string{""}
				}
				from = append(from, fmt.Sprint(name, communities))
			}
		}
	}
	return fmt.Sprint(from), err
}

func nextHopsOf(ctx context.Context, r router.Router, p netip.Prefix) ([]netip.Addr, error) {
	routes, err := r.Routes(ctx, router.FamilyOf(p))
	return routes.NextHops(p), err
}

// expectDiscards waits until every node's kernel drops packets to exactly these
// prefixes.
func expectDiscards(ctx context.Context, want ...netip.Prefix) {
	GinkgoHelper()
	for _, name := range allNodes {
		Eventually(ctx, site.Node(name).Discards).WithArguments(ctx).Should(ConsistOf(want), name)
	}
}
