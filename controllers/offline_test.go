package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/migrate"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/status"
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
		Expect(all.Allocate(status.Annotations{})).To(BeEmpty())
		var given []string
		for _, service := range all.Services {
			if service.Spec.Type == corev1.ServiceTypeLoadBalancer {
				given = append(given, service.Name+" "+service.Status.LoadBalancer.Ingress[0].IP)
			}
		}
		Expect(given).To(ConsistOf("web 203.0.113.0", "more 203.0.113.1"))
	})

	It("reads from a cluster what a migration is made from, with and without the other's Kinds", func() {
		names := func() []string {
			found, err := migrate.FromCluster(ctx, k8s)
			Expect(err).NotTo(HaveOccurred())
			var names []string
			for _, manifest := range found {
				if kind := manifest.Object.GetKind(); kind != "Service" {
					names = append(names, kind+"/"+manifest.Object.GetNamespace()+"/"+manifest.Object.GetName())
				}
			}
			return names
		}
		Expect(names()).To(BeEmpty())

		object := func(text string) *unstructured.Unstructured {
			GinkgoHelper()
			made := &unstructured.Unstructured{}
			Expect(yaml.Unmarshal([]byte(text), &made.Object)).To(Succeed())
			return made
		}
		definition := object(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: bgppeers.metallb.io}
spec:
  group: metallb.io
  names: {kind: BGPPeer, listKind: BGPPeerList, plural: bgppeers, singular: bgppeer}
  scope: Namespaced
  versions:
  - {name: v1beta2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`)
		Expect(k8s.Create(ctx, definition)).To(Succeed())
		DeferCleanup(func() { Expect(k8s.Delete(ctx, definition)).To(Succeed()) })
		peer := `
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor, namespace: default}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 10.0.0.1, passwordSecret: {name: tor}}
`
		Eventually(func() error { return k8s.Create(ctx, object(peer)) }).Should(Succeed())
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "tor", Namespace: "default"}, Type: corev1.SecretTypeBasicAuth, StringData: map[string]string{"password": "x"}}
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		DeferCleanup(func() { Expect(k8s.Delete(ctx, secret)).To(Succeed()) })
		Eventually(names).Should(ConsistOf("BGPPeer/default/tor", "Secret/default/tor"))
	})
})
