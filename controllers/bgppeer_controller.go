package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// peerReconciler writes the status of BGPPeers.
type peerReconciler struct {
	client client.Client
	fleet  *fleet
	pace   pace
}

func (r *peerReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("bgppeer").
		For(&v1alpha1.BGPPeer{}).
		WatchesRawSource(r.fleet.peers.source()).
		Complete(r)
}

// Reconcile writes one peer's status, if it has changed.
func (r *peerReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if request.NamespacedName == allRequest {
		return ctrl.Result{}, enqueueAll(ctx, r.client, &v1alpha1.BGPPeerList{}, &r.fleet.peers)
	}
	peer := &v1alpha1.BGPPeer{}
	if err := r.client.Get(ctx, request.NamespacedName, peer); err != nil {
		r.pace.forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	updated := peer.DeepCopy()
	changed := false
	known, err := r.fleet.read(ctx, func(fleet *status.Fleet) { changed = status.ApplyPeer(updated, fleet) })
	if err != nil || !known || !changed {
		return later(!known), err
	}
	if wait := r.pace.take(request.NamespacedName); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	patch, err := wholeStatus(updated.Status)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("peer %q: status: %w", peer.Name, err)
	}
	if err := patchStatus(ctx, r.client, updated, patch); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("peer %q: status: %w", peer.Name, err)
	}
	return ctrl.Result{}, nil
}
