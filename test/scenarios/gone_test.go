package scenarios

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("What is gone", func() {
	It("R9 a node: its objects and its routes go, the other node's stay", func(ctx SpecContext) {
		l := siteOf(ctx, lab.Options{Nodes: 2, Routers: []lab.RouterOptions{{Name: "tor-a", Make: router.FRR}}})
		tor := l.Router("tor-a")
		peer := l.Peer("tor-a", router.IPv4)
		peer.Spec.HoldTime, peer.Spec.KeepaliveTime = &metav1.Duration{Duration: 6 * time.Second}, &metav1.Duration{Duration: 2 * time.Second}
		svc := lab.Service("web")
		Expect(l.Create(ctx, lab.Pool("public", block4), lab.Advertisement("all"), peer, svc)).To(Succeed())
		_, err := l.AddPod(ctx, "node1", "web-1", map[string]string{"app": "web"})
		Expect(err).NotTo(HaveOccurred())
		addresses, err := l.WaitAddress(ctx, svc)
		Expect(err).NotTo(HaveOccurred())
		prefix := lab.HostRoute(addresses[0])
		Expect(l.WaitRoutes(ctx, tor, prefix, "node1", "node2")).To(Succeed())
		Eventually(ctx, nodesOf).WithArguments(ctx, l).Should(ConsistOf("BGPNode node1", "BGPNode node2", "BGPSession node1", "BGPSession node2"))

		l.Node("node2").Crash()
		Expect(l.API().Delete(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node2"}})).To(Succeed())
		Eventually(ctx, nodesOf).WithArguments(ctx, l).Should(ConsistOf("BGPNode node1", "BGPSession node1"))
		Eventually(ctx, func() (v1alpha1.BGPPeerStatus, error) {
			err := l.API().Get(ctx, crclient.ObjectKeyFromObject(peer), peer)
			return peer.Status, err
		}).Should(And(HaveField("NodesSelected", BeEquivalentTo(1)), HaveField("NodesEstablished", BeEquivalentTo(1))))
		Expect(l.WaitRoutes(ctx, tor, prefix, "node1")).To(Succeed())

		By("explain, of a Node without an agent, and of a Service that asks for no address")
		Expect(l.API().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node2"}})).To(Succeed())
		expectExplainedOf(ctx, l, "web", map[string]string{"node1": "Announced", "node2": "Unknown " + explain.ReasonNotReported})
		inside := lab.Service("inside")
		inside.Spec.Type, inside.Spec.ExternalTrafficPolicy = corev1.ServiceTypeClusterIP, ""
		Expect(l.Create(ctx, inside)).To(Succeed())
		expectNoNodeAsked(ctx, l, "inside", explain.ReasonNotLoadBalancer)
	}, SpecTimeout(specTimeout))

	It("M4 an address: a pool's counters follow what Services hold, and the routers agree", func(ctx SpecContext) {
		public := lab.Pool("public", "203.0.113.0/30", "2001:db8:113::/64")
		create(ctx, public, lab.Advertisement("all"))
		counters := func() (v1alpha1.IPAddressPoolStatus, error) {
			err := site.API().Get(ctx, crclient.ObjectKeyFromObject(public), public)
			return public.Status, err
		}
		expect := func(v4, v6 v1alpha1.AddressCount) {
			GinkgoHelper()
			Eventually(ctx, counters).Should(And(HaveField("IPv4", HaveValue(Equal(v4))), HaveField("IPv6", HaveValue(Equal(v6)))))
		}
		const whole = "18446744073709551616" // 2^64
		expect(v1alpha1.AddressCount{Total: "4", Assigned: "0", Free: "4"}, v1alpha1.AddressCount{Total: whole, Assigned: "0", Free: whole})

		web, both := lab.Service("web"), dualStack.service("both")
		podOn(ctx, "node1", "web")
		podOn(ctx, "node2", "both")
		create(ctx, web, both)
		for _, addr := range append(addressesOf(ctx, both), addressOf(ctx, web)) {
			expectEverywhere(ctx, addr, allNodes...)
		}
		expect(v1alpha1.AddressCount{Total: "4", Assigned: "2", Free: "2"}, v1alpha1.AddressCount{Total: whole, Assigned: "1", Free: "18446744073709551615"})

		By("taking a Service and a part of the pool away")
		gone := addressOf(ctx, web)
		remove(ctx, web)
		update(ctx, public, func(p *v1alpha1.IPAddressPool) { p.Spec.Exclude = []v1alpha1.AddressBlock{"203.0.113.3/32"} })
		expectEverywhere(ctx, gone)
		expect(v1alpha1.AddressCount{Total: "3", Assigned: "1", Free: "2"}, v1alpha1.AddressCount{Total: whole, Assigned: "1", Free: "18446744073709551615"})
	}, SpecTimeout(specTimeout))
})

// nodesOf are the objects that agents write, each with its node.
func nodesOf(ctx context.Context, l *lab.Lab) ([]string, error) {
	var nodes v1alpha1.BGPNodeList
	var sessions v1alpha1.BGPSessionList
	if err := l.API().List(ctx, &nodes); err != nil {
		return nil, err
	}
	if err := l.API().List(ctx, &sessions); err != nil {
		return nil, err
	}
	var all []string
	for _, n := range nodes.Items {
		all = append(all, "BGPNode "+n.Name)
	}
	for _, s := range sessions.Items {
		all = append(all, "BGPSession "+s.Spec.Node)
	}
	return all, nil
}
