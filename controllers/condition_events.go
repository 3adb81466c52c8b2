package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// conditionAction of all events about conditions of Herald's own objects.
const conditionAction = "Report"

// tellConditions makes events of the transitions of conditions of every Kind of
// Herald's, whoever writes them: a router that is gone is an event of its BGPPeer,
// not of each session. Only the manager that leads tells, and only what it has seen
// change: nothing old is told again after a restart.
func tellConditions(mgr ctrl.Manager, recorder events.EventRecorder) error {
	kinds, err := conditionedKinds(mgr.GetScheme())
	if err != nil {
		return err
	}
	handler := toolscache.ResourceEventHandlerFuncs{UpdateFunc: func(old, now any) {
		select {
		case <-mgr.Elected():
			tellTransitions(recorder, old, now)
		default:
		}
	}}
	for kind := range kinds {
		object, err := mgr.GetScheme().New(v1alpha1.GroupVersion.WithKind(kind))
		if err != nil {
			return err
		}
		informer, err := mgr.GetCache().GetInformer(context.Background(), object.(client.Object), cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch of %s: %w", kind, err)
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch of %s: %w", kind, err)
		}
	}
	return nil
}

func tellTransitions(recorder events.EventRecorder, old, now any) {
	before, ok := old.(v1alpha1.Conditioned)
	after, same := now.(v1alpha1.Conditioned)
	object, isObject := now.(client.Object)
	if !ok || !same || !isObject || old.(client.Object).GetUID() != object.GetUID() {
		return
	}
	for _, transition := range status.TransitionsOf(before.GetConditions(), after.GetConditions()) {
		kind := corev1.EventTypeNormal
		if transition.Warning {
			kind = corev1.EventTypeWarning
		}
		recorder.Eventf(object, nil, kind, transition.Reason, conditionAction, "%s", transition.Message)
	}
}
