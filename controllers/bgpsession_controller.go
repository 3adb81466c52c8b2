package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Fields that BGPSessions are indexed by.
const (
	sessionNode = "spec.node"
	sessionPeer = "spec.peer"
)

// onlyDeletes: what is gone takes others with it.
var onlyDeletes = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	UpdateFunc: func(event.UpdateEvent) bool { return false },
}

// sessionReconciler removes BGPSessions whose Node or BGPPeer is gone. Their
// agents remove them too, but where a Node is gone there is no agent.
type sessionReconciler struct {
	client client.Client
	live   client.Reader
}

func (r *sessionReconciler) setup(mgr ctrl.Manager) error {
	for field, value := range map[string]func(*v1alpha1.BGPSession) string{
		sessionNode: func(s *v1alpha1.BGPSession) string { return s.Spec.Node },
		sessionPeer: func(s *v1alpha1.BGPSession) string { return s.Spec.Peer },
	} {
		index := func(object client.Object) []string {
			session, ok := object.(*v1alpha1.BGPSession)
			if !ok {
				return nil
			}
			return []string{value(session)}
		}
		if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.BGPSession{}, field, index); err != nil {
			return err
		}
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("bgpsession").
		For(&v1alpha1.BGPSession{}, builder.WithPredicates(specChanged())).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.sessionsBy(sessionNode)), builder.WithPredicates(onlyDeletes)).
		Watches(&v1alpha1.BGPPeer{}, handler.EnqueueRequestsFromMapFunc(r.sessionsBy(sessionPeer)), builder.WithPredicates(onlyDeletes)).
		Complete(r)
}

func (r *sessionReconciler) sessionsBy(field string) handler.MapFunc {
	return func(ctx context.Context, object client.Object) []ctrl.Request {
		list := &v1alpha1.BGPSessionList{}
		if err := r.client.List(ctx, list, client.MatchingFields{field: object.GetName()}); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "list of BGPSessions in the cache")
		}
		requests := make([]ctrl.Request, 0, len(list.Items))
		for i := range list.Items {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
		return requests
	}
}

// Reconcile removes one BGPSession if its Node or its peer is gone.
func (r *sessionReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	session := &v1alpha1.BGPSession{}
	if err := r.client.Get(ctx, request.NamespacedName, session); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	for kind, of := range map[client.Object]string{&corev1.Node{}: session.Spec.Node, &v1alpha1.BGPPeer{}: session.Spec.Peer} {
		gone, err := isGone(ctx, r.client, r.live, kind, of)
		if err != nil {
			return ctrl.Result{}, fmt.Errorf("session %q: %w", session.Name, err)
		}
		if !gone {
			continue
		}
		ctrl.LoggerFrom(ctx).Info("removing BGPSession: its node or peer is gone", "node", session.Spec.Node, "peer", session.Spec.Peer)
		if err := remove(ctx, r.client, session); err != nil {
			return ctrl.Result{}, fmt.Errorf("session %q: delete: %w", session.Name, err)
		}
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, nil
}

// isGone says whether a cluster-scoped object doesn't exist. The cache may not
// have a new one yet: before anything is removed for it, the API server is asked.
func isGone(ctx context.Context, cached, live client.Reader, object client.Object, name string) (bool, error) {
	err := cached.Get(ctx, client.ObjectKey{Name: name}, object)
	if !apierrors.IsNotFound(err) {
		return false, err
	}
	err = live.Get(ctx, client.ObjectKey{Name: name}, object)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return false, err
}
