package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// snippetReconciler writes the status of FRRSnippets.
type snippetReconciler struct {
	client client.Client
	fleet  *fleet
	pace   pace
}

func (r *snippetReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("frrsnippet").
		For(&v1alpha1.FRRSnippet{}).
		WatchesRawSource(r.fleet.snippets.source()).
		Complete(r)
}

// Reconcile writes one snippet's status, if it has changed.
func (r *snippetReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if request.NamespacedName == allRequest {
		return ctrl.Result{}, enqueueAll(ctx, r.client, &v1alpha1.FRRSnippetList{}, &r.fleet.snippets)
	}
	snippet := &v1alpha1.FRRSnippet{}
	if err := r.client.Get(ctx, request.NamespacedName, snippet); err != nil {
		r.pace.forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	updated := snippet.DeepCopy()
	changed := false
	known, err := r.fleet.read(ctx, func(fleet *status.Fleet) { changed = status.ApplySnippet(updated, fleet) })
	if err != nil || !known || !changed {
		return later(!known), err
	}
	if wait := r.pace.take(request.NamespacedName); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if err := patchStatus(ctx, r.client, updated, client.MergeFrom(snippet)); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("FRR snippet %q: status: %w", snippet.Name, err)
	}
	return ctrl.Result{}, nil
}
