package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("Attributes", func() {
	It("P2 V7 local-pref goes over iBGP; of two that differ the older holds and the younger says so; mended, it is Accepted", func(ctx SpecContext) {
		defer ownSite(ctx, lab.DefaultRouterASN)()
		older := lab.Advertisement("older")
		older.Spec.LocalPref = ptr.To(int64(300))
		older.Spec.Peers = []string{"tor-a", "tor-a-ipv6", "tor-b", "tor-b-ipv6"}
		create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("plain"), older)
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		expectLocalPref(ctx, addrs, map[string]uint32{"tor-a": 300, "tor-b": 300, "tor-c": 100})

		secondLater(ctx, older)
		younger := lab.Advertisement("younger")
		younger.Spec.LocalPref = ptr.To(int64(50))
		create(ctx, younger)
		expectLocalPref(ctx, addrs, map[string]uint32{"tor-a": 300, "tor-b": 300, "tor-c": 50})
		Eventually(ctx, acceptedOf).WithArguments(ctx, younger).Should(And(HavePrefix("True Overruled: "), ContainSubstring(`"older"`)))
		Expect(acceptedOf(ctx, older)).To(HavePrefix("True Accepted: "))

		update(ctx, younger, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Peers = []string{"tor-c", "tor-c-ipv6"} })
		Eventually(ctx, acceptedOf).WithArguments(ctx, younger).Should(HavePrefix("True Accepted: "))
		remove(ctx, older)
		expectLocalPref(ctx, addrs, map[string]uint32{"tor-a": 100, "tor-b": 100, "tor-c": 50})

		By("two that only a Service's label brings together")
		const tier = "scenario.example/tier"
		secondLater(ctx, younger)
		gold := lab.Advertisement("gold")
		gold.Spec.LocalPref, gold.Spec.ServiceSelectors = ptr.To(int64(70)), selector(tier, "gold")
		create(ctx, gold)
		Eventually(ctx, acceptedOf).WithArguments(ctx, gold).Should(HavePrefix("True Accepted: "))
		update(ctx, svc, func(s *corev1.Service) { s.Labels = map[string]string{tier: "gold"} })
		expectLocalPref(ctx, addrs, map[string]uint32{"tor-a": 70, "tor-b": 70, "tor-c": 50})
		Eventually(ctx, acceptedOf).WithArguments(ctx, gold).Should(And(HavePrefix("True Overruled: "), ContainSubstring(`"younger"`)))
		update(ctx, svc, func(s *corev1.Service) { s.Labels = nil })
		expectLocalPref(ctx, addrs, map[string]uint32{"tor-a": 100, "tor-b": 100, "tor-c": 50})
		Eventually(ctx, acceptedOf).WithArguments(ctx, gold).Should(HavePrefix("True Accepted: "))
	}, SpecTimeout(specTimeout))

	It("P2 P3 routers forward to the nodes with the highest local-pref; edited, it is an update and no withdrawal", func(ctx SpecContext) {
		defer ownSite(ctx, lab.DefaultRouterASN)()
		const preferred = "scenario.example/preferred"
		Expect(site.LabelNode(ctx, "node1", map[string]string{preferred: "yes"})).To(Succeed())
		first := lab.Advertisement("first")
		first.Spec.NodeSelectors = selector(preferred, "yes")
		first.Spec.LocalPref = ptr.To(int64(300))
		create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"), first)
		podOn(ctx, "node2", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		expect := func(pref uint32, forwardedTo ...string) {
			GinkgoHelper()
			for _, addr := range addrs {
				for _, r := range site.Routers() {
					Eventually(ctx, localPrefAt).WithArguments(ctx, r, addr).Should(ConsistOf(pref, uint32(100), uint32(100)), "%s at %s", addr, r.Config().Name)
					Expect(site.WaitRoutes(ctx, r, lab.HostRoute(addr), allNodes...)).To(Succeed())
					Expect(site.WaitKernel(ctx, r, lab.HostRoute(addr), forwardedTo...)).To(Succeed())
				}
			}
		}
		expect(300, "node1")
		wires := captures()
		for _, c := range []struct {
			pref        *int64
			carried     uint32
			forwardedTo []string
		}{
			{ptr.To(int64(50)), 50, []string{"node2", "node3"}},
			{ptr.To(int64(4294967295)), 4294967295, []string{"node1"}},
			{ptr.To(int64(0)), 0, []string{"node2", "node3"}},
			{nil, 100, allNodes},
		} {
			update(ctx, first, func(a *v1alpha1.BGPAdvertisement) { a.Spec.LocalPref = c.pref })
			expect(c.carried, c.forwardedTo...)
		}
		for name, c := range wires {
			Expect(messages(c, announces(hostRoutes(addrs)...))).NotTo(BeEmpty(), "the capture at %s sees announcements", name)
			Expect(messages(c, withdraws())).To(BeEmpty(), "withdrawn from %s", name)
		}
	}, SpecTimeout(specTimeout))

	It("P1 V6 large communities and aliases; an edited alias is an update, an unknown one withholds the advertisement until it is there", func(ctx SpecContext) {
		names := &v1alpha1.Community{ObjectMeta: metav1.ObjectMeta{Name: "names"}}
		names.Spec.Communities = []v1alpha1.CommunityAlias{{Name: "gold", Value: "64512:100"}, {Name: "customer", Value: "large:64512:7:1"}}
		all := lab.Advertisement("all")
		all.Spec.Communities = []v1alpha1.CommunityValue{"gold", "customer", "4294967295:1:4294967295", "no-export"}
		more := lab.Advertisement("more")
		more.Spec.Communities = []v1alpha1.CommunityValue{"64512:7:1", "64512:7:10"}
		more.Spec.Peers = []string{"tor-b", "tor-b-ipv6"}
		create(ctx, lab.Pool("public", block4, block6), all, more)
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		// Only "more" can be used, and only at tor-b.
		Eventually(ctx, acceptedOf).WithArguments(ctx, all).Should(And(HavePrefix("False UnknownCommunity: "), ContainSubstring(`"gold"`)))
		for _, addr := range addrs {
			expectAt(ctx, "tor-b", addr, allNodes...)
			expectOnlyAt(ctx, map[netip.Addr]string{addr: "tor-b"})
		}

		create(ctx, names)
		Eventually(ctx, acceptedOf).WithArguments(ctx, all).Should(HavePrefix("True Accepted: "))
		want := map[string][]string{
			"tor-a": {"64512:100", "no-export", "4294967295:1:4294967295", "64512:7:1"},
			"tor-b": {"64512:100", "no-export", "4294967295:1:4294967295", "64512:7:1", "64512:7:10"},
			"tor-c": {"64512:100", "no-export", "4294967295:1:4294967295", "64512:7:1"},
		}
		expectAllCommunities(ctx, addrs, want)
		wires := captures()
		update(ctx, names, func(c *v1alpha1.Community) { c.Spec.Communities[0].Value = "64512:200" })
		for name := range want {
			want[name][0] = "64512:200"
		}
		expectAllCommunities(ctx, addrs, want)

		By("values that are no community are refused, and change nothing")
		for _, bad := range []v1alpha1.CommunityValue{"64512:70000", "70000:1", "64512:1:4294967296", "no export"} {
			refused := all.DeepCopy()
			Expect(site.API().Get(ctx, crclient.ObjectKeyFromObject(all), refused)).To(Succeed())
			before := refused.DeepCopy()
			refused.Spec.Communities = append(refused.Spec.Communities, bad)
			Expect(site.API().Patch(ctx, refused, crclient.MergeFrom(before))).To(MatchError(ContainSubstring("communities")), "%q", bad)
		}
		expectAllCommunities(ctx, addrs, want)
		for name, c := range wires {
			Expect(messages(c, withdraws())).To(BeEmpty(), name)
		}
	}, SpecTimeout(specTimeout))

	It("P4 more communities than FRR takes on a route are refused up front, of the youngest advertisement, and the others hold", func(ctx SpecContext) {
		const each, fit = 60, 4 // FRR takes 252
		some := func(n int) (values []v1alpha1.CommunityValue) {
			for i := range each {
				values = append(values, v1alpha1.CommunityValue(fmt.Sprintf("%d:%d", 64000+n, i)))
			}
			return values
		}
		create(ctx, lab.Pool("public", block4, block6))
		for n := range fit {
			adv := lab.Advertisement(fmt.Sprint("many-", n))
			adv.Spec.Communities = some(n)
			create(ctx, adv)
		}
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		all := func() {
			GinkgoHelper()
			for _, addr := range addrs {
				for _, r := range site.Routers() {
					carried := HaveLen(fit * each)
					if r.Config().Make == router.BIRD { // which prints the first ones only
						carried = Not(BeEmpty())
					}
					Eventually(ctx, pathsAt).WithArguments(ctx, r, addr).Should(And(HaveLen(len(allNodes)),
						HaveEach(HaveField("Communities", carried))), "%s at %s", addr, r.Config().Name)
				}
			}
		}
		all()
		toomuch := lab.Advertisement("many-too-many")
		toomuch.Spec.Communities = some(fit)
		create(ctx, toomuch)
		Eventually(ctx, acceptedOf).WithArguments(ctx, toomuch).Should(HavePrefix("False TooManyCommunities: "))
		all()
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("P7 MED and prepend reach every make of router, and change without a withdraw", func(ctx SpecContext) {
		all := lab.Advertisement("all")
		all.Spec.MED, all.Spec.ASPathPrepend = ptr.To(int64(20)), ptr.To(int32(2))
		create(ctx, lab.Pool("public", block4, block6), all)
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		want := func(med uint32, prepended int) {
			GinkgoHelper()
			path := slices.Repeat([]uint32{lab.DefaultNodeASN}, 1+prepended)
			for _, addr := range addrs {
				for _, r := range site.Routers() {
					Eventually(ctx, pathsAt).WithArguments(ctx, r, addr).Should(And(HaveLen(len(allNodes)),
						HaveEach(And(HaveField("MED", med), HaveField("ASPath", path)))), "%s at %s", addr, r.Config().Name)
				}
			}
		}
		want(20, 2)
		wires := captures()
		update(ctx, all, func(a *v1alpha1.BGPAdvertisement) { a.Spec.MED, a.Spec.ASPathPrepend = ptr.To(int64(4294967295)), nil })
		want(4294967295, 0)
		update(ctx, all, func(a *v1alpha1.BGPAdvertisement) { a.Spec.MED, a.Spec.ASPathPrepend = nil, ptr.To(int32(10)) })
		want(0, 10)
		for name, c := range wires {
			Expect(messages(c, withdraws())).To(BeEmpty(), name)
		}
	}, SpecTimeout(specTimeout))

	It("P5 the next hop of each family is the one that is asked for", func(ctx SpecContext) {
		hop4, hop6 := netip.MustParseAddr("10.10.0.77"), netip.MustParseAddr("fd00:10:10::77")
		all := lab.Advertisement("all")
		all.Spec.NextHop = &v1alpha1.NextHop{IPv4: hop4.String(), IPv6: hop6.String()}
		create(ctx, lab.Pool("public", block4, block6), all)
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		hops := map[router.Family]netip.Addr{router.IPv4: hop4, router.IPv6: hop6}
		for _, addr := range addrs {
			hop := hops[familyOf(addr)]
			for _, r := range site.Routers() {
				Eventually(ctx, pathsAt).WithArguments(ctx, r, addr).
					Should(And(HaveLen(len(allNodes)), HaveEach(HaveField("NextHop", hop))), "%s at %s", addr, r.Config().Name)
				if _, err := r.KernelNextHops(ctx, lab.HostRoute(addr)); errors.Is(err, router.ErrNoKernel) {
					continue
				}
				Eventually(ctx, func() ([]netip.Addr, error) {
					kernel, err := r.KernelNextHops(ctx, lab.HostRoute(addr))
					return slices.Compact(kernel), err
				}).Should(Equal([]netip.Addr{hop}), "%s in the kernel of %s", addr, r.Config().Name)
			}
		}

		By("leaving it to the node for IPv6 again")
		update(ctx, all, func(a *v1alpha1.BGPAdvertisement) { a.Spec.NextHop.IPv6 = "" })
		for _, addr := range addrs {
			if familyOf(addr) == router.IPv6 {
				expectEverywhere(ctx, addr, allNodes...)
			}
		}
	}, SpecTimeout(specTimeout))

	It("P2 local-pref has no effect over eBGP, and the advertisement says so", func(ctx SpecContext) {
		all := lab.Advertisement("all")
		all.Spec.LocalPref = ptr.To(int64(300))
		create(ctx, lab.Pool("public", block4, block6), all)
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		for _, addr := range addressesOf(ctx, svc) {
			expectEverywhere(ctx, addr, allNodes...)
			for _, r := range site.Routers() {
				Expect(localPrefAt(ctx, r, addr)).To(HaveEach(Not(Equal(uint32(300)))), r.Config().Name)
			}
		}
		Eventually(ctx, acceptedOf).WithArguments(ctx, all).Should(And(HavePrefix("True NoEffect: "), ContainSubstring("spec.localPref")))
	}, SpecTimeout(specTimeout))
})

// ownSite brings up another site, in which the nodes have another AS number, and
// makes it the one that the steps look at; with its own steady peers. Call the
// returned function at the end: the shared site is back then.
func ownSite(ctx context.Context, nodeASN uint32) (end func()) {
	GinkgoHelper()
	shared := site
	own, err := lab.New(ctx, lab.Options{
		FRR: frr.V10_3, NodeFRR: map[int]frr.Version{1: frr.V8_4}, NodeASN: nodeASN, Log: GinkgoWriter,
	})
	Expect(err).NotTo(HaveOccurred())
	site = own
	Expect(own.Create(ctx, steadyPeers()...)).To(Succeed())
	return func() {
		own.LogFailure(GinkgoT())
		readsBefore -= own.Reads() // they count as those of the shared site
		own.Close()
		site = shared
	}
}

// expectLocalPref waits until each router has the addresses from all nodes with
// this LOCAL_PREF.
func expectLocalPref(ctx context.Context, addrs []netip.Addr, want map[string]uint32) {
	GinkgoHelper()
	for _, addr := range addrs {
		for _, r := range site.Routers() {
			Eventually(ctx, localPrefAt).WithArguments(ctx, r, addr).
				Should(And(HaveLen(len(allNodes)), HaveEach(want[r.Config().Name])), "%s at %s", addr, r.Config().Name)
		}
	}
}

// expectAllCommunities waits until each router has the addresses from all nodes
// with these communities: the standard ones, then the large ones.
func expectAllCommunities(ctx context.Context, addrs []netip.Addr, want map[string][]string) {
	GinkgoHelper()
	at := func(ctx context.Context, r router.Router, addr netip.Addr) ([][]string, error) {
		routes, err := r.Routes(ctx, familyOf(addr))
		var all [][]string
		for _, route := range routes[lab.HostRoute(addr)] {
			all = append(all, slices.Concat(route.Communities, route.LargeCommunities))
		}
		return all, err
	}
	for _, addr := range addrs {
		for _, r := range site.Routers() {
			Eventually(ctx, at).WithArguments(ctx, r, addr).
				Should(And(HaveLen(len(allNodes)), HaveEach(Equal(want[r.Config().Name]))), "%s at %s", addr, r.Config().Name)
		}
	}
}

// pathsAt are the paths of an address at a router.
func pathsAt(ctx context.Context, r router.Router, addr netip.Addr) ([]router.Route, error) {
	routes, err := r.Routes(ctx, familyOf(addr))
	return routes[lab.HostRoute(addr)], err
}

// localPrefAt is what each path of an address has at a router.
func localPrefAt(ctx context.Context, r router.Router, addr netip.Addr) ([]uint32, error) {
	routes, err := r.Routes(ctx, familyOf(addr))
	if err != nil {
		return nil, err
	}
	var prefs []uint32
	for _, route := range routes[lab.HostRoute(addr)] {
		prefs = append(prefs, route.LocalPref)
	}
	return prefs, nil
}

// acceptedOf is the condition Accepted as "True Reason: message".
func acceptedOf(ctx context.Context, obj crclient.Object) (string, error) {
	if err := site.API().Get(ctx, crclient.ObjectKeyFromObject(obj), obj); err != nil {
		return "", err
	}
	condition := meta.FindStatusCondition(*conditionsOf(obj), v1alpha1.ConditionAccepted)
	if condition == nil {
		return "", errors.New("no condition Accepted")
	}
	return fmt.Sprintf("%s %s: %s", condition.Status, condition.Reason, condition.Message), nil
}

// conditionsOf an object of Herald's.
func conditionsOf(obj crclient.Object) *[]metav1.Condition {
	switch o := obj.(type) {
	case *v1alpha1.BGPAdvertisement:
		return &o.Status.Conditions
	case *v1alpha1.Community:
		return &o.Status.Conditions
	case *v1alpha1.BGPPeer:
		return &o.Status.Conditions
	case *v1alpha1.IPAddressPool:
		return &o.Status.Conditions
	case *v1alpha1.FRRSnippet:
		return &o.Status.Conditions
	}
	panic(fmt.Sprintf("%T has no conditions", obj))
}

// secondLater waits until an object is older than one that is created next: the
// API server counts in seconds.
func secondLater(ctx context.Context, obj crclient.Object) {
	GinkgoHelper()
	Eventually(ctx, func() time.Duration { return time.Since(obj.GetCreationTimestamp().Time) }).Should(BeNumerically(">", time.Second))
}
