package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// apiTimeout bounds one round of writes, also the wait for the cache to show
// what was written before.
const apiTimeout = 10 * time.Second

// ReportReconciler publishes what the node wants and what the reloader reports:
// as the node's BGPNode and its BGPSessions.
type ReportReconciler struct {
	// Client reads from the cache and sees its own writes there.
	Client client.Client
	Node   string
	Report *ReportFile
	// Relay follows the relay's report; nil: there is none.
	Relay *RelayReport
	Clock clock.PassiveClock
	Pacer *status.Pacer

	mu       sync.Mutex
	queue    wakeQueue
	outcome  *Outcome
	progress progress
	// holding is since when closed gates have held something back; zero: nothing.
	holding time.Time
}

// progress is since when FRR has run anything else than what is wanted, without
// a step towards it.
type progress struct {
	applied string
	since   time.Time
}

// Done takes the outcome of a reconcile of the node.
func (r *ReportReconciler) Done(outcome Outcome) {
	r.mu.Lock()
	r.outcome = &outcome
	if !holdsBack(outcome.Result) {
		r.holding = time.Time{}
	} else if r.holding.IsZero() {
		r.holding = r.Clock.Now()
	}
	r.mu.Unlock()
	r.Wake()
}

// ReportChanged is to be called when report.json may be a new one.
func (r *ReportReconciler) ReportChanged() {
	if r.Report.Refresh() {
		r.Wake()
	}
}

// RelayChanged is to be called when relay-report.json may be a new one.
func (r *ReportReconciler) RelayChanged() {
	if r.Relay.Refresh() {
		r.Wake()
	}
}

// Wake publishes soon.
func (r *ReportReconciler) Wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queue != nil {
		r.queue.Add(wake{})
	}
}

// Reconcile writes what has changed and may be written now.
func (r *ReportReconciler) Reconcile(ctx context.Context, _ wake) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()

	// 1. What is there to say? Nothing before the first compile, and nothing
	// while the reloader may still be starting: silence is better than an alarm
	// at every restart.
	round := r.newRound()
	if round.silent {
		return round.result(), nil
	}

	// 2. The owner of what is written. Without a Node there is nothing to write:
	// its objects go with it.
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: r.Node}, node); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	round.owner = ownedBy(node)

	// 3. The node, then its sessions.
	if err := r.publishNode(ctx, round); err != nil {
		return reconcile.Result{}, fmt.Errorf("BGPNode %q: %w", r.Node, err)
	}
	if err := r.publishSessions(ctx, round); err != nil {
		return reconcile.Result{}, err
	}
	return round.result(), nil
}

// publishNode writes the BGPNode if it differs and is due.
func (r *ReportReconciler) publishNode(ctx context.Context, round *round) error {
	object := &v1alpha1.BGPNode{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: r.Node}, object)
	if apierrors.IsNotFound(err) {
		object = &v1alpha1.BGPNode{ObjectMeta: metaOf(r.Node, round.owner)}
		err = r.Client.Create(ctx, object)
	}
	if err != nil {
		return err
	}
	next := status.Node(round.view, object.Status, object.Generation)
	change := status.CompareNode(object.Status, next)
	if !round.due(nodeKey, change) {
		return nil
	}
	base := object.DeepCopy()
	object.Status = next
	return round.wrote(nodeKey, change, patchStatus(ctx, r.Client, object, client.MergeFrom(base)))
}

// SetupWithManager starts the reconciler with the manager. What others do to the
// node's objects wakes it too: it puts right what was deleted or changed.
func (r *ReportReconciler) SetupWithManager(mgr manager.Manager) error {
	reportController, err := controller.NewTyped("report", mgr, controller.TypedOptions[wake]{
		Reconciler:              r,
		MaxConcurrentReconciles: 1,
		CacheSyncTimeout:        cacheSyncTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[wake](retryMin, retryMax),
		SkipNameValidation:      new(true),
	})
	if err != nil {
		return fmt.Errorf("report controller: %w", err)
	}
	takeQueue := source.TypedFunc[wake](func(_ context.Context, queue wakeQueue) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.queue = queue
		return nil
	})
	informers := mgr.GetCache()
	always := func(client.Object) bool { return true }
	for _, watched := range []source.TypedSource[wake]{
		takeQueue,
		feed(informers, client.Object(&v1alpha1.BGPNode{}), always, always),
		feed(informers, client.Object(&v1alpha1.BGPSession{}), always, always),
	} {
		if err := reportController.Watch(watched); err != nil {
			return fmt.Errorf("report controller: %w", err)
		}
	}
	return nil
}
