package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// verdictReconciler writes the status of a Kind of which status says what becomes
// of an object on the nodes: what policies make of it and what agents report.
type verdictReconciler[T any, P interface {
	*T
	client.Object
}] struct {
	client client.Client
	fleet  *fleet
	pace   pace
	// kind names the objects in errors.
	kind string
	list client.ObjectList
	// trigger tells which objects to look at again.
	trigger *trigger
	// apply writes the status into the object and says whether that changed anything.
	apply func(P, *status.Fleet) bool
	// patch is what to send; nil: what differs.
	patch func(P) (client.Patch, error)
}

// verdicts are the reconcilers of all such Kinds, by the controllers' names.
func verdicts(c client.Client, f *fleet) map[string]func(ctrl.Manager) error {
	return map[string]func(ctrl.Manager) error{
		"bgppeer": (&verdictReconciler[v1alpha1.BGPPeer, *v1alpha1.BGPPeer]{
			client: c, fleet: f, kind: "peer", list: &v1alpha1.BGPPeerList{}, trigger: &f.peers, apply: status.ApplyPeer,
			patch: func(peer *v1alpha1.BGPPeer) (client.Patch, error) { return wholeStatus(peer.Status) },
		}).setup("bgppeer"),
		"bgpadvertisement": (&verdictReconciler[v1alpha1.BGPAdvertisement, *v1alpha1.BGPAdvertisement]{
			client: c, fleet: f, kind: "advertisement", list: &v1alpha1.BGPAdvertisementList{}, trigger: &f.advertisements, apply: status.ApplyAdvertisement,
		}).setup("bgpadvertisement"),
		"community": (&verdictReconciler[v1alpha1.Community, *v1alpha1.Community]{
			client: c, fleet: f, kind: "community", list: &v1alpha1.CommunityList{}, trigger: &f.communities, apply: status.ApplyCommunity,
		}).setup("community"),
		"bfdprofile": (&verdictReconciler[v1alpha1.BFDProfile, *v1alpha1.BFDProfile]{
			client: c, fleet: f, kind: "BFD profile", list: &v1alpha1.BFDProfileList{}, trigger: &f.profiles, apply: status.ApplyProfile,
		}).setup("bfdprofile"),
		"frrsnippet": (&verdictReconciler[v1alpha1.FRRSnippet, *v1alpha1.FRRSnippet]{
			client: c, fleet: f, kind: "FRR snippet", list: &v1alpha1.FRRSnippetList{}, trigger: &f.snippets, apply: status.ApplySnippet,
		}).setup("frrsnippet"),
		"flowpolicy": (&verdictReconciler[v1alpha1.FlowPolicy, *v1alpha1.FlowPolicy]{
			client: c, fleet: f, kind: "flow policy", list: &v1alpha1.FlowPolicyList{}, trigger: &f.flows, apply: status.ApplyFlowPolicy,
			patch: func(policy *v1alpha1.FlowPolicy) (client.Patch, error) { return wholeStatus(policy.Status) },
		}).setup("flowpolicy"),
	}
}

func (r *verdictReconciler[T, P]) setup(name string) func(ctrl.Manager) error {
	return func(mgr ctrl.Manager) error {
		return ctrl.NewControllerManagedBy(mgr).
			Named(name).
			For(P(new(T))).
			WatchesRawSource(r.trigger.source()).
			Complete(r)
	}
}

// Reconcile writes one object's status, if it has changed.
func (r *verdictReconciler[T, P]) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if request.NamespacedName == allRequest {
		return ctrl.Result{}, enqueueAll(ctx, r.client, r.list.DeepCopyObject().(client.ObjectList), r.trigger)
	}
	object := P(new(T))
	if err := r.client.Get(ctx, request.NamespacedName, object); err != nil {
		r.pace.forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	updated := object.DeepCopyObject().(P)
	changed := false
	known, err := r.fleet.read(ctx, func(fleet *status.Fleet) { changed = r.apply(updated, fleet) })
	if err != nil || !known || !changed {
		return later(!known), err
	}
	if wait := r.pace.take(request.NamespacedName); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	patch := client.MergeFrom(object)
	if r.patch != nil {
		if patch, err = r.patch(updated); err != nil {
			return ctrl.Result{}, fmt.Errorf("%s %q: status: %w", r.kind, request.Name, err)
		}
	}
	if err := patchStatus(ctx, r.client, updated, patch); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("%s %q: status: %w", r.kind, request.Name, err)
	}
	return ctrl.Result{}, nil
}
