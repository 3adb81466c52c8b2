package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/herald-lb/herald/controllers/allocator"
	"github.com/herald-lb/herald/controllers/status"
)

const (
	// statusWriters is how many statuses of Services are written at the same time:
	// one write is mostly waiting for etcd.
	statusWriters = 8
	// allocateAction of all events about allocation.
	allocateAction = "Allocate"
)

// statusWriter writes what serviceReconciler has decided into the status of
// Services.
type statusWriter struct {
	client client.Client
	alloc  *allocation
	claim  *claim
	// self is asked by serviceReconciler.
	self *trigger
	tell teller
}

func (r *statusWriter) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("service-status").
		WatchesRawSource(r.self.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: statusWriters}).
		Complete(r)
}

// Reconcile writes one Service's status, provided that it is as it was when it
// was decided about: a newer one is decided about anew, and asks again.
func (r *statusWriter) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	service := &corev1.Service{}
	if err := r.client.Get(ctx, request.NamespacedName, service); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	updated := service.DeepCopy()
	if !r.apply(updated) {
		return ctrl.Result{}, nil
	}
	patch := client.StrategicMergeFrom(service, client.MergeFromWithOptimisticLock{})
	err := patchStatus(ctx, r.client, updated, patch)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("service %q: status: %w", request, err)
	}
	if transition, worth := status.TransitionOf(service, updated); worth {
		r.tell.about(service, transition)
	}
	return ctrl.Result{}, nil
}

// apply says whether there is something to write.
func (r *statusWriter) apply(service *corev1.Service) bool {
	key := client.ObjectKeyFromObject(service)
	if !r.claim.isHeralds(service) {
		return !r.alloc.has(key) && status.ClearService(service)
	}
	return r.alloc.begin(key, status.VersionOf(service), func(decision allocator.Decision) bool {
		return status.ApplyDecision(service, decision)
	})
}

// teller sends the events about allocation.
type teller struct{ recorder events.EventRecorder }

func (t teller) about(service *corev1.Service, transition status.Transition) {
	kind := corev1.EventTypeNormal
	if transition.Warning {
		kind = corev1.EventTypeWarning
	}
	t.recorder.Eventf(service, nil, kind, transition.Reason, allocateAction, "%s", transition.Message)
}
