package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/pools"
	"github.com/herald-lb/herald/controllers/status"
)

// poolCountInterval is how often a pool's counts are written at most, while
// Services come and go in a burst.
const poolCountInterval = time.Second

// poolReconciler writes the status of IPAddressPools.
type poolReconciler struct {
	client client.Client
	alloc  *allocation
	// self is asked by the Services' reconciler, whose decisions change counts.
	self *trigger
	// counted is when a pool's counts were last written.
	counted map[types.NamespacedName]time.Time
}

func (r *poolReconciler) setup(mgr ctrl.Manager) error {
	r.counted = map[types.NamespacedName]time.Time{}
	return ctrl.NewControllerManagedBy(mgr).
		Named("ipaddresspool").
		For(&v1alpha1.IPAddressPool{}). // its own status too: the cache may lag behind what was written
		Watches(&v1alpha1.IPAddressPool{}, handler.EnqueueRequestsFromMapFunc(r.all),
			builder.WithPredicates(specChanged())).
		WatchesRawSource(r.self.source()).
		Complete(r)
}

// all pools: a change of one can make another one overlap, or heal it.
func (r *poolReconciler) all(ctx context.Context, changed client.Object) []ctrl.Request {
	list := &v1alpha1.IPAddressPoolList{}
	if err := r.client.List(ctx, list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list of IPAddressPools in the cache")
	}
	requests := []ctrl.Request{{NamespacedName: client.ObjectKeyFromObject(changed)}}
	for i := range list.Items {
		if list.Items[i].Name != changed.GetName() {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

// Reconcile writes one pool's conditions at once, and its counts at most once
// per poolCountInterval.
func (r *poolReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	list := &v1alpha1.IPAddressPoolList{}
	if err := r.client.List(ctx, list); err != nil {
		return ctrl.Result{}, fmt.Errorf("list of IPAddressPools: %w", err)
	}
	set, issues := pools.Accept(pointers(list.Items))
	accepted := set.Get(request.Name)
	if accepted == nil {
		delete(r.counted, request.NamespacedName)
		return ctrl.Result{}, nil
	}
	pool := accepted.Object.DeepCopy()
	changed := status.ApplyPoolAccepted(pool, accepted, issues)
	counted, wait := r.count(pool)
	if !changed && !counted {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	patch := client.MergeFrom(accepted.Object)
	if err := client.IgnoreNotFound(patchStatus(ctx, r.client, pool, patch)); err != nil {
		return ctrl.Result{}, fmt.Errorf("pool %q: status: %w", request.Name, err)
	}
	if counted {
		r.counted[request.NamespacedName] = time.Now()
	}
	return ctrl.Result{RequeueAfter: wait}, nil
}

// count writes the counts if it is time, or says how long to wait.
func (r *poolReconciler) count(pool *v1alpha1.IPAddressPool) (changed bool, wait time.Duration) {
	usage, known := r.alloc.usage(pool.Name)
	if !known {
		return false, 0 // the allocator asks again when it is ready
	}
	before := pool.Status
	if !status.ApplyPoolCounts(pool, usage) {
		return false, 0
	}
	wait = poolCountInterval - time.Since(r.counted[client.ObjectKeyFromObject(pool)])
	if wait > 0 {
		pool.Status.IPv4, pool.Status.IPv6 = before.IPv4, before.IPv6
		return false, wait
	}
	return true, 0
}
