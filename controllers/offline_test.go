package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/offline"
)

var _ = Describe("Offline", func() {
	It("reads from a cluster what a node's configuration is made from", func() {
		runManager()
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
		create(node, newPool("p", "203.0.113.0/24"), newService("web", "4"),
			&v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "all"}},
			&v1alpha1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Spec: v1alpha1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513, PeerAddress: "192.0.2.1"}})
		Eventually(addresses("web")).Should(Equal("203.0.113.0"))

		objects, secretsKnown, err := offline.FromCluster(ctx, k8s, v1alpha1.DefaultSecretsNamespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(secretsKnown).To(BeTrue())
		result, err := offline.NewWorld(objects, offline.Assumptions{Ready: true, SecretsKnown: secretsKnown}).Compile("n1")
		Expect(err).NotTo(HaveOccurred())
		text, err := offline.Render(result, false)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(text)).To(ContainSubstring(" network 203.0.113.0/32 route-map herald.all\n"))

		By("and what would be applied over it")
		above := &offline.Objects{Services: []*corev1.Service{newService("more", "4")}}
		all := above.Over(objects)
		Expect(all.Allocate()).To(BeEmpty())
		var given []string
		for _, service := range all.Services {
			if service.Spec.Type == corev1.ServiceTypeLoadBalancer {
				given = append(given, service.Name+" "+service.Status.LoadBalancer.Ingress[0].IP)
			}
		}
		Expect(given).To(ConsistOf("web 203.0.113.0", "more 203.0.113.1"))
	})
})
