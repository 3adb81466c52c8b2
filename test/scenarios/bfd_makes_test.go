package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/router"
)

// quick is less than what is left of the hold time of 30 s after a keepalive, one each
// 10 s: only BFD is as fast as that.
const quick = 15 * time.Second

// lenient is a profile by which a path is down after 3 s, as at the routers.
func lenient(name string) *v1alpha1.BFDProfile {
	return &v1alpha1.BFDProfile{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.BFDProfileSpec{DetectMultiplier: ptr.To(int32(router.BFDMultiplier))},
	}
}

// FRR and BIRD run BFD; GoBGP has none. A node of each release, on a site of
// their own.
var _ = Describe("BFD with each make that has it", func() {
	It("B1 B2 B3 S8 is added, is up at both ends over both families, sends echoes, may be passive beside an active end, takes sessions down in time, and is removed", func(ctx SpecContext) {
		l := bfdSite(ctx)
		profile := lenient("fast")
		Expect(l.Create(ctx, profile)).To(Succeed())
		peers := peerWithAll(ctx, l, nil)
		before := waitAllEstablished(ctx, l)
		unchanged := func() {
			GinkgoHelper()
			for _, r := range l.Routers() {
				Expect(lab.CheckNoReset(ctx, r, before[r.Config().Name])).To(Succeed())
			}
		}

		By("adding it to live sessions")
		setBFD(l, true)
		setProfile(ctx, l, peers, "fast")
		expectPaths(ctx, l, "up")
		for _, obj := range peers {
			for _, n := range l.Nodes() {
				Eventually(ctx, bfdOf).WithArguments(ctx, l, n.Name(), obj.GetName()).Should(Equal(v1alpha1.BFDUp), "%s %s", n.Name(), obj.GetName())
			}
		}
		unchanged()

		By("sending echoes, to a router that takes them")
		tor := l.Router("tor-a")
		countEchoes(ctx, tor)
		echo := lenient("echo")
		echo.Spec.EchoMode, echo.Spec.EchoInterval = true, ptr.To(int32(300))
		Expect(l.Create(ctx, echo)).To(Succeed())
		setProfile(ctx, l, peers, "echo")
		for _, addr := range l.NodeAddresses(router.IPv4) {
			Eventually(ctx, echoesFrom).WithArguments(ctx, tor, addr).Should(BeTrue(), "%s", addr)
		}
		for _, obj := range peers { // over IPv6 without
			want := "True Accepted: "
			if familyOf(netip.MustParseAddr(obj.(*v1alpha1.BGPPeer).Spec.PeerAddress)) == router.IPv6 {
				want = "True NoEffect: spec.bfdProfile: echoMode"
			}
			Eventually(ctx, func() (string, error) {
				err := l.API().Get(ctx, crclient.ObjectKeyFromObject(obj), obj)
				return conditionText(obj.(*v1alpha1.BGPPeer).Status.Conditions, v1alpha1.ConditionAccepted), err
			}).Should(HavePrefix(want), obj.GetName())
		}
		expectPaths(ctx, l, "up")
		unchanged()
		setProfile(ctx, l, peers, "fast")
		expectPaths(ctx, l, "up")
		unchanged()

		By("waiting for the router's first packet")
		updateOn(ctx, l, profile, func(p *v1alpha1.BFDProfile) { p.Spec.PassiveMode = true })
		for _, n := range l.Nodes() {
			Eventually(ctx, n.Vtysh).WithArguments(ctx, "-c", "show running-config").Should(ContainSubstring("passive-mode"), n.Name())
		}
		unchanged()

		By("cutting the path of node2")
		Expect(l.SetCable("node2", false)).To(Succeed())
		node2 := append(l.NodeAddresses(router.IPv4, "node2"), l.NodeAddresses(router.IPv6, "node2")...)
		for _, r := range l.Routers() {
			for _, addr := range node2 {
				Eventually(ctx, stateOf).WithArguments(ctx, r, addr).WithTimeout(quick).ShouldNot(Equal(router.Established), "%s %s", r.Config().Name, addr)
			}
		}
		for _, r := range l.Routers() {
			for _, addr := range node2 {
				Eventually(ctx, pathTo).WithArguments(ctx, r, addr).ShouldNot(Equal("up"), "%s %s", r.Config().Name, addr)
			}
		}
		Expect(l.SetCable("node2", true)).To(Succeed())
		expectPaths(ctx, l, "up")
		waitAllEstablished(ctx, l)

		By("removing it: once the sessions are back, a cut that is mended within the hold time harms none")
		setProfile(ctx, l, peers, "")
		setBFD(l, false)
		for _, obj := range peers {
			for _, n := range l.Nodes() {
				Eventually(ctx, bfdOf).WithArguments(ctx, l, n.Name(), obj.GetName()).Should(BeEmpty(), "%s %s", n.Name(), obj.GetName())
			}
		}
		before = waitAllEstablished(ctx, l)
		Expect(l.SetCable("node2", false)).To(Succeed())
		for _, r := range l.Routers() {
			Consistently(ctx, stateOf).WithArguments(ctx, r, node2[0]).Should(Equal(router.Established), r.Config().Name)
		}
		Expect(l.SetCable("node2", true)).To(Succeed())
		unchanged()
	}, SpecTimeout(2*specTimeout))

	It("B2 B3 works over several hops, where packets need the least TTL", func(ctx SpecContext) {
		l := bfdSite(ctx)
		Expect(l.Create(ctx, &v1alpha1.BFDProfile{ObjectMeta: metav1.ObjectMeta{Name: "far"}})).To(Succeed())
		for i, r := range l.Routers() {
			moveAway(l, r, farAddress(i+1, router.IPv4))
		}
		for _, n := range l.Nodes() {
			Expect(l.LabelNode(ctx, n.Name(), map[string]string{"far": n.Name()})).To(Succeed())
			for _, r := range l.Routers() {
				peer := l.Peer(r.Config().Name, router.IPv4)
				peer.Name += "." + n.Name()
				peer.Spec.PeerAddress, peer.Spec.EBGPMultiHop, peer.Spec.BFDProfile = r.Config().Far.String(), true, "far"
				peer.Spec.SourceAddress = l.NodeAddresses(router.IPv4, n.Name())[0].String()
				peer.Spec.NodeSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"far": n.Name()}}}
				Expect(l.Create(ctx, peer)).To(Succeed())
			}
		}
		expectFar(ctx, l)

		By("letting packets arrive from farther away")
		for _, r := range l.Routers() {
			_, err := r.Box().Run(ctx, "nft", "add table ip far; add chain ip far out { type filter hook output priority 0; }; "+
				"add rule ip far out udp dport 4784 ip ttl set 200")
			Expect(err).NotTo(HaveOccurred())
		}
		expectFar(ctx, l)
		profile := &v1alpha1.BFDProfile{ObjectMeta: metav1.ObjectMeta{Name: "far"}}
		updateOn(ctx, l, profile, func(p *v1alpha1.BFDProfile) { p.Spec.MinimumTTL = ptr.To(int32(201)) })
		for _, r := range l.Routers() {
			for _, addr := range l.NodeAddresses(router.IPv4) {
				Eventually(ctx, pathTo).WithArguments(ctx, r, addr).WithTimeout(patience).ShouldNot(Equal("up"), "%s %s", r.Config().Name, addr)
			}
		}
		updateOn(ctx, l, profile, func(p *v1alpha1.BFDProfile) { p.Spec.MinimumTTL = ptr.To(int32(200)) })
		expectFar(ctx, l)
	}, SpecTimeout(2*specTimeout))
})

// moveAway lets a router speak, with BFD, from an address that no node is on a
// subnet of.
func moveAway(l *lab.Lab, r router.Router, far netip.Addr) {
	GinkgoHelper()
	Expect(link.Batch(r.Box(), fmt.Sprintf("addr add %s dev lo", lab.HostRoute(far)))).To(Succeed())
	c := r.Config()
	for _, n := range l.Nodes() {
		Expect(link.Batch(n.Box(), fmt.Sprintf("route add %s via %s", lab.HostRoute(far), l.RouterAddress(c.Name, router.IPv4)))).To(Succeed())
	}
	c.Far, c.BFD = far, true
	Expect(r.Configure(c)).To(Succeed())
}

// expectFar waits for the sessions over several hops, and BFD at both ends.
func expectFar(ctx context.Context, l *lab.Lab) {
	GinkgoHelper()
	for _, r := range l.Routers() {
		for _, n := range l.Nodes() {
			addr := l.NodeAddresses(router.IPv4, n.Name())[0]
			about := fmt.Sprintf("%s %s", r.Config().Name, n.Name())
			Eventually(ctx, pathTo).WithArguments(ctx, r, addr).WithTimeout(patience).Should(Equal("up"), about)
			Eventually(ctx, stateOf).WithArguments(ctx, r, addr).WithTimeout(patience).Should(Equal(router.Established), about)
			name := l.Peer(r.Config().Name, router.IPv4).Name + "." + n.Name()
			Eventually(ctx, bfdOf).WithArguments(ctx, l, n.Name(), name).WithTimeout(patience).Should(Equal(v1alpha1.BFDUp), about)
		}
	}
}

// bfdSite has a node of each release, and the makes of routers that have BFD.
func bfdSite(ctx context.Context) *lab.Lab {
	GinkgoHelper()
	var routers []lab.RouterOptions
	for _, o := range lab.DefaultRouters() {
		if o.Make != router.GoBGP {
			routers = append(routers, o)
		}
	}
	return siteOf(ctx, lab.Options{Nodes: 2, NodeFRR: map[int]frr.Version{1: frr.V8_4}, Routers: routers})
}

// setBFD switches BFD at the routers.
func setBFD(l *lab.Lab, on bool) {
	GinkgoHelper()
	for _, r := range l.Routers() {
		c := r.Config()
		c.BFD = on
		Expect(r.Configure(c)).To(Succeed())
	}
}

// setProfile gives peers another BFDProfile, or none.
func setProfile(ctx context.Context, l *lab.Lab, peers []crclient.Object, name string) {
	GinkgoHelper()
	for _, obj := range peers {
		updateOn(ctx, l, obj.(*v1alpha1.BGPPeer), func(p *v1alpha1.BGPPeer) { p.Spec.BFDProfile = name })
	}
}

// updateOn is update on another site.
func updateOn[T crclient.Object](ctx context.Context, l *lab.Lab, obj T, change func(T)) {
	GinkgoHelper()
	Expect(l.API().Get(ctx, crclient.ObjectKeyFromObject(obj), obj)).To(Succeed())
	before := obj.DeepCopyObject().(T)
	change(obj)
	Expect(l.API().Patch(ctx, obj, crclient.MergeFrom(before))).To(Succeed())
}

// waitAllEstablished waits for every session of a site, by router.
func waitAllEstablished(ctx context.Context, l *lab.Lab) map[string]map[netip.Addr]router.Session {
	GinkgoHelper()
	all := map[string]map[netip.Addr]router.Session{}
	for _, r := range l.Routers() {
		all[r.Config().Name] = map[netip.Addr]router.Session{}
		for _, family := range families {
			for _, addr := range l.NodeAddresses(family) {
				Eventually(ctx, stateOf).WithArguments(ctx, r, addr).WithTimeout(patience).Should(Equal(router.Established), "%s %s", r.Config().Name, addr)
			}
			established, err := l.WaitSettled(ctx, r, family)
			Expect(err).NotTo(HaveOccurred())
			for addr, s := range established {
				all[r.Config().Name][addr] = s
			}
		}
	}
	return all
}

// expectPaths waits until every router says this of every path.
func expectPaths(ctx context.Context, l *lab.Lab, state string) {
	GinkgoHelper()
	for _, r := range l.Routers() {
		for _, family := range families {
			for _, addr := range l.NodeAddresses(family) {
				Eventually(ctx, pathTo).WithArguments(ctx, r, addr).WithTimeout(patience).Should(Equal(state), "%s %s", r.Config().Name, addr)
			}
		}
	}
}

func pathTo(ctx context.Context, r router.Router, addr netip.Addr) (string, error) {
	paths, err := r.BFDPaths(ctx)
	return paths[addr], err
}

func stateOf(ctx context.Context, r router.Router, addr netip.Addr) (string, error) {
	sessions, err := r.Sessions(ctx)
	return sessions[addr].State, err
}

// bfdOf is the state in a BGPSession of a site.
func bfdOf(ctx context.Context, l *lab.Lab, nodeName, peer string) (v1alpha1.BFDState, error) {
	var session v1alpha1.BGPSession
	err := l.API().Get(ctx, crclient.ObjectKey{Name: v1alpha1.SessionName(nodeName, peer)}, &session)
	if err != nil || session.Status.BFD == nil {
		return "", err
	}
	return session.Status.BFD.State, nil
}

// countEchoes lets a router's kernel remember who sends it echo packets (RFC 5881
// section 4: UDP port 3785).
func countEchoes(ctx context.Context, r router.Router) {
	GinkgoHelper()
	_, err := r.Box().Run(ctx, "nft", "add table ip echo; add set ip echo seen { type ipv4_addr; flags dynamic; }; "+
		"add chain ip echo in { type filter hook prerouting priority -300; }; add rule ip echo in udp dport 3785 add @seen { ip saddr }")
	Expect(err).NotTo(HaveOccurred())
}

func echoesFrom(ctx context.Context, r router.Router, addr netip.Addr) (bool, error) {
	out, err := r.Box().Run(ctx, "nft", "list", "set", "ip", "echo", "seen")
	_, elements, _ := strings.Cut(out, "elements")
	return strings.Contains(elements, addr.String()), err
}
