package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
)

const (
	// settleTime is how long what the nodes should announce must be the same
	// before their reports are taken to be about it: a BGPNode says that it isn't
	// Programmed only when an apply takes longer than the agent's grace.
	settleTime = 1200 * time.Millisecond
	// sweepInterval is how often all Services are looked at at most, while
	// sessions and nodes change in a burst.
	sweepInterval = 500 * time.Millisecond
	// sliceService indexes EndpointSlices by the Service that they belong to.
	sliceService = "service"
	// announceAction of the events about announcement.
	announceAction = "Announce"
)

// announcedReconciler writes the condition herald-lb.io/Announced of Services.
type announcedReconciler struct {
	client   client.Client
	fleet    *fleet
	claim    *claim
	recorder events.EventRecorder
	limiter  *status.Limiter
	// wanted is what the nodes should announce of each Service, and since when.
	wanted map[types.NamespacedName]wanted
	swept  time.Time
}

type wanted struct {
	what  uint64
	since time.Time
}

func (r *announcedReconciler) setup(mgr ctrl.Manager) error {
	r.limiter, r.wanted = status.NewLimiter(), map[types.NamespacedName]wanted{}
	index := func(object client.Object) []string {
		return []string{object.GetLabels()[discoveryv1.LabelServiceName]}
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &discoveryv1.EndpointSlice{}, sliceService, index); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("announced").
		For(&corev1.Service{}, builder.WithPredicates(predicate.NewPredicateFuncs(r.isOrWasHeralds))).
		Watches(&discoveryv1.EndpointSlice{}, handler.EnqueueRequestsFromMapFunc(serviceOfSlice), builder.WithPredicates(usableChanged)).
		WatchesRawSource(r.fleet.services.source()).
		Complete(r)
}

func (r *announcedReconciler) isOrWasHeralds(object client.Object) bool {
	service, ok := object.(*corev1.Service)
	return ok && (r.claim.isHeralds(service) || status.HasMarks(service))
}

func serviceOfSlice(_ context.Context, object client.Object) []ctrl.Request {
	name := object.GetLabels()[discoveryv1.LabelServiceName]
	if name == "" {
		return nil
	}
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name}}}
}

// usableChanged leaves out changes of endpoints that change nothing for BGP.
var usableChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	old, _ := e.ObjectOld.(*discoveryv1.EndpointSlice)
	now, _ := e.ObjectNew.(*discoveryv1.EndpointSlice)
	if old == nil || now == nil {
		return false
	}
	_, before := snapshot.TrimSlice(old, snapshot.AllNodes)
	_, after := snapshot.TrimSlice(now, snapshot.AllNodes)
	return !sameSlice(before, after)
}}

// Reconcile writes one Service's condition, if its reason has changed and it is
// time to.
func (r *announcedReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if request.NamespacedName == allRequest {
		return r.sweep(), nil
	}
	// 1. The Service, if it is Herald's and allocation has had its say.
	service := &corev1.Service{}
	err := r.client.Get(ctx, request.NamespacedName, service)
	if err != nil || !r.claim.isHeralds(service) {
		r.limiter.Forget(request.NamespacedName)
		delete(r.wanted, request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if _, tracked := r.wanted[request.NamespacedName]; !tracked {
		r.wanted[request.NamespacedName] = wanted{since: time.Now()}
	}
	if !status.HasMarks(service) {
		return ctrl.Result{}, nil
	}
	// 2. What should be, and what is.
	announced, known, err := r.ask(ctx, service)
	if err != nil || !known {
		return later(!known), err
	}
	// 3. Write, when it has settled and within bounds.
	wait := r.settle(request.NamespacedName, announced.Wanted)
	if status.SaysAnnounced(service, announced.Reason) {
		return ctrl.Result{}, nil
	}
	if wait == 0 {
		wait = r.limiter.Take(request.NamespacedName, time.Now())
	}
	if wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	return ctrl.Result{}, r.write(ctx, service, announced.Reason)
}

// ask compile and the nodes' reports.
func (r *announcedReconciler) ask(ctx context.Context, service *corev1.Service) (announced status.Announced, known bool, err error) {
	slices := &discoveryv1.EndpointSliceList{}
	err = r.client.List(ctx, slices, client.InNamespace(service.Namespace), client.MatchingFields{sliceService: service.Name})
	if err != nil {
		return announced, false, fmt.Errorf("service %q: list of EndpointSlices: %w", client.ObjectKeyFromObject(service), err)
	}
	trimmed := make(map[string]*snapshot.Slice, len(slices.Items))
	for i := range slices.Items {
		if _, slice := snapshot.TrimSlice(&slices.Items[i], snapshot.AllNodes); slice != nil {
			trimmed[slices.Items[i].Name] = slice
		}
	}
	subject := compile.Subject{Service: snapshot.TrimService(service), Slices: trimmed}
	namespace := &corev1.Namespace{}
	switch err := r.client.Get(ctx, client.ObjectKey{Name: service.Namespace}, namespace); {
	case err == nil:
		subject.Namespace = snapshot.TrimNamespace(namespace)
	case !apierrors.IsNotFound(err): // fleet tells when it is seen
		return announced, false, fmt.Errorf("service %q: namespace: %w", client.ObjectKeyFromObject(service), err)
	}
	known, err = r.fleet.read(ctx, func(fleet *status.Fleet) { announced = status.AnnouncedOf(fleet, subject) })
	return announced, known, err
}

// settle says how long to wait until what is wanted has been the same for
// settleTime.
func (r *announcedReconciler) settle(key types.NamespacedName, what uint64) time.Duration {
	now := time.Now()
	if r.wanted[key].what != what {
		r.wanted[key] = wanted{what: what, since: now}
	}
	return max(0, settleTime-now.Sub(r.wanted[key].since))
}

func (r *announcedReconciler) write(ctx context.Context, service *corev1.Service, reason string) error {
	updated := service.DeepCopy()
	status.ApplyAnnounced(updated, reason)
	// Conditions merge by type: no other writer's is touched.
	err := patchStatus(ctx, r.client, updated, client.StrategicMergeFrom(service))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("service %q: status: %w", client.ObjectKeyFromObject(service), err)
	}
	if transition, worth := status.TransitionOfAnnounced(service, updated); err == nil && worth {
		kind := corev1.EventTypeNormal
		if transition.Warning {
			kind = corev1.EventTypeWarning
		}
		r.recorder.Eventf(service, nil, kind, transition.Reason, announceAction, "%s", transition.Message)
	}
	return nil
}

// sweep looks at all Services: a change of policy or of a session may concern
// each of them.
func (r *announcedReconciler) sweep() ctrl.Result {
	if wait := sweepInterval - time.Since(r.swept); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}
	}
	r.swept = time.Now()
	for key := range r.wanted {
		r.fleet.services.enqueue(key)
	}
	return ctrl.Result{}
}

func sameSlice(a, b *snapshot.Slice) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Family != b.Family || a.Usable != b.Usable || len(a.Nodes) != len(b.Nodes) {
		return false
	}
	for i := range a.Nodes {
		if a.Nodes[i] != b.Nodes[i] {
			return false
		}
	}
	return true
}
