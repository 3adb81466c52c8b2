package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
)

var _ = Describe("A shared address", func() {
	It("D4 stays until the last Service that needs it goes, with what applies to those that do", func(ctx SpecContext) {
		const app = "scenario.example/app"
		advertise := func(name string, community v1alpha1.CommunityValue) *v1alpha1.BGPAdvertisement {
			adv := lab.Advertisement(name)
			adv.Spec.ServiceSelectors = selector(app, name)
			adv.Spec.Communities = []v1alpha1.CommunityValue{community}
			return adv
		}
		create(ctx, lab.Pool("public", block4, block6), advertise("web", "64512:1"), advertise("dns", "64512:2"))
		podOn(ctx, "node1", "web")
		podOn(ctx, "node2", "dns")
		web, dns := sharing("web", 80), sharing("dns", 53)
		for _, svc := range []*corev1.Service{web, dns} {
			svc.Labels = map[string]string{app: svc.Name}
		}
		create(ctx, web)
		addrs := addressesOf(ctx, web)
		create(ctx, dns)
		Expect(addressesOf(ctx, dns)).To(Equal(addrs))
		with := func(communities ...string) {
			GinkgoHelper()
			for _, addr := range addrs {
				for _, name := range routerNames() {
					Eventually(ctx, communitiesAt).WithArguments(ctx, name, addr).Should(Equal(sameFromAll(communities)), "%s at %s", addr, name)
				}
				expectEverywhere(ctx, addr, allNodes...)
			}
		}
		with("64512:1", "64512:2")
		wires := captures()

		By("one has no usable endpoint for a while")
		setPod(ctx, "web-node1", false, false, false)
		with("64512:2")
		setPod(ctx, "web-node1", true, true, false)
		with("64512:1", "64512:2")
		By("one is deleted")
		remove(ctx, dns)
		with("64512:1")
		for _, addr := range addrs {
			remains(ctx, addr, absence, allNodes...)
		}
		for name, c := range wires {
			Expect(messages(c, withdraws(hostRoutes(addrs)...))).To(BeEmpty(), "withdrawn from %s", name)
		}
		By("the last one is deleted")
		remove(ctx, web)
		for _, addr := range addrs {
			expectEverywhere(ctx, addr)
		}
	}, SpecTimeout(specTimeout))
})

// sharing makes a dual-stack Service for a port of an address that it shares.
func sharing(name string, port int32) *corev1.Service {
	svc := dualStack.service(name)
	svc.Annotations = map[string]string{v1alpha1.AnnotationSharingKey: "scenario"}
	svc.Spec.Ports[0].Port = port
	return svc
}
