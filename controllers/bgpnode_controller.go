package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// nodeStatusReconciler looks after BGPNodes where no agent does: it removes
// those whose Node is gone. (Here belongs Ready=Unknown, AgentNotReporting, from
// the readiness of the agent's pod.)
type nodeStatusReconciler struct {
	client client.Client
	live   client.Reader
}

func (r *nodeStatusReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("bgpnode").
		For(&v1alpha1.BGPNode{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Node{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(onlyDeletes)). // of the same name
		Complete(r)
}

// Reconcile removes one BGPNode if its Node is gone.
func (r *nodeStatusReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	node := &v1alpha1.BGPNode{}
	if err := r.client.Get(ctx, request.NamespacedName, node); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	gone, err := isGone(ctx, r.client, r.live, &corev1.Node{}, node.Name)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("BGPNode %q: %w", node.Name, err)
	}
	if !gone {
		return ctrl.Result{}, nil
	}
	ctrl.LoggerFrom(ctx).Info("removing BGPNode: its Node is gone")
	if err := remove(ctx, r.client, node); err != nil {
		return ctrl.Result{}, fmt.Errorf("BGPNode %q: delete: %w", node.Name, err)
	}
	return ctrl.Result{}, nil
}
