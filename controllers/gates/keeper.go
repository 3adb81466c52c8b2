package gates

import (
	"cmp"
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// How long after a gate has begun to be wanted it is asked for how often.
const (
	// Interval between two questions in the first seconds, a millisecond more for
	// each gate that is asked for: what has just come is to be announced at once.
	Interval, quickly = 20 * time.Millisecond, 10 * time.Second
	perGate           = time.Millisecond
	// SteadyInterval is the one after that, and with many gates before.
	SteadyInterval, steadily = 75 * time.Millisecond, 40 * time.Second
	// SlowInterval is the one from then on: a Service whose health check says 503 for
	// hours needs no more.
	SlowInterval = time.Second
)

const (
	// SilenceTimeout is how long nothing may answer before a gate opens all the
	// same, unless the Herald object says otherwise: then there is nobody to ask on
	// this node.
	SilenceTimeout = 3 * time.Second
	// RefusalTold is how long kube-proxy may refuse the health check port of a Service,
	// before the node says so: with many Services it takes many seconds to come to a new one.
	RefusalTold = 30 * time.Second
)

// Answer is what the dataplane says of a gate.
type Answer uint8

// The answers.
const (
	// Silent: nothing is there.
	Silent Answer = iota
	// NotReady: something is there, and doesn't answer with 200.
	NotReady
	// Ready: 200.
	Ready
)

// Wanted are the gates that keep a Service from being announced.
type Wanted struct {
	// Cluster is the gate of Services with externalTrafficPolicy: Cluster.
	Cluster bool
	// Local are the other Services with what tells of each.
	Local map[types.NamespacedName]HealthCheck
}

// HealthCheck is where a node tells whether it serves a Service with
// externalTrafficPolicy: Local.
type HealthCheck struct {
	// Port is its healthCheckNodePort, 0 where it has none.
	Port uint16
	// OtherProxy serves it, not kube-proxy: that kube-proxy answers tells nothing.
	OtherProxy bool
}

// kubeProxys says whether kube-proxy, where there is one, will answer it.
func (h HealthCheck) kubeProxys() bool { return h.Port != 0 && !h.OtherProxy }

func (w Wanted) empty() bool { return !w.Cluster && len(w.Local) == 0 }

// beyond says whether any gate is wanted that wasn't before.
func (w Wanted) beyond(before Wanted) bool {
	if w.Cluster && !before.Cluster {
		return true
	}
	for key := range w.Local {
		if _, known := before.Local[key]; !known {
			return true
		}
	}
	return false
}

// Prober asks the dataplane.
type Prober interface {
	// Cluster asks whether the node's service proxy is up.
	Cluster(ctx context.Context) Answer
	// Local asks a Service's healthCheckNodePort on this node.
	Local(ctx context.Context, port uint16) Answer
}

// Keeper opens gates.
type Keeper struct {
	prober Prober
	clock  clock.Clock
	open   func(snapshot.Opened)

	mu     sync.Mutex
	wanted Wanted
	// timeout is how long nothing may answer.
	timeout time.Duration
	kick    chan struct{}
	// The time since when a gate was wanted and nothing answered.
	clusterSilent time.Time
	localSilent   map[types.NamespacedName]time.Time
	refused       refusals
}

// NewKeeper makes a Keeper that calls open, from its own goroutine, for gates
// that have opened.
func NewKeeper(prober Prober, clock clock.Clock, open func(snapshot.Opened)) *Keeper {
	return &Keeper{
		prober: prober, clock: clock, open: open, timeout: SilenceTimeout,
		kick:        make(chan struct{}, 1),
		localSilent: map[types.NamespacedName]time.Time{}, refused: refusals{},
	}
}

// SetTimeout says how long nothing may answer before a gate opens all the same; 0:
// SilenceTimeout.
func (k *Keeper) SetTimeout(timeout time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timeout = cmp.Or(timeout, SilenceTimeout)
}

// Want replaces the gates that are asked for.
func (k *Keeper) Want(wanted Wanted) {
	if unheld := k.want(wanted); len(unheld) > 0 {
		k.open(snapshot.Opened{Local: unheld})
	}
}

// want returns what is no longer held back, and told why it was.
func (k *Keeper) want(wanted Wanted) map[types.NamespacedName]snapshot.GateState {
	k.mu.Lock()
	defer k.mu.Unlock()
	more := wanted.beyond(k.wanted)
	k.wanted = wanted
	if !wanted.Cluster {
		k.clusterSilent = time.Time{}
	}
	maps.DeleteFunc(k.localSilent, func(key types.NamespacedName, _ time.Time) bool {
		_, still := wanted.Local[key]
		return !still
	})
	if more {
		select {
		case k.kick <- struct{}{}:
		default:
		}
	}
	return k.refused.keep(wanted.Local)
}

// Start asks until the context ends. It is a manager.Runnable.
func (k *Keeper) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.kick:
		}
		k.askUntilOpen(ctx)
	}
}

// askUntilOpen asks at once and then at intervals, while anything is wanted. With
// each gate that comes it begins anew.
func (k *Keeper) askUntilOpen(ctx context.Context) {
	began := k.clock.Now()
	for {
		wanted := k.current()
		if wanted.empty() {
			return
		}
		opened := k.judge(wanted, k.ask(ctx, wanted))
		if ctx.Err() != nil {
			return
		}
		if opened.Cluster.IsOpen() || len(opened.Local) > 0 {
			k.open(opened)
		}
		select {
		case <-ctx.Done():
			return
		case <-k.kick:
			began = k.clock.Now()
		case <-k.clock.After(interval(k.clock.Since(began), len(wanted.Local))):
		}
	}
}

// interval until the next questions, a while after the newest gate has begun to be
// wanted.
func interval(since time.Duration, gates int) time.Duration {
	switch {
	case since < quickly:
		return min(Interval+time.Duration(gates)*perGate, SteadyInterval)
	case since < steadily:
		return SteadyInterval
	default:
		return SlowInterval
	}
}

func (k *Keeper) current() Wanted {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.wanted
}

// judge turns answers into opened gates and takes these off the list. A gate
// that is no longer wanted stays as it is.
func (k *Keeper) judge(asked Wanted, got answers) snapshot.Opened {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.clock.Now()
	opened := snapshot.Opened{Local: map[types.NamespacedName]snapshot.GateState{}}
	if asked.Cluster && k.wanted.Cluster {
		opened.Cluster, k.clusterSilent = k.decide(got.cluster, k.clusterSilent, now)
		k.wanted.Cluster = !opened.Cluster.IsOpen()
	}
	left := maps.Clone(k.wanted.Local)
	for key, answer := range got.local {
		if _, still := left[key]; !still {
			continue
		}
		refused := answer == Silent && got.proxy != Silent && asked.Local[key].kubeProxys()
		if refused {
			answer = NotReady // kube-proxy is there, and hasn't come to this Service yet
		}
		var state snapshot.GateState
		state, k.localSilent[key] = k.decide(answer, k.localSilent[key], now)
		if state.IsOpen() {
			opened.Local[key] = state
			delete(left, key)
			delete(k.localSilent, key)
			delete(k.refused, key)
		} else if state, changed := k.refused.note(key, refused, now); changed {
			opened.Local[key] = state
		}
	}
	k.wanted.Local = left
	return opened
}

// decide gives a gate's state, and the time since when nothing has answered
// (zero: something did).
func (k *Keeper) decide(answer Answer, silentSince, now time.Time) (snapshot.GateState, time.Time) {
	switch {
	case answer == Ready:
		return snapshot.GateOpen, time.Time{}
	case answer == NotReady:
		return snapshot.GateClosed, time.Time{}
	case silentSince.IsZero():
		return snapshot.GateClosed, now
	case now.Sub(silentSince) >= k.timeout:
		return snapshot.GateTimedOut, time.Time{}
	default:
		return snapshot.GateClosed, silentSince
	}
}
