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
	kinds  map[string]client.ObjectList
}

func registerMetrics(registry prometheus.Registerer, scheme *runtime.Scheme, gather *clusterMetrics) error {
	if registry == nil {
		return nil
	}
	var err error
	if gather.kinds, err = conditionedKinds(scheme); err != nil {
		return err
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
	for kind, list := range g.kinds {
		// Read only: nothing of the cache is kept.
		list := list.DeepCopyObject().(client.ObjectList)
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
	conditioned, ok := object.(v1alpha1.Conditioned)
	if !ok {
		return
	}
	if accepted := meta.FindStatusCondition(conditioned.GetConditions(), v1alpha1.ConditionAccepted); accepted != nil && accepted.Status == metav1.ConditionFalse {
		cluster.Refused[metrics.Refused{Kind: kind, Reason: accepted.Reason}]++
	}
}

// conditionedKinds are an empty list of each Kind of Herald's that has conditions.
func conditionedKinds(scheme *runtime.Scheme) (map[string]client.ObjectList, error) {
	kinds := map[string]client.ObjectList{}
	for kind := range scheme.KnownTypes(v1alpha1.GroupVersion) {
		object, err := scheme.New(v1alpha1.GroupVersion.WithKind(kind))
		if err != nil {
			return nil, err
		}
		if _, ok := object.(v1alpha1.Conditioned); !ok {
			continue
		}
		list, err := scheme.New(v1alpha1.GroupVersion.WithKind(kind + "List"))
		if err != nil {
			return nil, err
		}
		kinds[kind] = list.(client.ObjectList)
	}
	return kinds, nil
}
