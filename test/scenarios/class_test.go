package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/test/lab"
)

var _ = Describe("The Herald object's class", func() {
	It("A15 Services of its loadBalancerClass are announced, and classless ones where it claims them, live", func(ctx SpecContext) {
		create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		podOn(ctx, "node2", "classed")
		web, classed := onlyIPv4.service("web"), onlyIPv4.service("classed")
		classed.Spec.LoadBalancerClass = ptr.To("example.com/bgp")
		create(ctx, web, classed)
		webAddr := addressOf(ctx, web)
		expectEverywhere(ctx, webAddr, allNodes...)
		Expect(ingress(ctx, classed)).To(BeEmpty(), "another load balancer's")
		expectNoNodeAsked(ctx, site, "classed", explain.ReasonOtherClass)

		By("its class is Herald's")
		herald := &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{
			// It is deleted while nodes announce.
			Name: v1alpha1.HeraldName, Annotations: map[string]string{v1alpha1.AnnotationConfirmDelete: "true"},
		}}
		herald.Spec.LoadBalancerClass = "example.com/bgp"
		DeferCleanup(remove, herald)
		create(ctx, herald)
		classedAddr := addressOf(ctx, classed)
		expectEverywhere(ctx, classedAddr, allNodes...)
		expectEverywhere(ctx, webAddr, allNodes...)

		By("classless Services aren't any more")
		update(ctx, herald, func(h *v1alpha1.Herald) { h.Spec.ClaimClassless = ptr.To(false) })
		expectEverywhere(ctx, webAddr)
		Eventually(ctx, ingress).WithArguments(ctx, web).Should(BeEmpty())
		expectNoNodeAsked(ctx, site, "web", explain.ReasonOtherClass)
		remains(ctx, classedAddr, absence, allNodes...)

		By("the object is gone: as before it was there")
		remove(ctx, herald)
		expectEverywhere(ctx, classedAddr)
		Eventually(ctx, func() []corev1.LoadBalancerIngress { return ingress(ctx, web) }).ShouldNot(BeEmpty())
		expectEverywhere(ctx, addressOf(ctx, web), allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))
})
