package agent_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
)

const (
	nodeName = "node-a"
	webIP    = "203.0.113.7"
	peerName = "tor-a"
)

// create makes an object with its status; it goes with the test.
func create(object client.Object) {
	GinkgoHelper()
	want := object.DeepCopyObject().(client.Object)
	Expect(api.Create(ctx, object)).To(Succeed())
	DeferCleanup(func() {
		Expect(client.IgnoreNotFound(api.Delete(ctx, object, client.GracePeriodSeconds(0)))).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(api.Get(ctx, client.ObjectKeyFromObject(object), object))
		}).Should(BeTrue())
	})
	switch typed := want.(type) {
	case *corev1.Node, *corev1.Service:
		typed.SetResourceVersion(object.GetResourceVersion())
		Expect(api.Status().Patch(ctx, typed, client.Merge)).To(Succeed())
		Expect(api.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	}
}

// edit changes an object and its status.
func edit[T client.Object](object T, change func(T)) {
	GinkgoHelper()
	Expect(api.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	base := object.DeepCopyObject().(client.Object)
	change(object)
	changed := object.DeepCopyObject().(client.Object)
	Expect(api.Patch(ctx, object, client.MergeFrom(base))).To(Succeed())
	if _, ok := changed.(*corev1.Node); ok {
		Expect(api.Status().Patch(ctx, changed, client.MergeFrom(base))).To(Succeed())
	}
}

func newNode(name string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"rack": "1"}},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}}},
	}
}

func newPool() *v1alpha1.IPAddressPool {
	return &v1alpha1.IPAddressPool{
		ObjectMeta: metav1.ObjectMeta{Name: "public"},
		Spec:       v1alpha1.IPAddressPoolSpec{Addresses: []v1alpha1.AddressBlock{"203.0.113.0/24"}},
	}
}

func newPeer(name, address string) *v1alpha1.BGPPeer {
	return &v1alpha1.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.BGPPeerSpec{
			MyASN: 64512, PeerASN: 64513, PeerAddress: address,
			NodeSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"rack": "1"}}},
		},
	}
}

func newAdvertisement() *v1alpha1.BGPAdvertisement {
	return &v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "everything"}}
}

func newService(name, ip string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{
			Type:                  corev1.ServiceTypeLoadBalancer,
			ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyCluster,
			Ports:                 []corev1.ServicePort{{Port: 80}},
		},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: ip}}}},
	}
}

func newSlice(service, node string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: service + "-1",
			Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.244.0.5"}, NodeName: &node,
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
		}},
	}
}

// baseWorld is a node with one peer, one pool and one advertisement.
func baseWorld() (node *corev1.Node, peer *v1alpha1.BGPPeer) {
	GinkgoHelper()
	// The API server runs alone: no garbage collector follows the Node.
	DeferCleanup(func() {
		Expect(api.DeleteAllOf(ctx, &v1alpha1.BGPNode{})).To(Succeed())
		Expect(api.DeleteAllOf(ctx, &v1alpha1.BGPSession{})).To(Succeed())
	})
	node, peer = newNode(nodeName), newPeer(peerName, "192.0.2.1")
	create(node)
	create(newPool())
	create(peer)
	create(newAdvertisement())
	return node, peer
}

func bgpNode() *v1alpha1.BGPNode {
	object := &v1alpha1.BGPNode{}
	if err := api.Get(ctx, client.ObjectKey{Name: nodeName}, object); err != nil {
		return &v1alpha1.BGPNode{}
	}
	return object
}

func bgpSession(peer string) *v1alpha1.BGPSession {
	object := &v1alpha1.BGPSession{}
	if err := api.Get(ctx, client.ObjectKey{Name: v1alpha1.SessionName(nodeName, peer)}, object); err != nil {
		return nil
	}
	return object
}
