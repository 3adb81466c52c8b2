package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/controllers/metrics"
	"github.com/herald-lb/herald/controllers/quarantine"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/report"
)

const (
	// The wait after a failed reconcile (a full disk, say) grows from the first
	// to the second. A successful one never waits.
	retryMin = 100 * time.Millisecond
	retryMax = 10 * time.Second
	// cacheSyncTimeout is how long the agent waits for a slow API server before
	// it starts over. FRR announces meanwhile what it did before.
	cacheSyncTimeout = 10 * time.Minute
)

// Outcome is what a reconcile of the node led to.
type Outcome struct {
	// Result of compile; nil when there was no node to compile for.
	Result *compile.Result
	// Hash of the wanted configuration, in hex.
	Hash string
	// Error says why the wish could not be handed to the reloader.
	Error error
	// Relay is the wish of the relay.
	Relay RelayWish
	// Drain is how far the node's drain is, and Limits are its time limits. DrainError says
	// why it can't go on; OthersKnown that it is known who could take over.
	Drain       drain.State
	Limits      snapshot.DrainLimits
	DrainError  error
	OthersKnown bool
}

// NodeReconciler turns the node's view of the cluster into frr.conf.
type NodeReconciler struct {
	Store    *snapshot.Store
	Compiler *compile.Compiler
	Renderer *frrtemplates.Renderer
	File     *ConfigFile
	// Quarantine knows what FRR refuses; nil: nobody does.
	Quarantine *quarantine.Keeper
	// Drain goes through the stages of the node's drain; nil: it never drains. Drains
	// is told whether it does.
	Drain  *drain.Keeper
	Drains func(bool)
	// FRRStop answers FRR's preStop hook; nil: there is none.
	FRRStop *FRRStop
	// Want is told which gates keep a Service from being announced; WantRelay whether
	// that of the relay does, and what the relay is told.
	Want      func(gates.Wanted)
	WantRelay func(wanted, holds bool, wish RelayWish)
	// Cluster is told what the node is compiled from: what it reads of the whole
	// cluster.
	Cluster func(*snapshot.Snapshot)
	// Relay takes what the relay is to do; nil: there is none.
	Relay *RelayFile
	// Heed is told the Herald object, nil when there is none any more: what it says
	// of other things than the configuration.
	Heed func(*v1alpha1.Herald)
	// Done is told every outcome.
	Done func(Outcome)
	// Latency measures how long events take; nil: nobody asks.
	Latency *metrics.Latency

	// body is the buffer of the text, which nobody reads any more when Reconcile ends.
	body []byte

	mu    sync.Mutex
	queue wakeQueue
}

// Reconcile makes frr.conf from the present state of the world.
func (r *NodeReconciler) Reconcile(ctx context.Context, _ wake) (reconcile.Result, error) {
	start := time.Now()

	// 1. Take the state of the world, as the watches left it.
	since := r.Latency.Take()
	snap := r.Store.Snapshot()
	if snap.Node == nil {
		log.FromContext(ctx).Info("the Node object is not known: what is applied stays until it is back")
		return reconcile.Result{}, nil
	}

	// 2. Decide, of what FRR takes, and by how far the node's drain is.
	snap, drainErr := r.Drain.Step(snap)
	r.Drains(r.Drain.State().Stage != drain.None)
	snap = r.Quarantine.Filter(snap)
	result := r.Compiler.Compile(snap)

	// 3. and 4. Render, and hand the text to the reloader if it is new. What it
	// numbers keeps its number.
	hash, written, err := r.write(result)
	if written {
		log.FromContext(ctx).Info("configuration written", "hash", hash, "prefixes", result.Origins.Prefixes.Len(),
			"issues", len(result.Issues), "duration", time.Since(start))
	}
	defer r.File.Copy()
	if applied := appliedBy(&result.Config); err == nil && !sameApplied(snap.Applied, applied) {
		r.Store.SetApplied(applied)
	}

	if err == nil {
		r.Quarantine.Offered(hash, snap, peersOf(result))
		r.Drain.Handed(hash, result.Origins.Prefixes.Len() > 0, result.Takers)
		r.Store.SetAnnounced(result.Origins.Prefixes.Keys())
	}
	r.measure(since, hash, written, err)

	// 5. Hand the relay what it is to do, and tell an ending FRR whether it may.
	// Announcing never waits for these.
	relay := r.Relay.Write(result.Relay)
	end := r.FRRStop.Answer(ctx, snap.FRREnds, r.Drain)

	// 6. Ask for what is still missing: the dataplane, the relay, and the rest of the
	// cluster.
	r.Want(wantedGates(snap, result))
	r.askRelay(snap, result, relay)
	r.Cluster(snap)

	// 7. Tell how it went.
	r.Done(Outcome{
		Result: result, Hash: hash, Error: err, Relay: relay,
		Drain: r.Drain.State(), Limits: snap.Settings.DrainLimits(), DrainError: drainErr, OthersKnown: snap.Others != nil,
	})
	if err := errors.Join(err, drainErr); err != nil {
		return reconcile.Result{}, err
	}
	next := sooner(end, sooner(r.Quarantine.Next(), r.Drain.Next()))
	if relay.Error != nil && (next == 0 || next > retryMax) {
		next = retryMax
	}
	return reconcile.Result{RequeueAfter: next}, nil
}

// peersOf are the names of the peers that are in force.
func peersOf(result *compile.Result) map[string]bool {
	names := map[string]bool{}
	for _, name := range result.Origins.Peers {
		names[name] = true
	}
	return names
}

// ReportChanged is to be called when the reloader may have reported something else.
func (r *NodeReconciler) ReportChanged(seen *report.Report) {
	judged := r.Quarantine.Judge(seen)
	if seen != nil && r.Drain.Observe(seen.AppliedHash) || judged {
		r.Wake()
	}
}

func (r *NodeReconciler) write(result *compile.Result) (hash string, written bool, err error) {
	body, err := r.Renderer.Append(r.body[:0], result.Config)
	if err != nil {
		return "", false, fmt.Errorf("render: %w", err)
	}
	r.body = body
	return r.File.Write(body)
}

// measure how long what has happened since takes.
func (r *NodeReconciler) measure(since time.Time, hash string, written bool, err error) {
	switch {
	case err != nil:
		r.Latency.Failed(since)
	case written:
		r.Latency.Handed(hash, since)
	}
}

// noting is a queue that notes when the reconciler is asked to come.
type noting struct {
	wakeQueue
	note func()
}

func (q noting) Add(w wake) {
	q.note()
	q.wakeQueue.Add(w)
}

// Wake reconciles soon, for a reason that is no API event. Before the watches
// have started it does nothing: the first reconcile sees everything anyway.
func (r *NodeReconciler) Wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queue != nil {
		r.queue.Add(wake{})
	}
}

// SetCluster is where ClusterWatch reports to.
func (r *NodeReconciler) SetCluster(prefixes []netip.Prefix) {
	if r.Store.SetCluster(prefixes) {
		r.Wake()
	}
}

// SetNodes is where ClusterWatch reports to.
func (r *NodeReconciler) SetNodes(nodes []*snapshot.ClusterNode) {
	if r.Store.SetNodes(nodes) {
		r.Wake()
	}
}

// SetOthers is where DrainWatch reports to.
func (r *NodeReconciler) SetOthers(others *snapshot.Others) {
	if r.Store.SetOthers(others) {
		r.Wake()
	}
}

// EndingChanged is to be called when FRR's pod may have begun to end, or started anew.
func (r *NodeReconciler) EndingChanged() {
	if r.Store.SetFRREnds(r.FRRStop.Ends()) {
		r.Wake()
	}
}

// NetworkChanged is where hostnetwork.Watcher reports to.
func (r *NodeReconciler) NetworkChanged(network *snapshot.Network) {
	if r.Store.SetNetwork(network) {
		r.Wake()
	}
}

// SetupWithManager starts the watches and the reconciler with the manager.
//
// The watches' handlers fill the Store. The first reconcile must not see it half
// filled, or it would withdraw what has not been listed yet. It doesn't:
// controller-runtime starts no worker before every source has synced, and a Kind
// source has synced only when its handler has been given the whole initial list
// (it waits for the handler registration's HasSynced, not only for the cache's).
func (r *NodeReconciler) SetupWithManager(mgr manager.Manager) error {
	nodeController, err := controller.NewTyped("node", mgr, controller.TypedOptions[wake]{
		Reconciler:              r,
		MaxConcurrentReconciles: 1, // the compiler remembers, and a node has one file
		CacheSyncTimeout:        cacheSyncTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[wake](retryMin, retryMax),
		SkipNameValidation:      new(true),
		NewQueue: func(name string, limiter workqueue.TypedRateLimiter[wake]) wakeQueue {
			queue := workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[wake]{Name: name})
			return noting{queue, r.Latency.Event}
		},
	})
	if err != nil {
		return fmt.Errorf("node controller: %w", err)
	}
	for _, watched := range r.sources(mgr.GetCache()) {
		if err := nodeController.Watch(watched); err != nil {
			return fmt.Errorf("node controller: %w", err)
		}
	}
	return nil
}

func (r *NodeReconciler) sources(informers cache.Cache) []source.TypedSource[wake] {
	takeQueue := source.TypedFunc[wake](func(_ context.Context, queue wakeQueue) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.queue = queue
		return nil
	})
	return append(storeSources(informers, r.Store, r.Heed), takeQueue)
}
