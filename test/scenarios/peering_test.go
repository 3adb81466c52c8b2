package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

// These scenarios need routers of other AS numbers and ports than the shared
// site has: each brings up a site of its own, with a node of each FRR release.

var _ = Describe("Peering", func() {
	It("S1 S2 iBGP: each node has its sessions with each make of router over both families, and announces over them", func(ctx SpecContext) {
		l := otherSite(ctx, lab.DefaultNodeASN, 0, "")
		peerWithAll(ctx, l, nil)
		announcedOn(ctx, l)
		checkDynamicASN(ctx, l)
	}, SpecTimeout(2*specTimeout))

	It("S1 S6 eBGP to another port with MD5, over several hops, and from a source address", func(ctx SpecContext) {
		l := otherSite(ctx, lab.DefaultRouterASN, 1790, "s3cret")
		peerWithAll(ctx, l, nil)
		announcedOn(ctx, l)
		checkMultihop(ctx, l)
		checkSource(ctx, l)
	}, SpecTimeout(2*specTimeout))
})

var _ = Describe("Peering in disguise", func() {
	It("S3 S13 routers see localASN and nothing of myASN; TTL security holds at both ends", func(ctx SpecContext) {
		const seen, own = 64999, 4200000000
		routers := lab.DefaultRouters()
		for i := range routers {
			routers[i].TTLSecurity = true
		}
		l := siteOf(ctx, lab.Options{Nodes: 2, NodeASN: seen, NodeFRR: map[int]frr.Version{1: frr.V8_4}, Routers: routers})
		peers := peerWithAll(ctx, l, func(_ int, peer *v1alpha1.BGPPeer) {
			peer.Spec.MyASN, peer.Spec.LocalASN, peer.Spec.TTLSecurityHops = own, seen, ptr.To(int32(1))
		})
		announcedOn(ctx, l)
		paths := func(path ...uint32) {
			GinkgoHelper()
			for _, r := range l.Routers() {
				for _, prefix := range []string{"203.0.113.0/32", "2001:db8:113::/128"} {
					p := netip.MustParsePrefix(prefix)
					Eventually(ctx, func() ([]router.Route, error) {
						routes, err := r.Routes(ctx, router.FamilyOf(p))
						return routes[p], err
					}).Should(And(HaveLen(2), HaveEach(HaveField("ASPath", path))), "%s at %s", p, r.Config().Name)
				}
			}
		}
		paths(seen)
		session := &v1alpha1.BGPSession{}
		Expect(l.API().Get(ctx, crclient.ObjectKey{Name: v1alpha1.SessionName("node1", "tor-b-ipv4")}, session)).To(Succeed())
		Expect(session.Status.LocalASN).To(BeEquivalentTo(seen))

		By("prepending: with the number that is seen")
		updateOn(ctx, l, lab.Advertisement("all"), func(a *v1alpha1.BGPAdvertisement) { a.Spec.ASPathPrepend = ptr.To(int32(1)) })
		paths(seen, seen)

		By("leaving TTL security out on the nodes: the routers drop what comes with another TTL")
		for _, obj := range peers {
			updateOn(ctx, l, obj.(*v1alpha1.BGPPeer), func(peer *v1alpha1.BGPPeer) {
				peer.Spec.TTLSecurityHops = nil
				peer.Spec.HoldTime, peer.Spec.KeepaliveTime = &metav1.Duration{Duration: 3 * time.Second}, &metav1.Duration{Duration: time.Second}
			})
		}
		for _, r := range l.Routers() {
			Eventually(ctx, func(g Gomega) {
				sessions, err := r.Sessions(ctx)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(sessions).NotTo(BeEmpty())
				for addr, session := range sessions {
					g.Expect(session.State).NotTo(Equal(router.Established), "%s with %s", r.Config().Name, addr)
				}
			}).WithTimeout(2 * time.Minute).Should(Succeed())
		}
	}, SpecTimeout(2*specTimeout))
})

// otherSite is a site beside the shared one: two nodes, the first with the older
// FRR, and routers of each make.
func otherSite(ctx context.Context, asn uint32, port uint16, password string) *lab.Lab {
	GinkgoHelper()
	routers := lab.DefaultRouters()
	for i := range routers {
		routers[i].ASN, routers[i].Port, routers[i].Password = asn, port, password
	}
	return siteOf(ctx, lab.Options{Nodes: 2, NodeFRR: map[int]frr.Version{1: frr.V8_4}, Routers: routers})
}

// peerWithAll makes a BGPPeer for each router and family, each changed as given,
// and waits for the sessions.
func peerWithAll(ctx context.Context, l *lab.Lab, change func(routerNumber int, peer *v1alpha1.BGPPeer)) []crclient.Object {
	GinkgoHelper()
	var peers []crclient.Object
	for i, r := range l.Routers() {
		for _, family := range families {
			peer := l.Peer(r.Config().Name, family)
			peer.Name += "-" + string(family)
			if password := r.Config().Neighbors[0].Password; password != "" {
				peer.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: "routers"}
				ensureSecret(ctx, l, "routers", password)
			}
			if change != nil {
				change(i+1, peer)
			}
			peers = append(peers, peer)
		}
	}
	Expect(l.Create(ctx, peers...)).To(Succeed())
	return peers
}

func ensureSecret(ctx context.Context, l *lab.Lab, name, password string) {
	GinkgoHelper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: lab.SecretsNamespace, Name: name},
		Type:       corev1.SecretTypeBasicAuth, StringData: map[string]string{"password": password},
	}
	Expect(crclient.IgnoreAlreadyExists(l.API().Create(ctx, secret))).To(Succeed())
}

// checkDynamicASN lets the nodes take any router of their own AS (S2), then only
// routers of others, which these routers aren't, and back.
func checkDynamicASN(ctx context.Context, l *lab.Lab) {
	GinkgoHelper()
	set := func(dynamic v1alpha1.DynamicASN) {
		GinkgoHelper()
		for _, r := range l.Routers() {
			for _, family := range families {
				peer := l.Peer(r.Config().Name, family)
				peer.Name += "-" + string(family)
				updateOn(ctx, l, peer, func(p *v1alpha1.BGPPeer) { p.Spec.PeerASN, p.Spec.DynamicASN = 0, dynamic })
			}
		}
	}
	By("any router of another AS: none")
	set(v1alpha1.DynamicASNExternal)
	for _, r := range l.Routers() {
		Eventually(ctx, func(g Gomega) {
			sessions, err := r.Sessions(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			for addr, session := range sessions {
				g.Expect(session.State).NotTo(Equal(router.Established), "%s with %s", r.Config().Name, addr)
			}
		}).WithTimeout(wait.Session).Should(Succeed())
	}
	Eventually(ctx, func() (v1alpha1.BGPSessionStatus, error) {
		var session v1alpha1.BGPSession
		err := l.API().Get(ctx, crclient.ObjectKey{Name: v1alpha1.SessionName("node2", "tor-a-ipv4")}, &session)
		return session.Status, err
	}).WithTimeout(wait.Session).Should(HaveField("LastReset", HaveField("Reason", ContainSubstring("Bad Peer AS"))))

	By("any router of the own AS")
	set(v1alpha1.DynamicASNInternal)
	for _, r := range l.Routers() {
		for _, family := range families {
			_, err := l.WaitSettled(ctx, r, family)
			Expect(err).NotTo(HaveOccurred())
		}
		for _, block := range []string{"203.0.113.0/32", "2001:db8:113::/128"} {
			Expect(l.WaitRoutes(ctx, r, netip.MustParsePrefix(block), "node1", "node2")).To(Succeed())
		}
	}
}

// announcedOn announces a dual-stack Service and waits until every router has it
// from both nodes, over sessions that are up.
func announcedOn(ctx context.Context, l *lab.Lab) {
	GinkgoHelper()
	for _, r := range l.Routers() {
		for _, family := range families {
			_, err := l.WaitSettled(ctx, r, family)
			Expect(err).NotTo(HaveOccurred())
		}
	}
	Expect(l.Create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))).To(Succeed())
	_, err := l.AddPod(ctx, "node1", "web", map[string]string{"app": "web"})
	Expect(err).NotTo(HaveOccurred())
	svc := dualStack.service("web")
	Expect(l.Create(ctx, svc)).To(Succeed())
	addrs, err := l.WaitAddress(ctx, svc)
	Expect(err).NotTo(HaveOccurred())
	for _, addr := range addrs {
		for _, r := range l.Routers() {
			Expect(l.WaitRoutes(ctx, r, lab.HostRoute(addr), "node1", "node2")).To(Succeed())
		}
	}
}

// checkMultihop replaces the peers by ones at addresses that no node is on a
// subnet of: nothing without ebgpMultiHop, sessions with it.
func checkMultihop(ctx context.Context, l *lab.Lab) {
	GinkgoHelper()
	By("routers behind another hop")
	deletePeers(ctx, l)
	for i, r := range l.Routers() {
		for _, family := range families {
			far := farAddress(i+1, family)
			Expect(link.Batch(r.Box(), fmt.Sprintf("addr add %s dev lo", lab.HostRoute(far)))).To(Succeed())
			for _, n := range l.Nodes() {
				Expect(link.Batch(n.Box(), fmt.Sprintf("route add %s via %s", lab.HostRoute(far), l.RouterAddress(r.Config().Name, family)))).To(Succeed())
			}
		}
	}
	at := func(multihop bool) func(int, *v1alpha1.BGPPeer) {
		return func(number int, peer *v1alpha1.BGPPeer) {
			address := netip.MustParseAddr(peer.Spec.PeerAddress)
			peer.Spec.PeerAddress = farAddress(number, familyOf(address)).String()
			peer.Spec.EBGPMultiHop = multihop
		}
	}
	// IPv6 is left out here: disable-connected-check lets such a session come up
	// where a router happens to answer from its own subnet.
	peers := peerWithAll(ctx, l, at(false))
	Consistently(ctx, func(g Gomega) {
		for _, r := range l.Routers() {
			g.Expect(establishedWith(ctx, l, r, router.IPv4)).To(BeEmpty(), r.Config().Name)
		}
	}).Should(Succeed())
	Expect(l.Delete(ctx, peers...)).To(Succeed())
	peerWithAll(ctx, l, at(true))
	for _, r := range l.Routers() {
		for _, family := range families {
			_, err := l.WaitSettled(ctx, r, family)
			Expect(err).NotTo(HaveOccurred())
		}
	}
}

// checkSource gives the first node a second address and opens its sessions from
// there.
func checkSource(ctx context.Context, l *lab.Lab) {
	GinkgoHelper()
	By("from a source address")
	deletePeers(ctx, l)
	node := l.Nodes()[0]
	sources := map[router.Family]netip.Addr{router.IPv4: netip.MustParseAddr("10.10.0.61"), router.IPv6: netip.MustParseAddr("fd00:10:10::61")}
	Expect(link.Batch(node.Box(), "addr add 10.10.0.61/24 dev eth0", "addr add fd00:10:10::61/64 dev eth0 nodad")).To(Succeed())
	for _, r := range l.Routers() {
		config := r.Config()
		for _, family := range families {
			neighbor := config.Neighbors[0]
			neighbor.Address = sources[family]
			config.Neighbors = append(config.Neighbors, neighbor)
		}
		Expect(r.Configure(config)).To(Succeed())
	}
	Expect(l.LabelNode(ctx, node.Name(), map[string]string{"source": "own"})).To(Succeed())
	peerWithAll(ctx, l, func(_ int, peer *v1alpha1.BGPPeer) {
		peer.Spec.SourceAddress = sources[familyOf(netip.MustParseAddr(peer.Spec.PeerAddress))].String()
		peer.Spec.NodeSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"source": "own"}}}
	})
	for _, r := range l.Routers() {
		for _, family := range families {
			Eventually(ctx, establishedWith).WithArguments(ctx, l, r, family).Should(ConsistOf(sources[family]), r.Config().Name)
		}
	}
}

func deletePeers(ctx context.Context, l *lab.Lab) {
	GinkgoHelper()
	Expect(l.API().DeleteAllOf(ctx, &v1alpha1.BGPPeer{})).To(Succeed())
	for _, r := range l.Routers() {
		for _, family := range families {
			Eventually(ctx, establishedWith).WithArguments(ctx, l, r, family).Should(BeEmpty(), r.Config().Name)
		}
	}
}

// establishedWith are the neighbors of a family that a router has an established
// session with.
func establishedWith(ctx context.Context, _ *lab.Lab, r router.Router, family router.Family) ([]netip.Addr, error) {
	all, err := r.Sessions(ctx)
	established := []netip.Addr{}
	for addr, session := range all {
		if session.State == router.Established && familyOf(addr) == family {
			established = append(established, addr)
		}
	}
	return established, err
}

// farAddress of router number i is on no subnet of a node.
func farAddress(i int, family router.Family) netip.Addr {
	if family == router.IPv4 {
		return netip.MustParseAddr(fmt.Sprintf("10.99.0.%d", i))
	}
	return netip.MustParseAddr(fmt.Sprintf("fd00:99::%d", i))
}
