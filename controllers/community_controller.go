package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// communityReconciler writes the status of Communities.
type communityReconciler struct {
	client client.Client
	fleet  *fleet
	pace   pace
}

func (r *communityReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("community").
		For(&v1alpha1.Community{}).
		WatchesRawSource(r.fleet.communities.source()).
		Complete(r)
}

// Reconcile writes one Community's status, if it has changed.
func (r *communityReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if request.NamespacedName == allRequest {
		return ctrl.Result{}, enqueueAll(ctx, r.client, &v1alpha1.CommunityList{}, &r.fleet.communities)
	}
	community := &v1alpha1.Community{}
	if err := r.client.Get(ctx, request.NamespacedName, community); err != nil {
		r.pace.forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	updated := community.DeepCopy()
	changed := false
	known, err := r.fleet.read(ctx, func(fleet *status.Fleet) { changed = status.ApplyCommunity(updated, fleet) })
	if err != nil || !known || !changed {
		return later(!known), err
	}
	if wait := r.pace.take(request.NamespacedName); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if err := patchStatus(ctx, r.client, updated, client.MergeFrom(community)); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("community %q: status: %w", community.Name, err)
	}
	return ctrl.Result{}, nil
}
