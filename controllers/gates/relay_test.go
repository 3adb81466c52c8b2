package gates

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/controllers/snapshot"
)

func TestRelayKeeper(t *testing.T) {
	tests := map[string]struct {
		answers func(time.Duration) Answer
		// states of the gate, and when each was told at the earliest; it is told within
		// an interval of that.
		states []snapshot.GateState
		at     []time.Duration
	}{
		"ready opens at once": {always(Ready), []snapshot.GateState{snapshot.GateOpen}, []time.Duration{0}},
		"ready later":         {until(time.Second, NotReady, Ready), []snapshot.GateState{snapshot.GateOpen}, []time.Duration{time.Second}},
		"silence times out":   {always(Silent), []snapshot.GateState{snapshot.GateTimedOut}, []time.Duration{RelayTimeout}},
		"not ready times out": {always(NotReady), []snapshot.GateState{snapshot.GateTimedOut}, []time.Duration{RelayTimeout}},
		"ready in the end": {
			until(time.Minute, Silent, Ready), []snapshot.GateState{snapshot.GateTimedOut, snapshot.GateOpen}, []time.Duration{RelayTimeout, time.Minute},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				relay := &script{at: test.answers}
				var states []snapshot.GateState
				var at []time.Duration
				keeper := NewRelayKeeper(relay.answer, clock.RealClock{}, func(opened snapshot.Opened) {
					states, at = append(states, opened.Relay), append(at, time.Since(relay.start))
				})
				runRelay(t, keeper)
				time.Sleep(time.Minute) // of the bubble's clock
				if relay.asked != 0 {
					t.Errorf("asked %d times though nobody waits", relay.asked)
				}
				keeper.Want(true, true)
				time.Sleep(2 * time.Minute)
				if len(states) != len(test.states) {
					t.Fatalf("states %v at %v, want %v", states, at, test.states)
				}
				for i, want := range test.states {
					if states[i] != want || at[i] < test.at[i] || at[i] > test.at[i]+SlowInterval {
						t.Errorf("state %v after %v, want %v after %v", states[i], at[i], want, test.at[i])
					}
				}
			})
		})
	}
}

func TestRelayKeeperEndsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay := &script{at: always(NotReady)}
		keeper := NewRelayKeeper(relay.answer, clock.RealClock{}, func(snapshot.Opened) { t.Error("opened") })
		runRelay(t, keeper)
		keeper.Want(true, true)
		time.Sleep(time.Second)
		keeper.Want(false, false)
		synctest.Wait()
		asked := relay.asked
		time.Sleep(time.Minute)
		if most := int(time.Second/RelayInterval) + 1; asked == 0 || asked > most || relay.asked != asked {
			t.Errorf("asked %d times, then %d", asked, relay.asked)
		}
	})
}

// The time runs only while something is held back: a node whose dataplane comes late
// has the whole of it.
func TestRelayKeepersTimeRunsWhileSomethingIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay := &script{at: always(NotReady)}
		var began time.Time
		var after []time.Duration
		keeper := NewRelayKeeper(relay.answer, clock.RealClock{}, func(opened snapshot.Opened) {
			if opened.Relay == snapshot.GateTimedOut {
				after = append(after, time.Since(began))
			}
		})
		runRelay(t, keeper)
		keeper.Want(true, false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if most := int(time.Minute/SlowInterval) + 1; relay.asked == 0 || relay.asked > most || after != nil {
			t.Errorf("asked %d times, timed out %v, while nothing was held back", relay.asked, after)
		}
		began = time.Now()
		keeper.Want(true, true)
		time.Sleep(RelayTimeout / 2)
		keeper.Want(true, true) // another Service
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(after) != 1 || after[0] < RelayTimeout || after[0] > RelayTimeout+RelayInterval {
			t.Errorf("timed out %v after something was held back, want once after %v", after, RelayTimeout)
		}
	})
}

// runRelay starts a RelayKeeper until the test's bubble ends.
func runRelay(t *testing.T, keeper *RelayKeeper) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { _ = keeper.Start(ctx) }()
}
