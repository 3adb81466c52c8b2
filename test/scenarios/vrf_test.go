package scenarios

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

// The lab's kernel has no VRF device: what is seen here is FRR's configuration and
// what is told. A session in a VRF runs in test/reloader.
var _ = Describe("VRFs", func() {
	It("S12, V4, V5, V14 a peer in another VRF may have address, AS number and router-id that are taken in the default one; nodes without the VRF say so, and nothing else is disturbed", func(ctx SpecContext) {
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)

		twin := steadyPeer("tor-a", router.IPv4)
		twin.Name, twin.Spec.VRF, twin.Spec.MyASN, twin.Spec.RouterID = "tor-a-in-red", "red", 64999, "10.99.0.9"
		create(ctx, twin)
		expectAccepted(ctx, twin, "False "+v1alpha1.ReasonVRFNotFound, `no VRF device "red"`, "ip link add red type vrf", "node1")
		expectAccepted(ctx, steadyPeer("tor-a", router.IPv4), "True "+v1alpha1.ReasonAccepted)
		for _, n := range site.Nodes() {
			Eventually(ctx, sessionInVRF).WithArguments(ctx, n.Name(), twin.Name).Should(And(
				HaveField("VRF", "red"), HaveField("State", v1alpha1.SessionIdle), HaveField("LocalASN", int64(64999)),
				HaveField("LastReset.Reason", `the node has no VRF device "red"`),
			), n.Name())
			Eventually(ctx, func(ctx context.Context) (string, error) {
				return n.Vtysh(ctx, "-c", "show bgp vrf red ipv4 unicast "+lab.HostRoute(addr).String()+" json")
			}).Should(ContainSubstring(`"sourced":true`), n.Name())
		}
		inAllConfigs(ctx, "router bgp 64999 vrf red", true)
		inAllConfigs(ctx, "bgp router-id 10.99.0.9", true)
		expectEverywhere(ctx, addr, allNodes...)

		By("another AS number in the same VRF")
		other := steadyPeer("tor-b", router.IPv4)
		other.Name, other.Spec.VRF = "tor-b-in-red", "red"
		create(ctx, other)
		expectAccepted(ctx, other, "False "+v1alpha1.ReasonASNConflict, `in VRF "red"`, `"tor-a-in-red"`)

		By("the VRF going: FRR keeps its name, and nothing more")
		remove(ctx, twin, other)
		inAllConfigs(ctx, "router bgp 64999", false)
		inAllConfigs(ctx, "10.99.0.9", false)
		Eventually(ctx, bgpSessions).WithArguments(ctx).ShouldNot(ContainElement(HaveField("Spec.Peer", twin.Name)))
		expectEverywhere(ctx, addr, allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))
})

func sessionInVRF(ctx context.Context, nodeName, peer string) (v1alpha1.BGPSessionStatus, error) {
	all, err := bgpSessions(ctx)
	for _, s := range all {
		if s.Spec.Node == nodeName && s.Spec.Peer == peer {
			return s.Status, err
		}
	}
	return v1alpha1.BGPSessionStatus{}, err
}
