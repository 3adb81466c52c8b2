package controllers

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/metrics"
)

// clusterMetrics gathers what the manager tells Prometheus. Of two managers the one
// that leads tells: sums over both would be wrong.
type clusterMetrics struct {
	client client.Reader
	alloc  *allocation
}

func registerMetrics(registry prometheus.Registerer, gather *clusterMetrics) error {
	if registry == nil {
		return nil
	}
	return registry.Register(&metrics.Manager{Cluster: gather.cluster})
}

// cluster is nil while this manager doesn't lead, or not everything is known.
func (g *clusterMetrics) cluster() *metrics.Cluster {
	cluster := g.alloc.counted()
	if cluster == nil {
		return nil
	}
	cluster.Refused, cluster.Reporting = map[metrics.Refused]int{}, map[string]bool{}
	for kind, list := range map[string]client.ObjectList{
		"IPAddressPool": &v1alpha1.IPAddressPoolList{}, "BGPPeer": &v1alpha1.BGPPeerList{}, "BGPAdvertisement": &v1alpha1.BGPAdvertisementList{},
		"BFDProfile": &v1alpha1.BFDProfileList{}, "Community": &v1alpha1.CommunityList{}, "FRRSnippet": &v1alpha1.FRRSnippetList{},
		"Herald": &v1alpha1.HeraldList{}, "BGPNode": &v1alpha1.BGPNodeList{},
	} {
		// Read only: nothing of the cache is kept.
		if err := g.client.List(context.Background(), list, client.UnsafeDisableDeepCopy); err != nil {
			ctrl.Log.WithName("metrics").Error(err, "list in the cache", "kind", kind)
			return nil
		}
		_ = meta.EachListItem(list, func(object runtime.Object) error {
			note(cluster, kind, object)
			return nil
		})
	}
	return cluster
}

func note(cluster *metrics.Cluster, kind string, object runtime.Object) {
	switch object := object.(type) {
	case *v1alpha1.BGPNode:
		ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
		cluster.Reporting[object.Name] = ready != nil && ready.Reason != v1alpha1.ReasonAgentNotReporting
		return
	case *v1alpha1.Herald:
		cluster.Nodes = &object.Status.Nodes
	}
	if accepted := meta.FindStatusCondition(conditionsOf(object), v1alpha1.ConditionAccepted); accepted != nil && accepted.Status == metav1.ConditionFalse {
		cluster.Refused[metrics.Refused{Kind: kind, Reason: accepted.Reason}]++
	}
}

func conditionsOf(object runtime.Object) []metav1.Condition {
	switch object := object.(type) {
	case *v1alpha1.IPAddressPool:
		return object.Status.Conditions
	case *v1alpha1.BGPPeer:
		return object.Status.Conditions
	case *v1alpha1.BGPAdvertisement:
		return object.Status.Conditions
	case *v1alpha1.BFDProfile:
		return object.Status.Conditions
	case *v1alpha1.Community:
		return object.Status.Conditions
	case *v1alpha1.FRRSnippet:
		return object.Status.Conditions
	case *v1alpha1.Herald:
		return object.Status.Conditions
	}
	return nil
}
