package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

// What a node can have only one of: the address of a peer, the AS number, the
// BGP identifier.
var _ = Describe("Peers that conflict", func() {
	It("V4 two with one address: the younger is refused where they meet, elsewhere each has its nodes, and labels move them", func(ctx SpecContext) {
		mayReset("tor-b")
		const ours, theirs = "scenario/older", "scenario/younger"
		label := func(nodeName, key, value string) {
			GinkgoHelper()
			Expect(site.LabelNode(context.WithoutCancel(ctx), nodeName, map[string]string{key: value})).To(Succeed())
		}
		for _, n := range allNodes {
			defer label(n, ours, "")
			defer label(n, theirs, "")
		}
		label("node1", theirs, "yes")
		label("node2", ours, "yes")
		label("node3", ours, "yes")

		older := steadyPeer("tor-b", router.IPv4)
		update(ctx, older, func(p *v1alpha1.BGPPeer) { p.Spec.NodeSelectors = withLabel(ours) })
		younger := steadyPeer("tor-b", router.IPv4)
		younger.Name, younger.Spec.NodeSelectors = "younger", withLabel(theirs)
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), suiteTimeout)
			defer cancel()
			remove(ctx, younger)
			Expect(restorePeer(ctx, steadyPeer("tor-b", router.IPv4))).To(Succeed())
			inAllConfigs(ctx, "neighbor "+older.Spec.PeerAddress+" route-map herald_out_tor-b_ipv4 out", true)
		}()
		create(ctx, younger, lab.Pool("public", block4),
			advertisement("to-older", "public", []string{"tor-b"}, "64512:1"), advertisement("to-younger", "public", []string{"younger"}, "64512:2"))
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		from := func(node1, node2, node3 string) {
			GinkgoHelper()
			Eventually(ctx, communitiesAt).WithArguments(ctx, "tor-b", addr).Should(Equal([][]string{{node1}, {node2}, {node3}}))
		}

		By("disjoint nodes: both have theirs")
		from("64512:2", "64512:1", "64512:1")
		expectAccepted(ctx, older, "True "+v1alpha1.ReasonAccepted)
		expectAccepted(ctx, younger, "True "+v1alpha1.ReasonAccepted)

		By("meeting on a node: the older keeps it, its session doesn't notice")
		before := establishedAt(ctx)["tor-b"]
		label("node2", theirs, "yes")
		expectAccepted(ctx, younger, "True "+v1alpha1.ReasonPartiallyAccepted, "node2", `"tor-b"`, "spec.peerAddress")
		expectAccepted(ctx, older, "True "+v1alpha1.ReasonAccepted)
		from("64512:2", "64512:1", "64512:1")

		By("parting again")
		label("node2", theirs, "")
		expectAccepted(ctx, younger, "True "+v1alpha1.ReasonAccepted)
		from("64512:2", "64512:1", "64512:1")
		Expect(lab.CheckNoReset(ctx, site.Router("tor-b"), onlyFamily(before, router.IPv4))).To(Succeed())

		By("the older one coming to the younger's only node, and leaving")
		label("node1", ours, "yes")
		expectAccepted(ctx, younger, "False "+v1alpha1.ReasonDuplicatePeer, "node1")
		from("64512:1", "64512:1", "64512:1")
		label("node1", ours, "")
		expectAccepted(ctx, younger, "True "+v1alpha1.ReasonAccepted)
		from("64512:2", "64512:1", "64512:1")

		By("the older one going: the younger stays where it is")
		remove(ctx, older)
		expectAt(ctx, "tor-b", addr, "node1")
		label("node3", theirs, "yes")
		expectAt(ctx, "tor-b", addr, "node1", "node3")
	}, SpecTimeout(2*specTimeout))

	It("V14 that disagree on the router-id: the younger is refused on the nodes where they meet, and heals", func(ctx SpecContext) {
		mayReset()
		const first, second = "10.99.0.1", "10.99.0.2"
		older, younger := steadyPeer("tor-a", router.IPv4), makeYoungest(ctx, "tor-b")
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), suiteTimeout)
			defer cancel()
			for _, peer := range []*v1alpha1.BGPPeer{older, younger} {
				Expect(restorePeer(ctx, steadyPeer(peer.Name, router.IPv4))).To(Succeed())
			}
			for _, n := range site.Nodes() {
				Eventually(ctx, routerIDs).WithArguments(ctx, n.Name()).WithTimeout(patience).Should(HaveEach(n.Config().IPv4.String()), n.Name())
			}
		}()
		update(ctx, older, func(p *v1alpha1.BGPPeer) {
			p.Spec.RouterID, p.Spec.NodeSelectors = first, onNodes("node1", "node2")
		})
		expectRouterIDs(ctx, "tor-b", first, first, site.Node("node3").Config().IPv4.String())

		update(ctx, younger, func(p *v1alpha1.BGPPeer) { p.Spec.RouterID = second })
		expectAccepted(ctx, younger, "True "+v1alpha1.ReasonPartiallyAccepted, "node1, node2", `"tor-a"`, "spec.routerID")
		expectRouterIDs(ctx, "tor-b", "", "", second)
		expectRouterIDs(ctx, "tor-a", first, first, "")
		expectRouterIDs(ctx, "tor-c", first, first, second)

		update(ctx, older, func(p *v1alpha1.BGPPeer) { p.Spec.RouterID = "" })
		expectAccepted(ctx, younger, "True "+v1alpha1.ReasonAccepted)
		for _, name := range []string{"tor-b", "tor-c"} {
			expectRouterIDs(ctx, name, second, second, second)
		}
	}, SpecTimeout(2*specTimeout))

	It("V5 that disagree on the own AS number: the younger is refused on the nodes where they meet, and heals", func(ctx SpecContext) {
		mayReset()
		const other = 64999
		younger := makeYoungest(ctx, "tor-b")
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), suiteTimeout)
			defer cancel()
			wantNeighborASN("node3", lab.DefaultNodeASN)
			for _, obj := range steadyPeers() {
				Expect(restorePeer(ctx, obj.(*v1alpha1.BGPPeer))).To(Succeed())
			}
			Eventually(ctx, neighborASN).WithArguments(ctx, "node3").WithTimeout(patience).Should(BeEquivalentTo(lab.DefaultNodeASN))
		}()
		By("leaving node3 to the younger one")
		for _, obj := range steadyPeers() {
			if obj.GetName() != younger.Name {
				update(ctx, obj.(*v1alpha1.BGPPeer), func(p *v1alpha1.BGPPeer) { p.Spec.NodeSelectors = onNodes("node1", "node2") })
			}
		}
		wantNeighborASN("node3", other)
		update(ctx, younger, func(p *v1alpha1.BGPPeer) { p.Spec.MyASN = other })
		expectAccepted(ctx, younger, "True "+v1alpha1.ReasonPartiallyAccepted, "node1, node2", "spec.myASN")
		Eventually(ctx, neighborASN).WithArguments(ctx, "node3").WithTimeout(patience).Should(BeEquivalentTo(other))
		for _, n := range []string{"node1", "node2"} {
			Eventually(ctx, neighborASN).WithArguments(ctx, n).Should(BeZero(), n)
		}
		for _, n := range []string{"node1", "node2"} {
			expectEstablished(ctx, "tor-a", n)
		}

		By("agreeing")
		wantNeighborASN("node3", lab.DefaultNodeASN)
		update(ctx, younger, func(p *v1alpha1.BGPPeer) { p.Spec.MyASN = lab.DefaultNodeASN })
		expectAccepted(ctx, younger, "True "+v1alpha1.ReasonAccepted)
		for _, n := range allNodes {
			expectEstablished(ctx, "tor-b", n)
		}
	}, SpecTimeout(2*specTimeout))
})

var _ = Describe("A node without IPv4", func() {
	// Only its Node object says so: the lab's API server has an IPv4 address, and
	// the agent must get there.
	It("S7 has a router-id that is its own, not zero, and the same after every restart, and announces IPv6", func(ctx SpecContext) {
		mayReset("node1", "node3")
		create(ctx, lab.Pool("public", block6), lab.Advertisement("all"))
		podOn(ctx, "node2", "web")
		svc := onlyIPv6.service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)

		without := []string{"node1", "node3"} // one of each release
		for _, name := range without {
			was := site.Node(name).Config().IPv4.String()
			defer func() {
				ctx, cancel := context.WithTimeout(context.Background(), suiteTimeout)
				defer cancel()
				n := site.Node(name).Config()
				setAddresses(ctx, name, n.IPv4, n.IPv6)
				Eventually(ctx, routerIDs).WithArguments(ctx, name).WithTimeout(patience).Should(HaveEach(was), name)
			}()
		}
		ids := map[string]string{}
		for _, name := range without {
			setAddresses(ctx, name, site.Node(name).Config().IPv6)
			Eventually(ctx, routerIDs).WithArguments(ctx, name).WithTimeout(patience).Should(
				HaveEach(And(Not(BeEmpty()), Not(Equal("0.0.0.0")), Not(Equal(site.Node(name).Config().IPv4.String())))), name)
			seen, err := routerIDs(ctx, name)
			Expect(err).NotTo(HaveOccurred())
			Expect(slices.Compact(seen)).To(HaveLen(1), "%s: every router sees the same", name)
			ids[name] = seen[0]
		}
		Expect(ids["node1"]).NotTo(Equal(ids["node3"]))
		expectEverywhere(ctx, addr, allNodes...)

		By("restarting everything")
		before := establishedAt(ctx)
		kill(ctx, containersOf(node.Agent, without...)...)
		kill(ctx, containersOf(node.Reloader, without...)...)
		kill(ctx, containersOf(node.FRR, without...)...)
		for _, name := range without {
			expectNewSessions(ctx, before, name)
		}
		healthy(ctx, without...)
		for name, id := range ids {
			Expect(routerIDs(ctx, name)).To(HaveEach(id), name)
		}
		expectEverywhere(ctx, addr, allNodes...)
	}, SpecTimeout(2*specTimeout))
})

// withLabel selects nodes with a label of any value.
func withLabel(key string) []metav1.LabelSelector {
	return []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: metav1.LabelSelectorOpExists}}}}
}

// onNodes selects nodes by name.
func onNodes(names ...string) []metav1.LabelSelector {
	return []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: corev1.LabelHostname, Operator: metav1.LabelSelectorOpIn, Values: names},
	}}}
}

// makeYoungest makes a router's steady peer over IPv4 anew.
func makeYoungest(ctx context.Context, routerName string) *v1alpha1.BGPPeer {
	GinkgoHelper()
	peer := steadyPeer(routerName, router.IPv4)
	remove(ctx, peer.DeepCopy())
	create(ctx, peer)
	for _, n := range allNodes {
		expectEstablished(ctx, routerName, n)
	}
	return peer
}

// expectAccepted waits for a peer's condition: status and reason in front, and
// what else it says.
func expectAccepted(ctx context.Context, peer *v1alpha1.BGPPeer, begins string, says ...string) {
	GinkgoHelper()
	want := HavePrefix(begins + ":")
	for _, text := range says {
		want = And(want, ContainSubstring(text))
	}
	Eventually(ctx, func() (string, error) {
		var now v1alpha1.BGPPeer
		err := site.API().Get(ctx, crclient.ObjectKeyFromObject(peer), &now)
		return conditionText(now.Status.Conditions, v1alpha1.ConditionAccepted), err
	}).Should(want, peer.Name)
}

// expectRouterIDs waits until a router sees these identifiers of node1, node2 and
// node3 over IPv4; empty: no session.
func expectRouterIDs(ctx context.Context, routerName string, want ...string) {
	GinkgoHelper()
	Eventually(ctx, func() ([]string, error) {
		sessions, err := site.Router(routerName).Sessions(ctx)
		var ids []string
		for _, addr := range site.NodeAddresses(router.IPv4) {
			ids = append(ids, remoteID(sessions[addr]))
		}
		return ids, err
	}).WithTimeout(patience).Should(Equal(want), routerName)
}

// routerIDs are a node's identifiers at each router, over both families.
func routerIDs(ctx context.Context, nodeName string) ([]string, error) {
	var ids []string
	for _, r := range site.Routers() {
		sessions, err := r.Sessions(ctx)
		if err != nil {
			return nil, err
		}
		for _, family := range families {
			ids = append(ids, remoteID(sessions[site.NodeAddresses(family, nodeName)[0]]))
		}
	}
	return ids, nil
}

func remoteID(s router.Session) string {
	if s.State != router.Established {
		return ""
	}
	return s.RemoteID.String()
}

// setAddresses writes a Node's InternalIPs.
func setAddresses(ctx context.Context, nodeName string, addrs ...netip.Addr) {
	GinkgoHelper()
	var obj corev1.Node
	Expect(site.API().Get(ctx, crclient.ObjectKey{Name: nodeName}, &obj)).To(Succeed())
	before := obj.DeepCopy()
	obj.Status.Addresses = nil
	for _, addr := range addrs {
		obj.Status.Addresses = append(obj.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: addr.String()})
	}
	Expect(site.API().Status().Patch(ctx, &obj, crclient.MergeFrom(before))).To(Succeed(), fmt.Sprint(nodeName, addrs))
}

// neighborASN is the AS number that tor-b sees of a node over IPv4, 0 without a
// session.
func neighborASN(ctx context.Context, nodeName string) (uint32, error) {
	s, err := sessionOf(ctx, "tor-b", nodeName, router.IPv4)
	if s.State != router.Established {
		return 0, err
	}
	return s.RemoteASN, err
}

// wantNeighborASN changes which AS number tor-b wants of a node.
func wantNeighborASN(nodeName string, asn uint32) {
	GinkgoHelper()
	tor := site.Router("tor-b")
	config := tor.Config()
	for i := range config.Neighbors {
		if config.Neighbors[i].Address == site.NodeAddresses(router.IPv4, nodeName)[0] {
			config.Neighbors[i].ASN = asn
		}
	}
	Expect(tor.Configure(config)).To(Succeed())
}

// onlyFamily are the sessions over a family's addresses.
func onlyFamily(sessions map[netip.Addr]router.Session, family router.Family) map[netip.Addr]router.Session {
	out := map[netip.Addr]router.Session{}
	for addr, s := range sessions {
		if familyOf(addr) == family {
			out[addr] = s
		}
	}
	return out
}
