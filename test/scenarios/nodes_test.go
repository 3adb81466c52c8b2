package scenarios

import (
	"context"
	"net/netip"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
)

var _ = Describe("Nodes", func() {
	It("N2 an excluded node and one without network announce nothing and keep their sessions; others don't notice", func(ctx SpecContext) {
		create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		svc := dualStack.service("web")
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		everywhere := func(nodes ...string) {
			GinkgoHelper()
			for _, addr := range addrs {
				expectEverywhere(ctx, addr, nodes...)
			}
		}
		everywhere(allNodes...)

		exclude := func(value string) {
			GinkgoHelper()
			Expect(site.LabelNode(context.WithoutCancel(ctx), "node1", map[string]string{corev1.LabelNodeExcludeBalancers: value})).To(Succeed())
		}
		defer exclude("")
		exclude("false") // the value doesn't matter
		everywhere("node2", "node3")
		exclude("")
		everywhere(allNodes...)

		defer networkUnavailable(context.WithoutCancel(ctx), "node3", corev1.ConditionFalse)
		networkUnavailable(ctx, "node3", corev1.ConditionTrue)
		everywhere("node1", "node2")
		expectExplained(ctx, map[string]string{"node1": "Announced", "node2": "Announced", "node3": "NotAnnounced NoNetwork"})
		networkUnavailable(ctx, "node3", corev1.ConditionUnknown)
		everywhere(allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))
})

var _ = Describe("Selectors", func() {
	It("D8 pools are taken by name and by label, and edited labels move the routes at once", func(ctx SpecContext) {
		named, labelled := lab.Pool("a-named", "203.0.113.10/32"), lab.Pool("b-labelled", "203.0.113.11/32")
		labelled.Labels = map[string]string{"tier": "gold"}
		adv := lab.Advertisement("some")
		adv.Spec.IPAddressPools = []string{"a-named"}
		adv.Spec.IPAddressPoolSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"tier": "gold"}}}
		create(ctx, named, labelled, lab.Pool("c-other", "203.0.113.12/32"), adv)
		podOn(ctx, "node1", "web")
		var addrs []netip.Addr
		for _, name := range []string{"one", "two", "three"} {
			svc := lab.Service(name)
			svc.Spec.Selector = map[string]string{"app": "web"}
			create(ctx, svc)
			addrs = append(addrs, addressOf(ctx, svc))
		}
		Expect(addrs).To(Equal(addresses("203.0.113.10", "203.0.113.11", "203.0.113.12")))
		expectEverywhere(ctx, addrs[0], allNodes...)
		expectEverywhere(ctx, addrs[1], allNodes...)
		remains(ctx, addrs[2], absence)

		update(ctx, labelled, func(p *v1alpha1.IPAddressPool) { p.Labels["tier"] = "tin" })
		expectEverywhere(ctx, addrs[1])
		update(ctx, labelled, func(p *v1alpha1.IPAddressPool) { p.Labels["tier"] = "gold" })
		expectEverywhere(ctx, addrs[1], allNodes...)
		expectEverywhere(ctx, addrs[0], allNodes...)
	}, SpecTimeout(specTimeout))
})

// networkUnavailable writes the condition as a network plugin does.
func networkUnavailable(ctx context.Context, nodeName string, status corev1.ConditionStatus) {
	GinkgoHelper()
	var obj corev1.Node
	Expect(site.API().Get(ctx, crclient.ObjectKey{Name: nodeName}, &obj)).To(Succeed())
	before := obj.DeepCopy()
	// The kubelet's own conditions stay: without Ready a node takes nothing over.
	obj.Status.Conditions = append(slices.DeleteFunc(obj.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeNetworkUnavailable
	}), corev1.NodeCondition{
		Type: corev1.NodeNetworkUnavailable, Status: status, Reason: "Scenario", LastTransitionTime: metav1.Now(),
	})
	Expect(site.API().Status().Patch(ctx, &obj, crclient.StrategicMergeFrom(before))).To(Succeed())
}
