package scenarios

import (
	"net/netip"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wire"
)

// One Service goes to each VRF by a prefix of its own, the other by the same one to both.
var _ = Describe("A node that drains and announces in two VRFs", func() {
	// In one order: Ginkgo's processes each make the list of specs, and must agree.
	for _, of := range [][2]frr.Version{{frr.V8_4, frr.V10_3}, {frr.V10_3, frr.V8_4}} {
		first, second := of[0], of[1]
		It("N13 gives each prefix up when another node announces in all VRFs that it goes to: FRR "+string(first), func(ctx SpecContext) {
			const converge = 4 * time.Second
			own := siteOf(ctx, lab.Options{
				Nodes: 2, FRR: second, NodeFRR: map[int]frr.Version{1: first}, VRFs: true, AgentArgs: agentArgs,
				Routers: []lab.RouterOptions{{Name: "tor-a", Make: router.FRR}, {Name: "tor-b", Make: router.BIRD}},
			})
			herald := &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}}
			herald.Spec.Drain.ConvergeTime = &metav1.Duration{Duration: converge}
			herald.Spec.Drain.ConnectionTimeout = &metav1.Duration{}
			inRed := own.Peer("tor-b", router.IPv4)
			inRed.Name, inRed.Spec.VRF = "tor-b-in-red", "red"
			aggregate := advertisement("aggregate", "split", []string{inRed.Name})
			aggregate.Spec.AggregationLength = new(int32(28))
			Expect(own.Create(ctx, herald, own.Peer("tor-a", router.IPv4), inRed,
				lab.Pool("split", "203.0.113.0/28"), advertisement("hosts", "split", []string{"tor-a"}), aggregate,
				lab.Pool("whole", "203.0.113.16/28"), advertisement("whole", "whole", []string{"tor-a", inRed.Name}))).To(Succeed())
			addrs := map[string]netip.Addr{}
			for _, name := range []string{"split", "whole"} {
				for _, n := range []string{"node1", "node2"} {
					_, err := own.AddPod(ctx, n, name+"-"+n, map[string]string{"app": name})
					Expect(err).NotTo(HaveOccurred())
				}
				svc := lab.Service(name)
				svc.Annotations = map[string]string{v1alpha1.AnnotationPool: name}
				Expect(own.Create(ctx, svc)).To(Succeed())
				all, err := own.WaitAddress(ctx, svc)
				Expect(err).NotTo(HaveOccurred())
				addrs[name] = all[0]
			}
			host, whole := lab.HostRoute(addrs["split"]), lab.HostRoute(addrs["whole"])
			wide, pools := netip.MustParsePrefix("203.0.113.0/28"), netip.MustParsePrefix("203.0.113.0/24")
			// hops are the next hops of each prefix of the pools that a router has.
			hops := func(name string) map[netip.Prefix][]netip.Addr {
				GinkgoHelper()
				routes, err := own.Router(name).Routes(ctx, router.IPv4)
				Expect(err).NotTo(HaveOccurred())
				all := map[netip.Prefix][]netip.Addr{}
				for prefix := range routes {
					if pools.Contains(prefix.Addr()) {
						all[prefix] = routes.NextHops(prefix)
					}
				}
				return all
			}
			node1, node2 := own.NodeAddresses(router.IPv4, "node1"), own.NodeAddresses(router.IPv4, "node2")
			both := slices.Concat(node1, node2)
			red1, red2 := own.VRFAddress("node1"), own.VRFAddress("node2")

			By("node1 has the VRF, node2 doesn't")
			Expect(own.AddVRF(ctx, "node1", "red")).To(Succeed())
			Eventually(hops).WithArguments("tor-a").Should(Equal(map[netip.Prefix][]netip.Addr{host: both, whole: both}))
			Eventually(hops).WithArguments("tor-b").Should(Equal(map[netip.Prefix][]netip.Addr{wide: {red1}, whole: {red1}}))
			wires := map[string]*wire.Capture{}
			for _, name := range []string{"tor-a", "tor-b"} {
				var err error
				wires[name], err = own.Capture(name)
				Expect(err).NotTo(HaveOccurred())
				DeferCleanup(wires[name].Close)
			}
			safe := func() (string, error) {
				reported := &v1alpha1.BGPNode{}
				err := own.API().Get(ctx, crclient.ObjectKey{Name: "node1"}, reported)
				return conditionText(reported.Status.Conditions, v1alpha1.ConditionSafeToShutdown), err
			}

			By("node1 drains: it gives up what goes to the default VRF alone, and is the last holder of the rest")
			Expect(own.AnnotateNode(ctx, "node1", map[string]string{v1alpha1.AnnotationDrain: "true"})).To(Succeed())
			Eventually(hops).WithArguments("tor-a").Should(Equal(map[netip.Prefix][]netip.Addr{host: node2, whole: both}))
			const lacks = "node2 has no Established session with tor-b-in-red (kubectl get bgpsessions)"
			Eventually(safe).Should(And(
				HavePrefix("False LastHolder"),
				ContainSubstring("; default/split (%s in VRF red): %s", addrs["split"], lacks),
				ContainSubstring("; default/whole (%s in VRF red): %s", addrs["whole"], lacks)))
			Consistently(hops).WithArguments("tor-b").Should(Equal(map[netip.Prefix][]netip.Addr{wide: {red1}, whole: {red1}}))
			Expect(hops("tor-a")).To(Equal(map[netip.Prefix][]netip.Addr{host: node2, whole: both}))
			Expect(messages(wires["tor-b"], withdraws())).To(BeEmpty())

			By("node2 gets the VRF: node1 gives up the rest when node2 has announced it for as long as routers need")
			Expect(own.AddVRF(ctx, "node2", "red")).To(Succeed())
			Eventually(safe).WithTimeout(patience).Should(HavePrefix("True"))
			Eventually(hops).WithArguments("tor-a").Should(Equal(map[netip.Prefix][]netip.Addr{host: node2, whole: node2}))
			Eventually(hops).WithArguments("tor-b").Should(Equal(map[netip.Prefix][]netip.Addr{wide: {red2}, whole: {red2}}))
			for _, prefix := range []netip.Prefix{wide, whole} {
				taken := messages(wires["tor-b"], func(m wire.Message) bool { return m.From == red2 && announces(prefix)(m) })
				gone := messages(wires["tor-b"], func(m wire.Message) bool { return m.From == red1 && withdraws(prefix)(m) })
				Expect(taken).NotTo(BeEmpty(), "%s", prefix)
				Expect(gone).To(HaveLen(1), "%s", prefix)
				Expect(gone[0].At.Sub(taken[0].At)).To(BeNumerically(">=", converge-time.Second), "node1 withdrew %s too early", prefix)
			}

			By("no session of node1 ended")
			for name, c := range wires {
				Expect(messages(c, func(m wire.Message) bool {
					return opensOrCloses(m) && (m.From == red1 || m.From == node1[0])
				})).To(BeEmpty(), name)
			}
		}, SpecTimeout(2*specTimeout))
	}
})
