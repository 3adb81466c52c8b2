// Package v1alpha1 holds the Kinds of the API group herald-lb.io.
//
// Stage: the input that operators write (IPAddressPool, BGPPeer,
// BGPAdvertisement) and the truth that Herald writes back (BGPSession, BGPNode,
// and the conditions listed in conditions.go). These types stop at
// controllers/compile: no template and no part of the reloader sees them.
//
// All Kinds are cluster-scoped: routers and address plans belong to the cluster.
//
// +kubebuilder:object:generate=true
// +groupName=herald-lb.io
package v1alpha1
