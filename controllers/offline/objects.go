package offline

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Manifest is an object as it was read.
type Manifest struct {
	// Source that it was read from: a file, or STDIN.
	Source string
	Object *unstructured.Unstructured
}

// Objects are those that Herald reads, in no particular order.
type Objects struct {
	Pools []*v1alpha1.IPAddressPool
	Peers []*v1alpha1.BGPPeer
	// Heralds: the API server takes one, named default.
	Heralds        []*v1alpha1.Herald
	Advertisements []*v1alpha1.BGPAdvertisement
	Communities    []*v1alpha1.Community
	Profiles       []*v1alpha1.BFDProfile
	Snippets       []*v1alpha1.FRRSnippet
	FlowPolicies   []*v1alpha1.FlowPolicy
	// BGPNodes are what the nodes say: nothing is made of them.
	BGPNodes     []*v1alpha1.BGPNode
	Nodes        []*corev1.Node
	Namespaces   []*corev1.Namespace
	Secrets      []*corev1.Secret
	Services     []*corev1.Service
	Slices       []*discoveryv1.EndpointSlice
	ServiceCIDRs []*networkingv1.ServiceCIDR
}

// list is one of the lists of Objects, behind its type.
type list interface {
	// read takes an object in. The error says why it can't; unknown are the fields
	// that its type doesn't have.
	read(object map[string]any) (unknown []error, err error)
	// overlay takes in what another list of the same type has, in place of what has
	// the same name.
	overlay(other list)
	// drop what has this name.
	drop(name types.NamespacedName)
}

// typed is a list of pointers to T.
type typed[T any, P interface {
	*T
	metav1.Object
}] struct {
	items *[]P
}

func (l typed[T, P]) read(object map[string]any) (unknown []error, err error) {
	read := P(new(T))
	err = runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object, read, true)
	if strict, isStrict := runtime.AsStrictDecodingError(err); isStrict {
		unknown, err = strict.Errors(), nil
	}
	if err == nil {
		*l.items = append(*l.items, read)
	}
	return unknown, err
}

func (l typed[T, P]) overlay(other list) {
	above, ok := other.(typed[T, P])
	if !ok {
		panic(fmt.Sprintf("overlay of %T over %T", other, l))
	}
	at := make(map[types.NamespacedName]int, len(*l.items))
	for i, object := range *l.items {
		at[nameOf(object)] = i
	}
	for _, object := range *above.items {
		if i, known := at[nameOf(object)]; known {
			keepIdentity((*l.items)[i], object)
			(*l.items)[i] = object
		} else {
			*l.items = append(*l.items, object)
		}
	}
}

func (l typed[T, P]) drop(name types.NamespacedName) {
	*l.items = slices.DeleteFunc(*l.items, func(object P) bool { return nameOf(object) == name })
}

// keepIdentity: an object that is applied again is as old as it was, and a Service
// keeps what only the cluster writes.
func keepIdentity(old, object metav1.Object) {
	object.SetCreationTimestamp(old.GetCreationTimestamp())
	object.SetUID(old.GetUID())
	before, isService := old.(*corev1.Service)
	after, areServices := object.(*corev1.Service)
	if !isService || !areServices {
		return
	}
	if len(after.Status.LoadBalancer.Ingress) == 0 {
		after.Status = before.Status
	}
	if len(after.Spec.IPFamilies) == 0 {
		after.Spec.IPFamilies = before.Spec.IPFamilies
	}
}

func nameOf(object metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// lists are all lists, by the API group and Kind of what is in them.
func (o *Objects) lists() map[metav1.GroupKind]list {
	herald := func(kind string) metav1.GroupKind { return metav1.GroupKind{Group: v1alpha1.GroupName, Kind: kind} }
	return map[metav1.GroupKind]list{
		herald("IPAddressPool"):    typed[v1alpha1.IPAddressPool, *v1alpha1.IPAddressPool]{&o.Pools},
		herald("BGPPeer"):          typed[v1alpha1.BGPPeer, *v1alpha1.BGPPeer]{&o.Peers},
		herald("BGPAdvertisement"): typed[v1alpha1.BGPAdvertisement, *v1alpha1.BGPAdvertisement]{&o.Advertisements},
		herald("Community"):        typed[v1alpha1.Community, *v1alpha1.Community]{&o.Communities},
		herald("BFDProfile"):       typed[v1alpha1.BFDProfile, *v1alpha1.BFDProfile]{&o.Profiles},
		herald("Herald"):           typed[v1alpha1.Herald, *v1alpha1.Herald]{&o.Heralds},
		herald("FRRSnippet"):       typed[v1alpha1.FRRSnippet, *v1alpha1.FRRSnippet]{&o.Snippets},
		herald("BGPNode"):          typed[v1alpha1.BGPNode, *v1alpha1.BGPNode]{&o.BGPNodes},
		herald("FlowPolicy"):       typed[v1alpha1.FlowPolicy, *v1alpha1.FlowPolicy]{&o.FlowPolicies},

		{Kind: "Node"}:      typed[corev1.Node, *corev1.Node]{&o.Nodes},
		{Kind: "Namespace"}: typed[corev1.Namespace, *corev1.Namespace]{&o.Namespaces},
		{Kind: "Secret"}:    typed[corev1.Secret, *corev1.Secret]{&o.Secrets},
		{Kind: "Service"}:   typed[corev1.Service, *corev1.Service]{&o.Services},
		{Group: networkingv1.GroupName, Kind: "ServiceCIDR"}:  typed[networkingv1.ServiceCIDR, *networkingv1.ServiceCIDR]{&o.ServiceCIDRs},
		{Group: discoveryv1.GroupName, Kind: "EndpointSlice"}: typed[discoveryv1.EndpointSlice, *discoveryv1.EndpointSlice]{&o.Slices},
	}
}

// namespaced are the Kinds that live in a namespace.
var namespaced = map[string]bool{"Secret": true, "Service": true, "EndpointSlice": true}

// Over puts these objects over those of a cluster: what the cluster would have if
// they were applied.
func (o *Objects) Over(cluster *Objects) *Objects {
	all := &Objects{}
	merged, below, above := all.lists(), cluster.lists(), o.lists()
	for kind, into := range merged {
		into.overlay(below[kind])
		into.overlay(above[kind])
	}
	return all
}

// NodeNames of the Nodes that there are.
func (o *Objects) NodeNames() []string {
	names := make([]string, 0, len(o.Nodes))
	for _, node := range o.Nodes {
		names = append(names, node.Name)
	}
	return names
}

// Sharing are these objects with one Service, and those that have an address in
// common with it: what an explanation of it needs. Where addresses are aggregated
// that may be any other.
func (o *Objects) Sharing(service *corev1.Service) *Objects {
	if slices.ContainsFunc(o.Advertisements, func(a *v1alpha1.BGPAdvertisement) bool {
		return a.Spec.AggregationLength != nil || a.Spec.AggregationLengthV6 != nil
	}) {
		return o
	}
	narrow := *o
	narrow.Services = nil
	has := map[string]bool{}
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		has[ingress.IP] = true
	}
	for _, other := range o.Services {
		shares := slices.ContainsFunc(other.Status.LoadBalancer.Ingress, func(i corev1.LoadBalancerIngress) bool { return has[i.IP] })
		if shares || nameOf(other) == nameOf(service) {
			narrow.Services = append(narrow.Services, other)
		}
	}
	return &narrow
}
