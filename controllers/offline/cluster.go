package offline

import (
	"context"
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// FromCluster reads what Herald reads from a cluster. Secrets only of one
// namespace, none where that is empty; secretsKnown is false where they were not or
// may not be read. Kinds that the cluster doesn't have are empty.
func FromCluster(ctx context.Context, cluster client.Reader, secretsNamespace string) (objects *Objects, secretsKnown bool, err error) {
	o := &Objects{}
	for _, read := range []func() error{
		listing[v1alpha1.IPAddressPoolList](ctx, cluster, func(l *v1alpha1.IPAddressPoolList) { o.Pools = pointers(l.Items) }),
		listing[v1alpha1.BGPPeerList](ctx, cluster, func(l *v1alpha1.BGPPeerList) { o.Peers = pointers(l.Items) }),
		listing[v1alpha1.BGPAdvertisementList](ctx, cluster, func(l *v1alpha1.BGPAdvertisementList) { o.Advertisements = pointers(l.Items) }),
		listing[v1alpha1.CommunityList](ctx, cluster, func(l *v1alpha1.CommunityList) { o.Communities = pointers(l.Items) }),
		listing[v1alpha1.BFDProfileList](ctx, cluster, func(l *v1alpha1.BFDProfileList) { o.Profiles = pointers(l.Items) }),
		listing[v1alpha1.FRRSnippetList](ctx, cluster, func(l *v1alpha1.FRRSnippetList) { o.Snippets = pointers(l.Items) }),
		listing[v1alpha1.FlowPolicyList](ctx, cluster, func(l *v1alpha1.FlowPolicyList) { o.FlowPolicies = pointers(l.Items) }),
		listing[v1alpha1.BGPNodeList](ctx, cluster, func(l *v1alpha1.BGPNodeList) { o.BGPNodes = pointers(l.Items) }),
		listing[v1alpha1.HeraldList](ctx, cluster, func(l *v1alpha1.HeraldList) { o.Heralds = pointers(l.Items) }),
		listing[corev1.NodeList](ctx, cluster, func(l *corev1.NodeList) { o.Nodes = pointers(l.Items) }),
		listing[corev1.NamespaceList](ctx, cluster, func(l *corev1.NamespaceList) { o.Namespaces = pointers(l.Items) }),
		listing[corev1.ServiceList](ctx, cluster, func(l *corev1.ServiceList) { o.Services = pointers(l.Items) }),
		listing[discoveryv1.EndpointSliceList](ctx, cluster, func(l *discoveryv1.EndpointSliceList) { o.Slices = pointers(l.Items) }),
		listing[networkingv1.ServiceCIDRList](ctx, cluster, func(l *networkingv1.ServiceCIDRList) { o.ServiceCIDRs = pointers(l.Items) }),
	} {
		if err := read(); err != nil {
			return nil, false, err
		}
	}
	if secretsNamespace == "" {
		return o, false, nil
	}
	err = listing[corev1.SecretList](ctx, cluster, func(l *corev1.SecretList) { o.Secrets = pointers(l.Items) }, client.InNamespace(secretsNamespace))()
	if apierrors.IsForbidden(err) {
		return o, false, nil
	}
	return o, true, err
}

func listing[T any, P interface {
	*T
	client.ObjectList
}](ctx context.Context, cluster client.Reader, take func(P), options ...client.ListOption) func() error {
	return func() error {
		found := P(new(T))
		if err := cluster.List(ctx, found, options...); err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
			return fmt.Errorf("reading %s: %w", reflect.TypeFor[T]().Name(), err)
		}
		take(found)
		return nil
	}
}

func pointers[T any](items []T) []*T {
	all := make([]*T, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}
