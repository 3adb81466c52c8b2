package migrate

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/controllers/offline"
)

// sources are what a migration reads from a cluster.
var sources = []schema.GroupVersionKind{
	{Group: "metallb.io", Version: "v1beta1", Kind: "IPAddressPool"},
	{Group: "metallb.io", Version: "v1beta1", Kind: "AddressPool"},
	{Group: "metallb.io", Version: "v1beta1", Kind: "BFDProfile"},
	{Group: "metallb.io", Version: "v1beta1", Kind: "Community"},
	{Group: "metallb.io", Version: "v1beta2", Kind: "BGPPeer"},
	{Group: "metallb.io", Version: "v1beta1", Kind: "BGPAdvertisement"},
	{Group: "metallb.io", Version: "v1beta1", Kind: "L2Advertisement"},
	{Group: "frrk8s.metallb.io", Version: "v1beta1", Kind: "FRRConfiguration"},
	{Version: "v1", Kind: "Service"},
}

// FromCluster reads what a migration is made from. Kinds that the cluster doesn't
// have are passed over; Secrets are read in the namespaces of the peers, where that
// is allowed.
func FromCluster(ctx context.Context, cluster client.Reader) ([]offline.Manifest, error) {
	var all []offline.Manifest
	namespaces := map[string]bool{}
	for _, kind := range sources {
		found, err := list(ctx, cluster, kind)
		if err != nil {
			return nil, err
		}
		for _, manifest := range found {
			if kind.Kind == "BGPPeer" || kind.Kind == "FRRConfiguration" {
				namespaces[manifest.Object.GetNamespace()] = true
			}
		}
		all = append(all, found...)
	}
	for namespace := range namespaces {
		secrets, err := list(ctx, cluster, schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, client.InNamespace(namespace))
		if apierrors.IsForbidden(err) {
			continue // the plan says which Secrets to copy
		}
		if err != nil {
			return nil, err
		}
		all = append(all, secrets...)
	}
	return all, nil
}

func list(ctx context.Context, cluster client.Reader, kind schema.GroupVersionKind, options ...client.ListOption) ([]offline.Manifest, error) {
	found := &unstructured.UnstructuredList{}
	found.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	err := cluster.List(ctx, found, options...)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", kind.Kind, err)
	}
	var manifests []offline.Manifest
	for i := range found.Items {
		manifests = append(manifests, offline.Manifest{Source: "cluster", Object: &found.Items[i]})
	}
	return manifests, nil
}
