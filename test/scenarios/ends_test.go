package scenarios

import (
	"context"
	"fmt"
	"net/netip"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

// fabric is a site of two nodes, one of each release of FRR, where each node is
// in an AS of its own, has addresses of its own and a link of its own to a router:
// node1 to tor-a, node2 to tor-b.
type fabric struct{ *lab.Lab }

// Labels, annotations and addresses of the fabric.
const (
	labelASN      = "scenario/asn"
	annotationToR = "scenario/tor"
	linkName      = "p2p0"
	sourceCIDR    = "10.10.0.56/29"
	loopbackCIDR  = "10.77.0.0/24"
)

func asnOf(number int) uint32 { return uint32(64600 + number) }

func linkEnd(number, end int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf("10.50.%d.%d/31", number, end))
}

func secondAddress(number int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("10.10.0.%d", 60+number))
}

func loopback(number int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("10.77.0.%d", number)) }

func newFabric(ctx context.Context) *fabric {
	GinkgoHelper()
	f := &fabric{siteOf(ctx, lab.Options{Nodes: 2, NodeFRR: map[int]frr.Version{1: frr.V8_4}, AgentArgs: agentArgs})}
	for i, n := range f.Nodes() {
		number := i + 1
		Expect(link.Batch(n.Box(), fmt.Sprintf("addr add %s/24 dev eth0", secondAddress(number)), fmt.Sprintf("addr add %s/32 dev lo", loopback(number)))).To(Succeed())
		f.connect(number)
		Expect(f.LabelNode(ctx, n.Name(), map[string]string{labelASN: fmt.Sprint(asnOf(number))})).To(Succeed())
		Expect(f.AnnotateNode(ctx, n.Name(), map[string]string{annotationToR: f.RouterAddress(f.torOf(number).Config().Name, router.IPv6).String()})).To(Succeed())
	}
	for _, r := range f.Routers() {
		config := r.Config()
		config.Neighbors = nil
		for i, n := range f.Nodes() {
			for _, addr := range []netip.Addr{n.Config().IPv4, n.Config().IPv6, secondAddress(i + 1), linkEnd(i+1, 0).Addr()} {
				config.Neighbors = append(config.Neighbors, router.Neighbor{Address: addr, ASN: asnOf(i + 1)})
			}
		}
		Expect(r.Configure(config)).To(Succeed())
	}
	return f
}

// torOf is the router that a node has a link of its own to.
func (f *fabric) torOf(number int) router.Router { return f.Routers()[number-1] }

func (f *fabric) connect(number int) {
	GinkgoHelper()
	Expect(link.Connect(
		link.End{Box: f.Nodes()[number-1].Box(), Name: linkName, Addresses: []netip.Prefix{linkEnd(number, 0)}},
		link.End{Box: f.torOf(number).Box(), Name: linkName, Addresses: []netip.Prefix{linkEnd(number, 1)}})).To(Succeed())
}

// peer takes the AS number from each node's label; the rest is up to change.
func (f *fabric) peer(name string, change func(*v1alpha1.BGPPeerSpec)) *v1alpha1.BGPPeer {
	peer := f.Peer("tor-c", router.IPv4)
	peer.Name = name
	peer.Spec.MyASN, peer.Spec.MyASNFrom = 0, &v1alpha1.NodeValueSource{NodeLabel: labelASN}
	change(&peer.Spec)
	return peer
}

// seen waits until a router has a session with an address, and from whom: the
// AS number and identifier; 0: it has none.
func (f *fabric) seen(ctx context.Context, r router.Router, addr netip.Addr, asn uint32, id netip.Addr) {
	GinkgoHelper()
	type end struct {
		ASN uint32
		ID  netip.Addr
	}
	Eventually(ctx, func() (end, error) {
		sessions, err := r.Sessions(ctx)
		if sessions[addr].State != router.Established {
			return end{}, err
		}
		return end{sessions[addr].RemoteASN, sessions[addr].RemoteID}, err
	}).WithTimeout(patience).Should(Equal(end{asn, id}), "%s with %s", r.Config().Name, addr)
}

// accepted waits for a peer's condition.
func (f *fabric) accepted(ctx context.Context, peer *v1alpha1.BGPPeer, begins string, says ...string) {
	GinkgoHelper()
	want := HavePrefix(begins + ":")
	for _, text := range says {
		want = And(want, ContainSubstring(text))
	}
	Eventually(ctx, func() (string, error) {
		var now v1alpha1.BGPPeer
		err := f.API().Get(ctx, crclient.ObjectKeyFromObject(peer), &now)
		return conditionText(now.Status.Conditions, v1alpha1.ConditionAccepted), err
	}).Should(want, peer.Name)
}

// sessionsOf are all established sessions of the routers with a node.
func (f *fabric) sessionsOf(ctx context.Context, number int) map[router.Router]map[netip.Addr]router.Session {
	GinkgoHelper()
	all := map[router.Router]map[netip.Addr]router.Session{}
	for _, r := range f.Routers() {
		sessions, err := r.Sessions(ctx)
		Expect(err).NotTo(HaveOccurred())
		all[r] = map[netip.Addr]router.Session{}
		for addr, session := range sessions {
			if session.State == router.Established && session.RemoteASN == asnOf(number) {
				all[r][addr] = session
			}
		}
	}
	return all
}

func (f *fabric) keeps(ctx context.Context, before map[router.Router]map[netip.Addr]router.Session) {
	GinkgoHelper()
	for r, sessions := range before {
		Expect(lab.CheckNoReset(ctx, r, sessions)).To(Succeed())
	}
}

var _ = Describe("Ends of sessions", func() {
	It("S4 S14 N1 N3 each node has its AS number, addresses and router-id from its label, annotation, interface and CIDR, or its gateway for router, and follows them", func(ctx SpecContext) {
		f := newFabric(ctx)
		none := netip.Addr{}
		node1, node2 := f.Nodes()[0].Config(), f.Nodes()[1].Config()
		torC := f.Router("tor-c")
		annotated := f.peer("annotated", func(s *v1alpha1.BGPPeerSpec) {
			s.PeerAddress, s.PeerAddressFrom = "", &v1alpha1.NodeAddressSource{NodeAnnotation: annotationToR}
			s.SourceAddressFrom = &v1alpha1.NodeAddressSource{Interface: "eth0"}
			s.RouterIDFrom = &v1alpha1.NodeAddressSource{CIDR: loopbackCIDR}
		})
		linked := f.peer("linked", func(s *v1alpha1.BGPPeerSpec) {
			s.PeerAddress, s.PeerAddressFrom = "", &v1alpha1.NodeAddressSource{Interface: linkName}
		})
		inCIDR := f.peer("in-cidr", func(s *v1alpha1.BGPPeerSpec) { s.SourceAddressFrom = &v1alpha1.NodeAddressSource{CIDR: sourceCIDR} })
		Expect(f.Create(ctx, annotated, linked, inCIDR)).To(Succeed())
		for i, n := range []node.Config{node1, node2} {
			f.seen(ctx, f.torOf(i+1), n.IPv6, asnOf(i+1), loopback(i+1))
			f.seen(ctx, f.torOf(i+1), linkEnd(i+1, 0).Addr(), asnOf(i+1), loopback(i+1))
			f.seen(ctx, torC, secondAddress(i+1), asnOf(i+1), loopback(i+1))
		}
		for _, peer := range []*v1alpha1.BGPPeer{annotated, linked, inCIDR} {
			f.accepted(ctx, peer, "True "+v1alpha1.ReasonAccepted)
		}

		By("what no peer names: nothing is applied, no session notices")
		sessions1, sessions2 := f.sessionsOf(ctx, 1), f.sessionsOf(ctx, 2)
		applied := func() []*report.Apply {
			GinkgoHelper()
			var all []*report.Apply
			for _, n := range f.Nodes() {
				last, err := lastApplyOn(n)
				Expect(err).NotTo(HaveOccurred())
				all = append(all, last)
			}
			return all
		}
		before := applied()
		Expect(f.LabelNode(ctx, "node1", map[string]string{"scenario/other": "1"})).To(Succeed())
		Expect(f.AnnotateNode(ctx, "node1", map[string]string{"scenario/other": "1", labelASN: "7"})).To(Succeed())
		Expect(link.Batch(f.Node("node1").Box(), "link add other0 type bridge", "addr add 10.88.0.1/24 dev other0", "link set other0 up")).To(Succeed())
		Consistently(ctx, applied).Should(Equal(before))
		f.keeps(ctx, sessions1)

		By("a label that goes: no session of this node, the other one doesn't notice")
		Expect(f.LabelNode(ctx, "node1", map[string]string{labelASN: ""})).To(Succeed())
		f.accepted(ctx, inCIDR, "True "+v1alpha1.ReasonPartiallyAccepted, "node1", labelASN, "kubectl label")
		f.seen(ctx, torC, secondAddress(1), 0, none)
		f.seen(ctx, f.torOf(1), node1.IPv6, 0, none)
		Expect(f.LabelNode(ctx, "node1", map[string]string{labelASN: "sixty"})).To(Succeed())
		f.accepted(ctx, inCIDR, "True "+v1alpha1.ReasonPartiallyAccepted, "node1", labelASN, `"sixty"`)
		Expect(f.LabelNode(ctx, "node1", map[string]string{labelASN: fmt.Sprint(asnOf(1))})).To(Succeed())
		f.seen(ctx, torC, secondAddress(1), asnOf(1), loopback(1))
		f.seen(ctx, f.torOf(1), node1.IPv6, asnOf(1), loopback(1))
		f.accepted(ctx, inCIDR, "True "+v1alpha1.ReasonAccepted)

		By("an annotation that changes: another router")
		Expect(f.AnnotateNode(ctx, "node1", map[string]string{annotationToR: f.RouterAddress("tor-b", router.IPv6).String()})).To(Succeed())
		f.seen(ctx, f.Router("tor-b"), node1.IPv6, asnOf(1), loopback(1))
		f.seen(ctx, f.Router("tor-a"), node1.IPv6, 0, none)

		By("an interface that goes and comes back")
		link.Remove(f.Node("node1").Box(), linkName)
		f.accepted(ctx, linked, "True "+v1alpha1.ReasonPartiallyAccepted, "node1", linkName)
		f.seen(ctx, f.Router("tor-a"), linkEnd(1, 0).Addr(), 0, none)
		f.connect(1)
		f.seen(ctx, f.Router("tor-a"), linkEnd(1, 0).Addr(), asnOf(1), loopback(1))
		f.accepted(ctx, linked, "True "+v1alpha1.ReasonAccepted)
		f.keeps(ctx, sessions2)

		By("an address that changes: another identifier")
		Expect(link.Batch(f.Node("node2").Box(), fmt.Sprintf("addr del %s/32 dev lo", loopback(2)), fmt.Sprintf("addr add %s/32 dev lo", loopback(22)))).To(Succeed())
		f.seen(ctx, f.Router("tor-b"), node2.IPv6, asnOf(2), loopback(22))

		checkGateway(ctx, f)
	}, SpecTimeout(3*specTimeout))
})

// checkGateway replaces the peers by the nodes' default gateways, which are tor-a
// at first, and lets those of node1 change.
func checkGateway(ctx context.Context, f *fabric) {
	GinkgoHelper()
	By("default gateways")
	deletePeers(ctx, f.Lab)
	peers := map[router.Family]*v1alpha1.BGPPeer{}
	for _, family := range families {
		peers[family] = f.peer("gateway-"+string(family), func(s *v1alpha1.BGPPeerSpec) {
			s.PeerAddress, s.DefaultGateway = "", v1alpha1.GatewayFamily(family)
		})
		Expect(f.Create(ctx, peers[family])).To(Succeed())
	}
	torA, torB, none := f.Router("tor-a"), f.Router("tor-b"), netip.Addr{}
	own := func(number int, family router.Family) netip.Addr {
		return f.NodeAddresses(family, fmt.Sprint("node", number))[0]
	}
	id := func(number int) netip.Addr { return own(number, router.IPv4) }
	for _, family := range families {
		for number := range 2 {
			f.seen(ctx, torA, own(number+1, family), asnOf(number+1), id(number+1))
		}
		f.accepted(ctx, peers[family], "True "+v1alpha1.ReasonAccepted)
	}
	sessions2 := f.sessionsOf(ctx, 2)
	everything := map[router.Family]string{router.IPv4: "0.0.0.0/0", router.IPv6: "::/0"}
	for _, family := range families {
		By("another gateway, then none, over " + string(family))
		route := func(verb, via string) {
			GinkgoHelper()
			Expect(link.Batch(f.Node("node1").Box(), "route "+verb+" "+everything[family]+" via "+f.RouterAddress(via, family).String())).To(Succeed())
		}
		// Not "replace": of IPv6 routes that leaves both.
		route("del", "tor-a")
		f.seen(ctx, torA, own(1, family), 0, none)
		f.accepted(ctx, peers[family], "True "+v1alpha1.ReasonPartiallyAccepted, "node1", "default route")
		route("add", "tor-b")
		f.seen(ctx, torB, own(1, family), asnOf(1), id(1))
		f.accepted(ctx, peers[family], "True "+v1alpha1.ReasonAccepted)
	}
	f.keeps(ctx, sessions2)

	By("a Service: the routers have it, and explain says that only the nodes know to whom they announce it")
	svc := lab.Service("web")
	Expect(f.Create(ctx, lab.Pool("public", block4), lab.Advertisement("all"), svc)).To(Succeed())
	_, err := f.AddPod(ctx, "node1", "web-1", map[string]string{"app": "web"})
	Expect(err).NotTo(HaveOccurred())
	addrs, err := f.WaitAddress(ctx, svc)
	Expect(err).NotTo(HaveOccurred())
	Expect(f.WaitRoutes(ctx, torB, lab.HostRoute(addrs[0]), "node1")).To(Succeed())
	Expect(f.WaitRoutes(ctx, torA, lab.HostRoute(addrs[0]), "node2")).To(Succeed())
	unknown := string(explain.Unknown) + " " + explain.ReasonOnlyNodeKnows
	expectExplainedOf(ctx, f.Lab, "web", map[string]string{"node1": unknown, "node2": unknown})
}
