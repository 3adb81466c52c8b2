package controllers_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
)

var _ = Describe("Bounds", func() {
	// versions of all objects that the manager may write.
	versions := func() map[string]string {
		all := map[string]string{}
		for _, list := range []client.ObjectList{
			&corev1.ServiceList{}, &v1alpha1.IPAddressPoolList{}, &v1alpha1.BGPPeerList{}, &v1alpha1.BGPAdvertisementList{},
		} {
			Expect(k8s.List(ctx, list)).To(Succeed())
			for _, object := range objectsOf(list) {
				all[fmt.Sprintf("%T %s", object, object.GetName())] = object.GetResourceVersion()
			}
		}
		return all
	}

	It("N3 M10 heartbeats, counters and another leader cause no write", func() {
		create(newNode("n1", nil), newPeer("tor", "192.0.2.1"), newPool("p", "203.0.113.0/31"), newAdvertisement("all"))
		reports("n1", true)
		session("n1", "tor", v1alpha1.SessionEstablished)
		create(newService("a", "4"), endpoints("a", "IPv4", "n1"), newService("b", "4"), newService("c", "4"))
		first := runManager()
		Eventually(announced("a")).Should(Equal("True AllNodes"))
		Eventually(announced("b")).Should(Equal("False NoEndpoint"))
		Eventually(announced("c")).Should(Equal("False NoAddress"))
		Eventually(peerStatus("tor")).Should(Equal("True Accepted; True AllEstablished; 1/1"))
		Eventually(counted("p")).Should(HaveField("Free", "0"))
		Eventually(advertisementAccepted("all")).Should(Equal("True Accepted"))

		settled := versions()
		changeStatus(newNode("n1", nil), func(n *corev1.Node) {
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()}}
		})
		change(newNode("n1", nil), func(n *corev1.Node) { n.Labels = map[string]string{"unrelated": "yes"} })
		change(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, func(n *corev1.Namespace) { n.Labels["unrelated"] = "yes" })
		changeStatus(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, func(n *v1alpha1.BGPNode) { n.Status.Routes = &v1alpha1.RouteCount{IPv4: 7} })
		changeStatus(&v1alpha1.BGPSession{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SessionName("n1", "tor")}}, func(s *v1alpha1.BGPSession) {
			s.Status.Prefixes.IPv4 = &v1alpha1.PrefixCount{Sent: 7}
		})
		Consistently(versions).WithTimeout(2 * quiet).Should(Equal(settled))
		first.end()
		runManager()
		Consistently(versions).WithTimeout(3 * quiet).Should(Equal(settled))
	})

	DescribeTable("rights", func(who, verb, group, resource, namespace string, allowed bool) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:herald-system:" + who,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: verb, Group: group, Resource: resource, Namespace: namespace,
			},
		}}
		Expect(k8s.Create(ctx, review)).To(Succeed())
		Expect(review.Status.Allowed).To(Equal(allowed))
	},
		Entry("M8 the manager reads no Secret", "herald-manager", "get", "", "secrets", "herald-secrets", false),
		Entry("M8 the manager lists no Secret", "herald-manager", "list", "", "secrets", "", false),
		Entry("the manager sees its own agents' pods", "herald-manager", "list", "", "pods", "herald-system", true),
		Entry("the manager sees no other pods", "herald-manager", "list", "", "pods", "default", false),
		Entry("the manager doesn't write Services", "herald-manager", "update", "", "services", "default", false),
		Entry("the agent reads Namespaces", "herald-agent", "watch", "", "namespaces", "", true),
		Entry("the agent doesn't write Namespaces", "herald-agent", "patch", "", "namespaces", "default", false),
		Entry("the agent reads peers' Secrets", "herald-agent", "get", "", "secrets", "herald-secrets", true),
		Entry("M8 the agent reads no other Secret", "herald-agent", "get", "", "secrets", "default", false),
		Entry("the agent doesn't write peers", "herald-agent", "update", "herald-lb.io", "bgppeers", "", false),
		Entry("the agent writes its sessions", "herald-agent", "create", "herald-lb.io", "bgpsessions", "", true),
	)
})

func objectsOf(list client.ObjectList) []client.Object {
	var all []client.Object
	switch l := list.(type) {
	case *corev1.ServiceList:
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	case *v1alpha1.IPAddressPoolList:
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	case *v1alpha1.BGPPeerList:
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	case *v1alpha1.BGPAdvertisementList:
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	}
	return all
}
