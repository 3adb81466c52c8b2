package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

var _ = Describe("Validation across objects", func() {
	accepted := func(name string) func() string {
		return func() string { return brief(poolStatus(name)().Conditions, v1alpha1.ConditionAccepted) }
	}
	broken := []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Is"}}}}

	It("V1 V10 every bad pool is reported and clears one by one; good ones serve throughout", func() {
		runManager()
		create(newPool("good", "203.0.113.0/24"), newService("a", "4"))
		Eventually(addresses("a")).Should(Equal("203.0.113.0"))
		bad := map[string]*v1alpha1.IPAddressPool{
			"False InvalidAddress": newPool("reversed", "198.51.100.9-198.51.100.1"),
			"False Overlap":        newPool("overlapping", "203.0.113.128/25"),
			"False InvalidSelector": poolWith("selector", "192.0.2.0/28", func(s *v1alpha1.IPAddressPoolSpec) {
				s.ServiceAllocation = &v1alpha1.ServiceAllocation{ServiceSelectors: broken}
			}),
		}
		exclude := poolWith("exclude", "192.0.2.16/28", func(s *v1alpha1.IPAddressPoolSpec) { s.Exclude = []v1alpha1.AddressBlock{"192.0.2.20-192.0.2.17"} })
		create(exclude)
		for _, pool := range bad {
			create(pool)
		}
		for want, pool := range bad {
			Eventually(accepted(pool.Name)).Should(Equal(want))
		}
		Eventually(accepted("exclude")).Should(Equal("False InvalidAddress"))
		create(newService("b", "4"), newService("held-up", "4", annotated("pool", "exclude")))
		Eventually(addresses("b")).Should(Equal("203.0.113.1"))
		Eventually(allocated("held-up")).Should(Equal("False NotAllowed"))

		for _, pool := range bad {
			change(pool, func(p *v1alpha1.IPAddressPool) {
				p.Spec.ServiceAllocation = nil
				if p.Name != "selector" {
					p.Spec.Addresses = []v1alpha1.AddressBlock{map[string]v1alpha1.AddressBlock{"reversed": "198.51.100.1-198.51.100.9", "overlapping": "192.0.2.128/25"}[p.Name]}
				}
			})
			Eventually(accepted(pool.Name)).Should(Equal("True Accepted"))
		}
		change(exclude, func(p *v1alpha1.IPAddressPool) { p.Spec.Exclude = []v1alpha1.AddressBlock{"192.0.2.16-192.0.2.20"} })
		Eventually(addresses("held-up")).Should(Equal("192.0.2.21"))
		Expect(accepted("good")()).To(Equal("True Accepted"))
		Expect(addresses("a")()).To(Equal("203.0.113.0"))
	})

	DescribeTable("V9 the order in which things are applied never matters", func(order ...int) {
		runManager()
		for _, step := range order {
			switch step {
			case 0:
				create(newPool("p", "203.0.113.0/24"))
			case 1:
				create(newService("asks", "4", annotated("ips", "203.0.113.9")))
			default:
				create(newService("bound", "4", labelled("app", "web")), poolWith("web", "198.51.100.0/24", func(s *v1alpha1.IPAddressPoolSpec) {
					s.ServiceAllocation = &v1alpha1.ServiceAllocation{Priority: 1, ServiceSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"app": "web"}}}}
				}))
			}
		}
		Eventually(addresses("asks")).Should(Equal("203.0.113.9"))
		Eventually(addresses("bound")).Should(Or(Equal("198.51.100.0"), Equal("203.0.113.0")))
		Eventually(func() []string { return conditionsOf("asks", "bound") }).Should(HaveEach("True Allocated"))
	},
		Entry("pool first", 0, 1, 2), Entry("Service first", 1, 0, 2), Entry("pool last", 2, 1, 0),
	)
})

func conditionsOf(names ...string) []string {
	var all []string
	for _, name := range names {
		service := &corev1.Service{}
		if k8s.Get(ctx, key(name), service) == nil {
			all = append(all, brief(service.Status.Conditions, v1alpha1.ConditionAllocated))
		}
	}
	return all
}
