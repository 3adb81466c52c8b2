package gates

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/controllers/snapshot"
)

const (
	// RelayTimeout is how long a Service is held back until the relay has its rules.
	// Announcing depends on it no longer.
	RelayTimeout = 5 * time.Second
	// RelayInterval between two looks at its report meanwhile; else it is SlowInterval.
	RelayInterval = 50 * time.Millisecond
)

// RelayKeeper opens the gate of the Services whose connections the relay preserves.
type RelayKeeper struct {
	ask   func() Answer
	clock clock.Clock
	open  func(snapshot.Opened)

	mu     sync.Mutex
	wanted bool
	// held is since when the gate has held something back; zero: it doesn't.
	held time.Time
	kick chan struct{}
}

// NewRelayKeeper makes one that asks by ask, and calls open from its own goroutine.
func NewRelayKeeper(ask func() Answer, clock clock.Clock, open func(snapshot.Opened)) *RelayKeeper {
	return &RelayKeeper{ask: ask, clock: clock, open: open, kick: make(chan struct{}, 1)}
}

// Want says whether the gate isn't open for good yet, and whether it holds a Service back
// that has everything else: only then does its time run.
func (k *RelayKeeper) Want(wanted, holds bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	begins := wanted && holds && k.held.IsZero()
	if begins || wanted && !k.wanted {
		select {
		case k.kick <- struct{}{}:
		default:
		}
	}
	k.wanted = wanted
	switch {
	case begins:
		k.held = k.clock.Now()
	case !wanted || !holds:
		k.held = time.Time{}
	}
}

// Start asks while that is wanted. It is a manager.Runnable.
func (k *RelayKeeper) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.kick:
		}
		k.askUntilReady(ctx)
	}
}

// askUntilReady opens the gate in any case when something has been held back for a while,
// and goes on asking: as long as the relay has no rules the node says so.
func (k *RelayKeeper) askUntilReady(ctx context.Context) {
	timedOut := false
	for {
		wanted, held := k.state()
		if !wanted {
			return
		}
		if k.ask() == Ready {
			k.open(snapshot.Opened{Relay: snapshot.GateOpen})
			return
		}
		interval := SlowInterval
		switch {
		case timedOut || held.IsZero():
		case k.clock.Since(held) < RelayTimeout:
			interval = RelayInterval
		default:
			timedOut = true
			k.open(snapshot.Opened{Relay: snapshot.GateTimedOut})
		}
		select {
		case <-ctx.Done():
			return
		case <-k.kick:
		case <-k.clock.After(interval):
		}
	}
}

func (k *RelayKeeper) state() (wanted bool, held time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.wanted, k.held
}
