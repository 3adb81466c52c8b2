package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/controllers/status"
)

var _ = Describe("MetalLB's annotations", func() {
	says := func(name, value string) func(*corev1.Service) {
		return func(service *corev1.Service) {
			if service.Annotations == nil {
				service.Annotations = map[string]string{}
			}
			service.Annotations[name] = value
		}
	}

	It("A2 A4 A7 are read with the manager's flag, and A3 refused where Herald's disagree", func() {
		startManager(controllers.Options{Annotations: status.Annotations{MetalLB: true}})
		private := newPool("private", "198.51.100.0/24")
		private.Spec.AutoAssign = new(false)
		create(newPool("public", "203.0.113.0/24"), private)
		create(newService("asks", "4", says("metallb.io/loadBalancerIPs", "203.0.113.9")))
		Eventually(addresses("asks")).Should(Equal("203.0.113.9"))
		create(newService("pool", "4", says("metallb.universe.tf/address-pool", "private")))
		Eventually(addresses("pool")).Should(Equal("198.51.100.0"))

		tcp := newService("tcp", "4", says("metallb.io/allow-shared-ip", "dns"), says("metallb.io/loadBalancerIPs", "203.0.113.53"))
		udp := newService("udp", "4", says("metallb.universe.tf/allow-shared-ip", "dns"), says("metallb.universe.tf/loadBalancerIPs", "203.0.113.53"))
		udp.Spec.Ports[0].Protocol = corev1.ProtocolUDP
		create(tcp, udp)
		Eventually(addresses("tcp")).Should(Equal("203.0.113.53"))
		Eventually(addresses("udp")).Should(Equal("203.0.113.53"))

		create(newService("torn", "4", annotated("ips", "203.0.113.7"), says("metallb.io/loadBalancerIPs", "203.0.113.8")))
		Eventually(allocated("torn")).Should(Equal("False InvalidRequest"))
		Expect(addresses("torn")()).To(BeEmpty())
	})

	It("are not read without it", func() {
		runManager()
		create(newPool("public", "203.0.113.0/24"), newService("asks", "4", says("metallb.io/loadBalancerIPs", "203.0.113.9")))
		Eventually(addresses("asks")).Should(Equal("203.0.113.0"))
	})
})
