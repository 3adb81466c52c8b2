package churn

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
)

// world is what stands in the API.
type world struct {
	services []corev1.Service
	slices   []discoveryv1.EndpointSlice
	nodes    []corev1.Node
	secrets  []corev1.Secret
	pools    []v1alpha1.IPAddressPool
	peers    []v1alpha1.BGPPeer
	adverts  []v1alpha1.BGPAdvertisement
	profiles []v1alpha1.BFDProfile
	statuses []v1alpha1.BGPNode
}

// read asks the API server for everything.
func read(ctx context.Context, api crclient.Client) (*world, error) {
	var (
		services  corev1.ServiceList
		endpoints discoveryv1.EndpointSliceList
		nodes     corev1.NodeList
		secrets   corev1.SecretList
		pools     v1alpha1.IPAddressPoolList
		peers     v1alpha1.BGPPeerList
		adverts   v1alpha1.BGPAdvertisementList
		profiles  v1alpha1.BFDProfileList
		statuses  v1alpha1.BGPNodeList
	)
	for _, list := range []crclient.ObjectList{&services, &endpoints, &nodes, &pools, &peers, &adverts, &profiles, &statuses} {
		if err := api.List(ctx, list); err != nil {
			return nil, err
		}
	}
	if err := api.List(ctx, &secrets, crclient.InNamespace(lab.SecretsNamespace)); err != nil {
		return nil, err
	}
	return &world{
		services: slices.DeleteFunc(services.Items, func(s corev1.Service) bool { return s.Name == "kubernetes" }),
		slices:   endpoints.Items, nodes: nodes.Items, secrets: secrets.Items,
		pools: pools.Items, peers: peers.Items, adverts: adverts.Items, profiles: profiles.Items, statuses: statuses.Items,
	}, nil
}
