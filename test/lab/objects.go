package lab

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

// Pool makes an IPAddressPool, not yet created.
func Pool(name string, blocks ...v1alpha1.AddressBlock) *v1alpha1.IPAddressPool {
	return &v1alpha1.IPAddressPool{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.IPAddressPoolSpec{Addresses: blocks},
	}
}

// Peer makes the BGPPeer of a router, over its address of a family, with short
// timers; not yet created.
func (l *Lab) Peer(routerName string, family router.Family) *v1alpha1.BGPPeer {
	config := l.Router(routerName).Config()
	peer := &v1alpha1.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: routerName},
		Spec: v1alpha1.BGPPeerSpec{
			MyASN: int64(l.options.NodeASN), PeerASN: int64(config.ASN),
			PeerAddress: l.RouterAddress(routerName, family).String(),
			ConnectTime: &metav1.Duration{Duration: time.Second},
			// A router holds a crashed node's session until a keepalive isn't answered,
			// and refuses a new one until then (RFC 4271 section 6.8).
			HoldTime:      &metav1.Duration{Duration: 30 * time.Second},
			KeepaliveTime: &metav1.Duration{Duration: 10 * time.Second},
		},
	}
	if config.Port != 0 {
		peer.Spec.PeerPort = ptr.To(int32(config.Port))
	}
	return peer
}

// Advertisement makes a BGPAdvertisement of everything to everybody.
func Advertisement(name string) *v1alpha1.BGPAdvertisement {
	return &v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// Service makes a Service of type LoadBalancer in the default namespace for the
// pods with label app=name: port 80 to the pods' 8080, one IPv4 address,
// traffic policy Cluster. Change what differs before creating it.
func Service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"app": name},
			Ports: []corev1.ServicePort{{
				Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080), Protocol: corev1.ProtocolTCP,
			}},
			ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyCluster,
			IPFamilyPolicy:        ptr.To(corev1.IPFamilyPolicySingleStack),
		},
	}
}

// Create creates objects in order; for a Service it writes the EndpointSlices.
func (l *Lab) Create(ctx context.Context, objects ...crclient.Object) error {
	for _, obj := range objects {
		if err := l.API().Create(ctx, obj); err != nil {
			return fmt.Errorf("creating %T %q: %w", obj, obj.GetName(), err)
		}
		if _, ok := obj.(*corev1.Service); ok {
			if _, err := l.SyncEndpoints(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Delete deletes objects and waits until they are gone. One that is gone
// already is no error.
func (l *Lab) Delete(ctx context.Context, objects ...crclient.Object) error {
	for _, obj := range objects {
		if err := l.API().Delete(ctx, obj); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting %T %q: %w", obj, obj.GetName(), err)
		}
	}
	for _, obj := range objects {
		what := fmt.Sprintf("%T %q is gone", obj, obj.GetName())
		err := wait.Until(ctx, what, wait.Process, func(ctx context.Context) (bool, error) {
			err := l.API().Get(ctx, crclient.ObjectKeyFromObject(obj), obj)
			return apierrors.IsNotFound(err), crclient.IgnoreNotFound(err)
		})
		if err != nil {
			return err
		}
	}
	_, err := l.SyncEndpoints(ctx)
	return err
}

// Reset removes every Herald object, Service of type LoadBalancer, peers' Secret
// and pod, so that the next scenario begins with nothing; objects of the type
// and name of one in keep stay. Nodes' labels are left to the scenario that set
// them.
func (l *Lab) Reset(ctx context.Context, keep ...crclient.Object) error {
	for _, pod := range l.Pods() {
		if _, err := l.RemovePod(ctx, pod.Name); err != nil {
			return err
		}
	}
	objects, err := l.scenarioObjects(ctx)
	if err != nil {
		return err
	}
	return l.Delete(ctx, slices.DeleteFunc(objects, func(obj crclient.Object) bool {
		return slices.ContainsFunc(keep, func(k crclient.Object) bool {
			return reflect.TypeOf(k) == reflect.TypeOf(obj) && crclient.ObjectKeyFromObject(k) == crclient.ObjectKeyFromObject(obj)
		})
	})...)
}

// scenarioObjects lists what Reset removes.
func (l *Lab) scenarioObjects(ctx context.Context) ([]crclient.Object, error) {
	var (
		services corev1.ServiceList
		secrets  corev1.SecretList
		pools    v1alpha1.IPAddressPoolList
		peers    v1alpha1.BGPPeerList
		adverts  v1alpha1.BGPAdvertisementList
		profiles v1alpha1.BFDProfileList
		snippets v1alpha1.FRRSnippetList
		flows    v1alpha1.FlowPolicyList
		names    v1alpha1.CommunityList
		objects  []crclient.Object
	)
	for _, list := range []crclient.ObjectList{&services, &pools, &peers, &adverts, &names, &profiles, &snippets, &flows} {
		if err := l.API().List(ctx, list); err != nil {
			return nil, err
		}
	}
	if err := l.API().List(ctx, &secrets, crclient.InNamespace(SecretsNamespace)); err != nil {
		return nil, err
	}
	for i := range services.Items {
		if services.Items[i].Name != "kubernetes" {
			objects = append(objects, &services.Items[i])
		}
	}
	for i := range adverts.Items {
		objects = append(objects, &adverts.Items[i])
	}
	for i := range names.Items {
		objects = append(objects, &names.Items[i])
	}
	for i := range peers.Items {
		objects = append(objects, &peers.Items[i])
	}
	for i := range profiles.Items {
		objects = append(objects, &profiles.Items[i])
	}
	for i := range snippets.Items {
		objects = append(objects, &snippets.Items[i])
	}
	for i := range flows.Items {
		objects = append(objects, &flows.Items[i])
	}
	for i := range pools.Items {
		objects = append(objects, &pools.Items[i])
	}
	for i := range secrets.Items {
		objects = append(objects, &secrets.Items[i])
	}
	return objects, nil
}
