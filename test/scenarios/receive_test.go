package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

// What nodes take from routers, where a peer has receive.

var _ = Describe("Routes that are asked for", func() {
	It("P6 D10 P9 are installed, but protected ones and their more-specifics never; by length; without a reset; and not sent on", func(ctx SpecContext) {
		addrs := announcedDualStack(ctx, "web")
		wanted := prefixes("10.50.0.0/16", "10.50.1.0/24", "10.50.1.7/32", "2001:db8:50::/48", "2001:db8:50:1::/64", "2001:db8:50:1::7/128")
		never := protectedExamples()
		sent, end := routersSend(ctx, slices.Concat(wanted, never)...)
		defer end()
		own := slices.DeleteFunc(slices.Clone(sent), func(p netip.Prefix) bool { return slices.Contains(never, p) || slices.Contains(wanted, p) })
		before := kernelRoutes(ctx, never)

		By("All")
		receive(ctx, &v1alpha1.ReceivePolicy{Mode: v1alpha1.ReceiveAll})
		expectTaken(ctx, slices.Concat(wanted, own), nil)
		// Two prefixes of its own, and the common ones, of each family.
		expectReceived(ctx, len(wanted)/2+1)

		By("Filtered by length")
		receive(ctx, &v1alpha1.ReceivePolicy{Mode: v1alpha1.ReceiveFiltered, Prefixes: []v1alpha1.ReceivePrefix{
			{CIDR: "10.50.0.0/16", GE: ptr.To(int32(17)), LE: ptr.To(int32(24))}, {CIDR: "2001:db8:50::/48", LE: ptr.To(int32(64))},
			{CIDR: "203.0.113.0/24", LE: ptr.To(int32(32))}, {CIDR: "0.0.0.0/0", LE: ptr.To(int32(8))}, {CIDR: "10.244.0.0/16", LE: ptr.To(int32(32))},
		}})
		taken := prefixes("10.50.1.0/24", "2001:db8:50::/48", "2001:db8:50:1::/64")
		expectTaken(ctx, taken, slices.Concat(own, prefixes("10.50.0.0/16", "10.50.1.7/32", "2001:db8:50:1::7/128")))

		By("never what is protected")
		Expect(kernelRoutes(ctx, never)).To(Equal(before))

		By("one prefix more, and one less")
		receive(ctx, &v1alpha1.ReceivePolicy{Mode: v1alpha1.ReceiveFiltered, Prefixes: []v1alpha1.ReceivePrefix{
			{CIDR: "10.50.1.7/32"}, {CIDR: "2001:db8:50::/48", LE: ptr.To(int32(64))},
		}})
		expectTaken(ctx, prefixes("10.50.1.7/32", "2001:db8:50::/48"), prefixes("10.50.1.0/24"))

		By("the default route where it is listed, on a node that has none of its own")
		expectListedDefault(ctx, site.Node("node1"))

		By("to no other router")
		for _, r := range site.Routers() {
			for _, family := range families {
				routes, err := r.Routes(ctx, family)
				Expect(err).NotTo(HaveOccurred())
				for p := range routes {
					Expect(hostRoutes(addrs)).To(ContainElement(p), "at %s", r.Config().Name)
				}
			}
		}

		By("None")
		receive(ctx, nil)
		expectTaken(ctx, nil, slices.Concat(wanted, own))
		expectReceived(ctx, 0)
		for _, addr := range addrs {
			expectEverywhere(ctx, addr, allNodes...)
		}
		expectNoReset(ctx)
	}, SpecTimeout(2*specTimeout))

	It("S13 close the session when they are more than maximumPrefixes, which BGPSession says", func(ctx SpecContext) {
		mayReset()
		addrs := announcedDualStack(ctx, "web")
		_, end := routersSend(ctx, prefixes("10.50.0.0/16", "10.50.1.0/24")...)
		defer end()
		for _, r := range site.Routers() {
			name := r.Config().Name
			peer := steadyPeer(name, router.IPv4)
			update(ctx, peer, func(p *v1alpha1.BGPPeer) {
				p.Spec.Receive = &v1alpha1.ReceivePolicy{Mode: v1alpha1.ReceiveAll}
				p.Spec.MaximumPrefixes = 2 // and there are these, and one of the router's own
			})
			Eventually(ctx, establishedWith).WithArguments(ctx, site, r, router.IPv4).WithTimeout(patience).Should(BeEmpty(), name)
			for _, n := range allNodes {
				Eventually(ctx, sessionStatus).WithArguments(ctx, v1alpha1.SessionName(n, peer.Name)).WithTimeout(patience).Should(
					HaveField("LastReset", HaveValue(HaveField("Reason", MatchRegexp(`(?i)prefix`)))), "%s %s", name, n)
			}
			// FRR waits its 5 minutes, also when more are allowed meanwhile; not so for a
			// peer made anew.
			remove(ctx, peer)
			peer = steadyPeer(name, router.IPv4)
			peer.Spec.Receive, peer.Spec.MaximumPrefixes = &v1alpha1.ReceivePolicy{Mode: v1alpha1.ReceiveAll}, 3
			create(ctx, peer)
			Eventually(ctx, establishedWith).WithArguments(ctx, site, r, router.IPv4).WithTimeout(patience).Should(HaveLen(len(allNodes)), name)
		}
		for _, addr := range addrs {
			expectEverywhere(ctx, addr, allNodes...)
		}
	}, SpecTimeout(2*specTimeout))
})

// expectListedDefault takes a node's default routes away, and sees those of the
// routers in their place as long as they are listed.
func expectListedDefault(ctx context.Context, n *node.Node) {
	GinkgoHelper()
	defaults := prefixes("0.0.0.0/0", "::/0")
	own := map[string]string{}
	restore := func() {
		for flag, route := range own {
			_, err := n.Box().Run(ctx, append([]string{"ip", flag, "route", "replace"}, strings.Fields(route)...)...)
			Expect(err).NotTo(HaveOccurred())
			delete(own, flag)
		}
	}
	defer restore()
	for _, flag := range []string{"-4", "-6"} {
		out, err := n.Box().Run(ctx, "ip", flag, "route", "show", "default")
		Expect(err).NotTo(HaveOccurred())
		via := strings.Fields(out)
		Expect(len(via)).To(BeNumerically(">=", 3), out)
		_, err = n.Box().Run(ctx, "ip", flag, "route", "del", "default")
		Expect(err).NotTo(HaveOccurred())
		own[flag] = strings.Join(via[:3], " ") // default via ADDRESS
	}
	for _, p := range defaults {
		Expect(n.KernelNextHops(ctx, p)).To(BeEmpty(), "%s", p)
	}
	receive(ctx, &v1alpha1.ReceivePolicy{Mode: v1alpha1.ReceiveFiltered, Prefixes: []v1alpha1.ReceivePrefix{{CIDR: "0.0.0.0/0"}, {CIDR: "::/0"}}})
	for _, p := range defaults {
		Eventually(ctx, n.KernelNextHops).WithArguments(ctx, p).ShouldNot(BeEmpty(), "%s", p)
	}
	receive(ctx, &v1alpha1.ReceivePolicy{Mode: v1alpha1.ReceiveAll})
	for _, p := range defaults {
		Eventually(ctx, n.KernelNextHops).WithArguments(ctx, p).Should(BeEmpty(), "%s", p)
	}
}

// receive changes what all steady peers take, until the spec ends.
func receive(ctx context.Context, policy *v1alpha1.ReceivePolicy) {
	GinkgoHelper()
	for _, obj := range steadyPeers() {
		peer := obj.(*v1alpha1.BGPPeer)
		own := policy.DeepCopy()
		if own != nil && own.Mode == v1alpha1.ReceiveFiltered {
			family := familyOf(netip.MustParseAddr(peer.Spec.PeerAddress))
			own.Prefixes = slices.DeleteFunc(own.Prefixes, func(p v1alpha1.ReceivePrefix) bool {
				return router.FamilyOf(netip.MustParsePrefix(p.CIDR)) != family
			})
		}
		update(ctx, peer, func(p *v1alpha1.BGPPeer) { p.Spec.Receive = own })
	}
}

// protectedExamples are routes that would take packets from where they belong.
func protectedExamples() []netip.Prefix {
	GinkgoHelper()
	examples := prefixes("0.0.0.0/0", "::/0", block4, "203.0.113.0/28", block6, "2001:db8:113::/124")
	for _, n := range site.Nodes() {
		for _, family := range families {
			examples = append(examples, netip.PrefixFrom(site.NodeAddresses(family, n.Name())[0], map[router.Family]int{router.IPv4: 32, router.IPv6: 128}[family]))
		}
	}
	return append(examples, prefixes("10.244.1.0/24", "10.244.2.0/25", "10.244.3.7/32", "fd00:244:1::/64", "fd00:244:2::7/128",
		"10.96.0.0/16", "10.96.0.1/32", "fd00:96::/112", "fd00:96::7/128", "169.254.20.10/32")...)
}

// expectTaken waits until every node sends packets for the taken prefixes to
// routers, and has no route for the others.
func expectTaken(ctx context.Context, taken, not []netip.Prefix) {
	GinkgoHelper()
	for _, n := range site.Nodes() {
		for _, p := range taken {
			Eventually(ctx, n.KernelNextHops).WithArguments(ctx, p).Should(Not(BeEmpty()), "%s on %s", p, n.Name())
		}
		for _, p := range not {
			Eventually(ctx, n.KernelNextHops).WithArguments(ctx, p).Should(BeEmpty(), "%s on %s", p, n.Name())
		}
	}
}

// expectReceived waits until BGPSessions say how many routes are taken.
func expectReceived(ctx context.Context, count int) {
	GinkgoHelper()
	for _, obj := range steadyPeers() {
		for _, n := range allNodes {
			Eventually(ctx, func() (string, error) {
				var session v1alpha1.BGPSession
				err := site.API().Get(ctx, crclient.ObjectKey{Name: v1alpha1.SessionName(n, obj.GetName())}, &session)
				total := 0
				for _, counts := range []*v1alpha1.PrefixCount{session.Status.Prefixes.IPv4, session.Status.Prefixes.IPv6} {
					if counts != nil {
						total += int(counts.Accepted)
					}
				}
				return fmt.Sprint(total), err
			}).WithTimeout(4*counters).Should(Equal(fmt.Sprint(count)), "%s of %s", n, obj.GetName())
		}
	}
}
