package scenarios

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab/wire"
)

var _ = Describe("What drains a node", func() {
	It("N9 an autoscaler's taint, the kubelet's shutdown, and a cordon where it is wanted; each for as long as it lasts", func(ctx SpecContext) {
		const name = "node2"
		herald := drainTimes(ctx, 0, 0)
		addr := announced(ctx, "web")
		object := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		as := func(ctx context.Context, change func(*corev1.Node)) { update(ctx, object, change) }
		taint := func(on bool) func(*corev1.Node) {
			return func(n *corev1.Node) {
				n.Spec.Taints = nil
				if on {
					n.Spec.Taints = []corev1.Taint{{Key: "ToBeDeletedByClusterAutoscaler", Value: "1", Effect: corev1.TaintEffectNoSchedule}}
				}
			}
		}
		cordon := func(on bool) func(*corev1.Node) { return func(n *corev1.Node) { n.Spec.Unschedulable = on } }
		DeferCleanup(func(ctx context.Context) {
			as(ctx, taint(false))
			as(ctx, cordon(false))
			shutDown(ctx, object, false)
		})
		for cause, set := range map[string]func(bool){
			"taint ToBeDeletedByClusterAutoscaler=1:NoSchedule": func(on bool) { as(ctx, taint(on)) },
			"the kubelet's graceful shutdown":                   func(on bool) { shutDown(ctx, object, on) },
		} {
			By(cause)
			set(true)
			expectEverywhere(ctx, addr, without(name)...)
			Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionDraining).Should(And(HavePrefix("True"), ContainSubstring(cause)))
			set(false)
			expectEverywhere(ctx, addr, allNodes...)
		}

		By("a cordon, which isn't wanted")
		as(ctx, cordon(true))
		remains(ctx, addr, absence, allNodes...)
		update(ctx, herald, func(h *v1alpha1.Herald) { h.Spec.Drain.OnCordon = true })
		expectEverywhere(ctx, addr, without(name)...)
		as(ctx, cordon(false))
		expectEverywhere(ctx, addr, allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("N10 the end of FRR's pod: its routes go in order before FRR does, and come back with the next pod", func(ctx SpecContext) {
		const name, converge = "node2", 2 * time.Second
		mayReset(name)
		herald := drainTimes(ctx, converge, 0)
		addr := announced(ctx, "web")
		wires := captures()
		Expect(site.Node(name).ReplaceFRR(ctx, time.Minute)).To(Succeed())
		expectEverywhere(ctx, addr, allNodes...)
		Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionDraining).Should(HavePrefix("False NotDraining"))
		for routerName, c := range wires {
			// Seen before the session's end; the routes are withdrawn by then.
			expectGracefulFirst(c, routerName, name, []netip.Addr{addr}, converge)
		}

		By("where that isn't wanted FRR ends at once")
		update(ctx, herald, func(h *v1alpha1.Herald) { h.Spec.Drain.OnFRRStop = new(false) })
		setConverge(ctx, herald, longConverge)
		graces := func() (count int) {
			for _, c := range wires {
				count += len(messages(c, func(m wire.Message) bool { return slices.Contains(m.Communities, gracefulOnWire) }))
			}
			return count
		}
		before := graces()
		Expect(site.Node(name).ReplaceFRR(ctx, longConverge)).To(Succeed())
		expectEverywhere(ctx, addr, allNodes...)
		Expect(graces()).To(Equal(before), "nobody was told to prefer other nodes")
	}, SpecTimeout(specTimeout))
})

// shutDown has a Node say what its kubelet says when it shuts down, or that it is
// Ready.
func shutDown(ctx context.Context, node *corev1.Node, on bool) {
	GinkgoHelper()
	Expect(site.API().Get(ctx, crclient.ObjectKeyFromObject(node), node)).To(Succeed())
	before := node.DeepCopy()
	for i := range node.Status.Conditions {
		if c := &node.Status.Conditions[i]; c.Type == corev1.NodeReady {
			c.Status, c.Reason, c.Message = corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"
			if on {
				c.Status, c.Reason, c.Message = corev1.ConditionFalse, "KubeletNotReady", "node is shutting down"
			}
			c.LastHeartbeatTime = metav1.NewTime(time.Now())
		}
	}
	Expect(strings.Contains(node.Status.String(), "node is shutting down")).To(Equal(on), "the Node has a condition Ready")
	Expect(site.API().Status().Patch(ctx, node, crclient.MergeFrom(before))).To(Succeed())
}
