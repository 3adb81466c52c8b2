package controllers

import (
	"context"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/allocator"
	"github.com/herald-lb/herald/controllers/pools"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
)

// pageSize of live LISTs.
const pageSize = 500

// poolsRequest asks the Services' reconciler to look at the pools: no Service
// has an empty name.
var poolsRequest = types.NamespacedName{}

// serviceReconciler decides which addresses Services of type LoadBalancer have. It
// has one worker: decisions are made one after the other, and don't wait for the
// API server. What they come to is written by statusWriter.
type serviceReconciler struct {
	client client.Client
	// live reads past the cache.
	live  client.Reader
	alloc *allocation
	// writes asks for Services whose status isn't what was decided.
	writes *trigger
	// pools asks for the status of pools whose counts have changed.
	pools *trigger
	// unseen are the versions of Services in the live LIST that the cache hasn't
	// shown yet.
	unseen map[types.NamespacedName]uint64
	tell   teller
	// annotations that are read: fallback, and what the Herald object adds.
	annotations atomic.Pointer[status.Annotations]
	fallback    status.Annotations
	// claim says which Services are Herald's.
	claim *claim
	// self asks for a look at everything.
	self trigger
}

// heed takes which Services are Herald's and which annotations are read from the
// Herald object, nil where there is none. Others than before: everything is asked
// for again, as by a new leader.
func (r *serviceReconciler) heed(herald *v1alpha1.Herald) {
	claims := r.claim.set(snapshot.SettingsOf(herald))
	next := r.fallback
	if herald != nil {
		next.MetalLB = next.MetalLB || herald.Spec.Compatibility.MetalLBAnnotations
	}
	if before := r.annotations.Swap(&next); claims || before != nil && *before != next {
		r.alloc.outdate()
		r.self.enqueue(poolsRequest)
	}
}

func (r *serviceReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("service").
		For(&corev1.Service{}, builder.WithPredicates(r.concerned())).
		Watches(&v1alpha1.IPAddressPool{}, handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
			return []ctrl.Request{{NamespacedName: poolsRequest}}
		}), builder.WithPredicates(specChanged())).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.servicesIn), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WatchesRawSource(r.self.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Complete(r)
}

// concerned are the Services that are or were Herald's.
func (r *serviceReconciler) concerned() predicate.Predicate {
	isOne := func(object client.Object) bool {
		service, ok := object.(*corev1.Service)
		return ok && (r.claim.isHeralds(service) || status.HasMarks(service) || r.alloc.has(client.ObjectKeyFromObject(service)))
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return isOne(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return isOne(e.ObjectOld) || isOne(e.ObjectNew) },
		DeleteFunc: func(e event.DeleteEvent) bool { return isOne(e.Object) },
	}
}

// servicesIn a namespace: its labels say which pools serve them.
func (r *serviceReconciler) servicesIn(_ context.Context, namespace client.Object) []ctrl.Request {
	var requests []ctrl.Request
	for _, key := range r.alloc.servicesIn(namespace.GetName()) {
		requests = append(requests, ctrl.Request{NamespacedName: key})
	}
	return requests
}

// Reconcile decides for one Service.
func (r *serviceReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	// 1. Know what the cluster has before anything is given out.
	if !r.alloc.isReady() {
		if err := r.rebuild(ctx); err != nil {
			return ctrl.Result{}, err
		}
	}
	if request.NamespacedName == poolsRequest {
		return ctrl.Result{}, r.reconcilePools(ctx)
	}
	// 2. The Service as it is now.
	service, err := r.get(ctx, request.NamespacedName)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("service %q: %w", request, err)
	}
	if service == nil {
		r.spread(ctx, r.alloc.remove(request.NamespacedName))
		return ctrl.Result{}, nil
	}
	// 3. Decide, 4. have it written.
	return ctrl.Result{}, r.decide(ctx, service)
}

func (r *serviceReconciler) decide(ctx context.Context, service *corev1.Service) error {
	key := client.ObjectKeyFromObject(service)
	if !r.claim.isHeralds(service) {
		r.spread(ctx, r.alloc.remove(key))
		r.writes.enqueue(key)
		return nil
	}
	namespace := &corev1.Namespace{}
	if err := r.client.Get(ctx, types.NamespacedName{Name: key.Namespace}, namespace); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("service %q: namespace: %w", key, err)
	}
	decision, effects := r.alloc.set(r.annotations.Load().DemandOf(service, namespace.Labels))
	r.spread(ctx, effects)
	if status.ApplyDecision(service.DeepCopy(), decision) {
		r.writes.enqueue(key)
	}
	return nil
}

// get is the Service in the cache, nil if there is none. Where the cache may
// still be behind the live LIST, the API server is asked.
func (r *serviceReconciler) get(ctx context.Context, key types.NamespacedName) (*corev1.Service, error) {
	service := &corev1.Service{}
	err := r.client.Get(ctx, key, service)
	if listed, unseen := r.unseen[key]; unseen && (apierrors.IsNotFound(err) || err == nil && status.VersionOf(service) < listed) {
		err = r.live.Get(ctx, key, service)
	} else if err == nil {
		delete(r.unseen, key)
	}
	if apierrors.IsNotFound(err) {
		delete(r.unseen, key)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return service, nil
}

// reconcilePools reads the pools live: the cache may still have a pool as it was
// before the live LIST, and would move what is now in it.
func (r *serviceReconciler) reconcilePools(ctx context.Context) error {
	set, err := r.listPools(ctx)
	if err != nil {
		return err
	}
	r.spread(ctx, r.alloc.setPools(set))
	return nil
}

func (r *serviceReconciler) listPools(ctx context.Context) (*pools.Set, error) {
	list := &v1alpha1.IPAddressPoolList{}
	if err := r.live.List(ctx, list); err != nil {
		return nil, fmt.Errorf("list of IPAddressPools: %w", err)
	}
	set, _ := pools.Accept(pointers(list.Items))
	return set, nil
}

// rebuild is a new leader's first step: what the API server has now, not what
// the cache had some time ago.
func (r *serviceReconciler) rebuild(ctx context.Context) error {
	set, err := r.listPools(ctx)
	if err != nil {
		return err
	}
	if err := r.learnClaim(ctx); err != nil {
		return err
	}
	demands, left, err := r.listDemands(ctx)
	if err != nil {
		return err
	}
	r.unseen = make(map[types.NamespacedName]uint64, len(demands))
	for i := range demands {
		r.unseen[demands[i].Service] = demands[i].Version
	}
	r.spread(ctx, r.alloc.rebuild(set, demands))
	r.writes.enqueue(left...)
	ctrl.LoggerFrom(ctx).Info("took over allocation", "services", len(demands), "pools", len(set.Pools))
	return nil
}

// learnClaim reads the Herald object live: Services of another load balancer must
// get nothing, and the cache may not have the object yet.
func (r *serviceReconciler) learnClaim(ctx context.Context) error {
	herald := &v1alpha1.Herald{}
	err := r.live.Get(ctx, types.NamespacedName{Name: v1alpha1.HeraldName}, herald)
	if apierrors.IsNotFound(err) {
		herald = nil
	} else if err != nil {
		return fmt.Errorf("herald %q: %w", v1alpha1.HeraldName, err)
	}
	r.claim.set(snapshot.SettingsOf(herald))
	return nil
}

// listDemands are those of Herald's Services, and left the Services that were
// Herald's and aren't any more.
func (r *serviceReconciler) listDemands(ctx context.Context) (demands []allocator.Demand, left []types.NamespacedName, err error) {
	namespaces := &corev1.NamespaceList{}
	if err := r.live.List(ctx, namespaces); err != nil {
		return nil, nil, fmt.Errorf("list of Namespaces: %w", err)
	}
	labels := make(map[string]map[string]string, len(namespaces.Items))
	for i := range namespaces.Items {
		labels[namespaces.Items[i].Name] = namespaces.Items[i].Labels
	}
	for page := ""; ; {
		list := &corev1.ServiceList{}
		if err := r.live.List(ctx, list, client.Limit(pageSize), client.Continue(page)); err != nil {
			return nil, nil, fmt.Errorf("list of Services: %w", err)
		}
		for i := range list.Items {
			switch service := &list.Items[i]; {
			case r.claim.isHeralds(service):
				demands = append(demands, r.annotations.Load().DemandOf(service, labels[service.Namespace]))
			case status.HasMarks(service):
				left = append(left, client.ObjectKeyFromObject(service))
			}
		}
		if page = list.Continue; page == "" {
			return demands, left, nil
		}
	}
}

// spread passes on what a change of the allocator means for other objects.
func (r *serviceReconciler) spread(ctx context.Context, effects effects) {
	r.writes.enqueue(effects.services...)
	r.pools.enqueueNames(effects.pools...)
	for _, conflict := range effects.conflicts {
		r.tellConflict(ctx, conflict)
	}
}

func (r *serviceReconciler) tellConflict(ctx context.Context, conflict allocator.Conflict) {
	message := fmt.Sprintf("%s was with two Services: %s keeps it, %s gets another one", conflict.Address, conflict.Holder, conflict.Loser)
	for _, key := range []types.NamespacedName{conflict.Holder, conflict.Loser} {
		service, err := r.get(ctx, key)
		if err != nil || service == nil {
			ctrl.LoggerFrom(ctx).Info("address conflict of a Service that can't be read", "service", key, "conflict", message)
			continue
		}
		r.tell.about(service, status.Transition{Warning: true, Reason: v1alpha1.ReasonAddressConflict, Message: message})
	}
}
