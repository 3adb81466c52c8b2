package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/router"
)

// Interfaces of the links without addresses: on every node to a router, and on the
// router to a node. Each attempt has others: FRR as a router doesn't find neighbors
// any more behind an interface that was removed and made again (measured on 10.3).
func interfaceTo(routerName string) string { return fmt.Sprint("up", attempt(), "-", routerName) }
func interfaceOf(nodeName string) string   { return fmt.Sprint("to", attempt(), "-", nodeName) }

func attempt() int { return CurrentSpecReport().NumAttempts }

// withoutAddresses lays a cable from each of these nodes to a router. Its ends have
// no addresses but those that the kernel gives them.
func withoutAddresses(r router.Router, nodes ...string) {
	GinkgoHelper()
	for _, name := range nodes {
		Expect(link.Connect(
			link.End{Box: site.Node(name).Box(), Name: interfaceTo(r.Config().Name)},
			link.End{Box: r.Box(), Name: interfaceOf(name)})).To(Succeed())
	}
}

// linkLocal are the nodes' addresses on their links to a router, sorted.
func linkLocal(r router.Router, nodes ...string) []netip.Addr {
	GinkgoHelper()
	var all []netip.Addr
	for _, name := range nodes {
		addr, err := link.LinkLocal(site.Node(name).Box(), interfaceTo(r.Config().Name))
		Expect(err).NotTo(HaveOccurred())
		all = append(all, addr)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// listenBehind adds the nodes behind a router's interfaces to its neighbors, until
// the spec's end.
func listenBehind(r router.Router, nodes ...string) {
	GinkgoHelper()
	config := r.Config()
	DeferCleanup(func() {
		Expect(r.Configure(config)).To(Succeed())
		for _, name := range allNodes {
			link.Remove(site.Node(name).Box(), interfaceTo(config.Name))
		}
	})
	changed := r.Config()
	for _, name := range nodes {
		changed.Neighbors = append(changed.Neighbors, router.Neighbor{
			Address: linkLocal(r, name)[0], Interface: interfaceOf(name), ASN: lab.DefaultNodeASN,
		})
	}
	Expect(r.Configure(changed)).To(Succeed())
}

// unnumberedPeer is a router behind the nodes' interface.
func unnumberedPeer(routerName string) *v1alpha1.BGPPeer {
	peer := site.Peer(routerName, router.IPv4)
	peer.Name = "unnumbered-" + routerName
	peer.Spec.PeerAddress, peer.Spec.Interface = "", interfaceTo(routerName)
	return peer
}

// expectHops waits until a router's table and its kernel send an address exactly
// there.
func expectHops(ctx context.Context, r router.Router, addr netip.Addr, want []netip.Addr) {
	GinkgoHelper()
	Eventually(ctx, hopsAt).WithArguments(ctx, r, addr).WithTimeout(patience).Should(Equal(want), "%s: table", r.Config().Name)
	Eventually(ctx, r.KernelNextHops).WithArguments(ctx, lab.HostRoute(addr)).Should(Equal(want), "%s: kernel", r.Config().Name)
}

var _ = Describe("Routers behind interfaces", func() {
	It("S11 R12 sessions without addresses carry routes of both families, from both releases to routers of make FRR and BIRD; a node without the interface says so, and no sysctl changes", func(ctx SpecContext) {
		torA, torB := site.Router("tor-a"), site.Router("tor-b")
		nodes := []string{"node1", "node2"}
		var peers []string
		for _, r := range []router.Router{torA, torB} {
			withoutAddresses(r, nodes...)
			listenBehind(r, nodes...)
			peers = append(peers, "unnumbered-"+r.Config().Name)
		}
		before := map[string][]string{}
		for _, name := range nodes {
			before[name] = sysctlsOf(ctx, name)
			Expect(before[name]).To(ContainElement(HavePrefix("net.ipv6.conf." + interfaceTo("tor-a") + ".accept_ra = ")))
		}
		advertisement := lab.Advertisement("unnumbered")
		advertisement.Spec.Peers = peers
		podOn(ctx, "node3", "web")
		svc := dualStack.service("web")
		create(ctx, lab.Pool("public", block4, block6), unnumberedPeer("tor-a"), unnumberedPeer("tor-b"), advertisement, svc)
		addrs := addressesOf(ctx, svc)
		for _, addr := range addrs {
			for _, r := range []router.Router{torA, torB} {
				expectHops(ctx, r, addr, linkLocal(r, nodes...))
			}
			spread := site.Client().Open(ctx, 20, site.Via("tor-a", familyOf(addr)), netip.AddrPortFrom(addr, 80))
			Expect(spread.Errors).To(BeEmpty())
			Expect(spread.ByNode()).To(Equal(map[string]int{"node3": 20}))
		}

		By("what the API says of it")
		for _, r := range []router.Router{torA, torB} {
			routerEnds := map[string]netip.Addr{}
			for _, name := range nodes {
				var err error
				routerEnds[name], err = link.LinkLocal(r.Box(), interfaceOf(name))
				Expect(err).NotTo(HaveOccurred())
				Eventually(ctx, sessionStatus).WithArguments(ctx, v1alpha1.SessionName(name, "unnumbered-"+r.Config().Name)).Should(And(
					HaveField("State", v1alpha1.SessionEstablished), HaveField("Interface", interfaceTo(r.Config().Name)),
					HaveField("Address", routerEnds[name].String()), HaveField("RemoteASN", int64(lab.DefaultRouterASN)),
					HaveField("Prefixes.IPv4", HaveValue(HaveField("Sent", int64(1)))), HaveField("Prefixes.IPv6", HaveValue(HaveField("Sent", int64(1))))))
			}
			expectAccepted(ctx, unnumberedPeer(r.Config().Name), "True "+v1alpha1.ReasonPartiallyAccepted, "refused on node3:", fmt.Sprintf("no interface %q", interfaceTo(r.Config().Name)))
		}

		By("two peers behind one interface")
		twin := unnumberedPeer("tor-a")
		twin.Name = "unnumbered-twin"
		create(ctx, twin)
		expectAccepted(ctx, twin, "False "+v1alpha1.ReasonDuplicatePeer, `"unnumbered-tor-a"`, "node1", "node2")

		// On node2, which has FRR 10: bgpd of FRR 8.4 may die when the interface of a
		// neighbor is renamed and comes back (docs/kinds/bgppeer.md).
		By("a link that goes and comes back")
		rename := func(from, to string) {
			GinkgoHelper()
			Expect(link.Batch(site.Node("node2").Box(), "link set "+from+" down", "link set "+from+" name "+to, "link set "+to+" up")).To(Succeed())
		}
		rename(interfaceTo("tor-a"), "elsewhere")
		expectAccepted(ctx, unnumberedPeer("tor-a"), "True "+v1alpha1.ReasonPartiallyAccepted, "refused on node2, node3:")
		expectHops(ctx, torA, addrs[0], linkLocal(torA, "node1"))
		rename("elsewhere", interfaceTo("tor-a"))
		expectHops(ctx, torA, addrs[0], linkLocal(torA, nodes...))
		expectAccepted(ctx, unnumberedPeer("tor-a"), "True "+v1alpha1.ReasonPartiallyAccepted, "refused on node3:")

		By("the host as it was")
		for _, name := range nodes {
			Expect(sysctlsOf(ctx, name)).To(Equal(before[name]), name)
		}
		remove(ctx, unnumberedPeer("tor-a"), unnumberedPeer("tor-b"), twin)
		for _, r := range []router.Router{torA, torB} {
			Eventually(ctx, hopsAt).WithArguments(ctx, r, addrs[0]).Should(BeEmpty(), r.Config().Name)
		}
		for _, name := range nodes {
			Eventually(ctx, func(ctx context.Context) (string, error) {
				return site.Node(name).Vtysh(ctx, "-c", "show running-config")
			}).ShouldNot(ContainSubstring("interface up"), name)
			Expect(sysctlsOf(ctx, name)).To(Equal(before[name]), name)
		}
		expectNoReset(ctx)
	}, SpecTimeout(2*specTimeout))

	It("K1 extendedNextHop: IPv4 routes over a session between IPv6 addresses have IPv6 next hops at routers of every make; while a router doesn't take them the peer says so", func(ctx SpecContext) {
		mayReset()
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node3", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)

		removeOtherPeers(ctx, router.IPv6)
		for _, r := range site.Routers() {
			update(ctx, steadyPeer(r.Config().Name, router.IPv6), func(p *v1alpha1.BGPPeer) {
				p.Spec.AddressFamilies = []v1alpha1.AddressFamily{v1alpha1.AddressFamilyIPv4, v1alpha1.AddressFamilyIPv6}
				p.Spec.ExtendedNextHop = true
			})
		}
		switched := []router.Router{site.Router("tor-a"), site.Router("tor-b")}
		for _, r := range switched { // GoBGP takes them unasked
			expectAccepted(ctx, steadyPeer(r.Config().Name, router.IPv6), "False "+v1alpha1.ReasonNoNextHop, "hasn't agreed on IPv6 next hops", "node1")
			config := r.Config()
			// Before the sessions are restored, which a DeferCleanup would come after.
			defer func() { Expect(r.Configure(config)).To(Succeed()) }()
			changed := r.Config()
			for i, n := range changed.Neighbors {
				changed.Neighbors[i].ExtendedNextHop = n.Address.Is6()
			}
			Expect(r.Configure(changed)).To(Succeed())
		}
		for _, r := range site.Routers() {
			Eventually(ctx, hopsAt).WithArguments(ctx, r, addr).WithTimeout(patience).Should(Equal(site.NodeAddresses(router.IPv6)), r.Config().Name)
			if r.Config().Make != router.GoBGP {
				Eventually(ctx, r.KernelNextHops).WithArguments(ctx, lab.HostRoute(addr)).Should(
					And(HaveLen(len(allNodes)), HaveEach(Satisfy(netip.Addr.Is6))), r.Config().Name)
			}
			expectAccepted(ctx, steadyPeer(r.Config().Name, router.IPv6), "True "+v1alpha1.ReasonAccepted)
		}
	}, SpecTimeout(2*specTimeout))
})
