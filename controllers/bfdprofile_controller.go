package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// profileReconciler writes the status of BFDProfiles.
type profileReconciler struct {
	client client.Client
	fleet  *fleet
	pace   pace
}

func (r *profileReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("bfdprofile").
		For(&v1alpha1.BFDProfile{}).
		WatchesRawSource(r.fleet.profiles.source()).
		Complete(r)
}

// Reconcile writes one profile's status, if it has changed.
func (r *profileReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if request.NamespacedName == allRequest {
		return ctrl.Result{}, enqueueAll(ctx, r.client, &v1alpha1.BFDProfileList{}, &r.fleet.profiles)
	}
	profile := &v1alpha1.BFDProfile{}
	if err := r.client.Get(ctx, request.NamespacedName, profile); err != nil {
		r.pace.forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	updated := profile.DeepCopy()
	changed := false
	known, err := r.fleet.read(ctx, func(fleet *status.Fleet) { changed = status.ApplyProfile(updated, fleet) })
	if err != nil || !known || !changed {
		return later(!known), err
	}
	if wait := r.pace.take(request.NamespacedName); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if err := patchStatus(ctx, r.client, updated, client.MergeFrom(profile)); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("BFD profile %q: status: %w", profile.Name, err)
	}
	return ctrl.Result{}, nil
}
