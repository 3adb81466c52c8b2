package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// advertisementReconciler writes the status of BGPAdvertisements.
type advertisementReconciler struct {
	client client.Client
	fleet  *fleet
	pace   pace
}

func (r *advertisementReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("bgpadvertisement").
		For(&v1alpha1.BGPAdvertisement{}).
		WatchesRawSource(r.fleet.advertisements.source()).
		Complete(r)
}

// Reconcile writes one advertisement's status, if it has changed.
func (r *advertisementReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if request.NamespacedName == allRequest {
		return ctrl.Result{}, enqueueAll(ctx, r.client, &v1alpha1.BGPAdvertisementList{}, &r.fleet.advertisements)
	}
	advertisement := &v1alpha1.BGPAdvertisement{}
	if err := r.client.Get(ctx, request.NamespacedName, advertisement); err != nil {
		r.pace.forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	updated := advertisement.DeepCopy()
	changed := false
	known, err := r.fleet.read(ctx, func(fleet *status.Fleet) { changed = status.ApplyAdvertisement(updated, fleet) })
	if err != nil || !known || !changed {
		return later(!known), err
	}
	if wait := r.pace.take(request.NamespacedName); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if err := patchStatus(ctx, r.client, updated, client.MergeFrom(advertisement)); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("advertisement %q: status: %w", advertisement.Name, err)
	}
	return ctrl.Result{}, nil
}
