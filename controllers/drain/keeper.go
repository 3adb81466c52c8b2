package drain

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// maxHashes bounds how many configurations of one stage are remembered: FRR runs
// the last one or, for a moment, one before.
const maxHashes = 64

// Keeper holds the State of this node's drain. A nil Keeper never drains. It is
// safe for concurrent use.
type Keeper struct {
	clock clock.PassiveClock
	save  func([]byte) error
	held  *snapshot.Applied

	mu    sync.Mutex
	state State
	// moment that was looked at last, without its time.
	moment Moment
	// handed are the hashes of the stage's configurations, applied is that of the one
	// that FRR runs.
	handed  []string
	applied string
	// keeps what no other node is known to announce.
	keeps takeover
	// resumes: the first configuration is that of the agent before, whoever could take
	// over by now: what that agent kept is kept until they have had their time here. blind:
	// the last one was made without looking at them for that.
	resumes, blind bool
}

// New makes a Keeper that goes on with what save was given last, nil for nothing.
// Applied is what the last agent of this boot announced.
func New(clock clock.PassiveClock, saved []byte, applied *snapshot.Applied, save func([]byte) error) *Keeper {
	k := &Keeper{clock: clock, save: save, held: applied}
	k.moment.Announces = applied != nil && len(applied.Prefixes) > 0
	if json.Unmarshal(saved, &k.state) != nil {
		k.state = State{} // it begins anew
	}
	if k.state.Confirmed.After(clock.Now()) {
		k.state.Confirmed = clock.Now() // the clock was set back: it isn't waited for
	}
	k.resumes = k.state.Stage == Withdrawn
	return k
}

// Step goes on to the next state, if it is time to, and puts the stage into the
// snapshot. A state is kept before anything comes of it; an error says that it
// can't be, and the one before holds.
func (k *Keeper) Step(s *snapshot.Snapshot) (*snapshot.Snapshot, error) {
	if k == nil {
		return s, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.moment.Trigger, k.moment.OthersKnown, k.moment.Limits = s.DrainTrigger(), s.Others != nil, s.Settings.DrainLimits()
	var err error
	if next := k.next(); next != k.state {
		err = k.enter(next)
	}
	if k.state.Stage == None {
		return s, err
	}
	copied := *s
	copied.Drain = snapshot.Drain{Stage: k.state.ForSnapshot(), Held: k.held}
	if k.state.Stage == Withdrawn {
		copied.Drain.Kept = k.keeps.snapshot(k.clock.Now(), k.settles())
		if k.blind = k.resumes && copied.Others != nil; k.blind {
			copied.Others = nil
		}
	}
	return &copied, err
}

// next takes all steps that are due: a confirmation and what follows on it.
func (k *Keeper) next() State {
	m := k.moment
	m.Now, m.Confirmed = k.clock.Now(), slices.Contains(k.handed, k.applied)
	state := k.state.Next(m)
	if state.Stage == k.state.Stage {
		state = state.Next(m)
	}
	return state
}

func (k *Keeper) enter(next State) error {
	data, err := json.Marshal(next)
	if err == nil {
		err = k.save(data)
	}
	if err != nil {
		return fmt.Errorf("the state of the drain can't be kept: %w", err)
	}
	if next.Stage != k.state.Stage {
		k.handed, k.keeps, k.resumes, k.blind = nil, takeover{}, false, false
	}
	k.state = next
	return nil
}

// Handed takes the configuration that the reloader was handed: its hash, whether it
// announces anything, and who is able to take over each route that is kept. What was
// kept and no longer is must be withdrawn in its turn.
func (k *Keeper) Handed(hash string, announces bool, takers map[snapshot.Route][]snapshot.Taker) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.moment.Announces, k.resumes = announces, false
	if k.keeps.gone(takers) {
		k.handed, k.state.Confirmed = nil, time.Time{}
		if data, err := json.Marshal(k.state); err == nil {
			_ = k.save(data) // without it the next agent trusts the earlier confirmation
		}
	}
	k.keeps.saw(takers, k.clock.Now())
	if !slices.Contains(k.handed, hash) {
		k.handed = append(k.handed, hash)
	}
	if len(k.handed) > maxHashes {
		k.handed = slices.Clone(k.handed[1:])
	}
}

// Observe takes the hash of what FRR runs, and says whether a step is due.
func (k *Keeper) Observe(applied string) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.applied = applied
	return k.state.Stage != None && k.next() != k.state
}

// MayEnd says whether FRR may end: the node has no route to lose any more, or nothing
// makes it give them up. Else in how long it may (0: not before something happens), and
// how long the routers get in all. A node that keeps what no other can announce goes on
// as long as it may.
func (k *Keeper) MayEnd() (now bool, in, converge time.Duration) {
	if k == nil {
		return true, 0, 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	converge = 2 * k.moment.Limits.Converge
	switch {
	case k.state.Stage == None:
		return true, 0, converge
	case k.state.Stage != Withdrawn || k.state.Confirmed.IsZero() || len(k.keeps.able) > 0:
		return false, 0, converge
	}
	in = k.state.converged(k.moment.Limits).Sub(k.clock.Now())
	return in <= 0, max(in, 0), converge
}

// State is the present one.
func (k *Keeper) State() State {
	if k == nil {
		return State{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Next says in how long to step again; 0: not before something happens.
func (k *Keeper) Next() time.Duration {
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.blind && !k.resumes || k.next() != k.state {
		return time.Millisecond
	}
	due := k.state.Due(k.moment.Limits)
	if k.state.Stage == Withdrawn {
		due = k.keeps.due(k.settles())
	}
	if due.IsZero() || !k.moment.OthersKnown {
		return 0 // a change of the others steps too
	}
	return max(due.Sub(k.clock.Now()), time.Millisecond)
}

func (k *Keeper) settles() time.Duration { return Settles(k.moment.Limits) }

// Settles is how long a node must have been able to take over until it does: the
// routers get time to follow it.
func Settles(limits snapshot.DrainLimits) time.Duration { return max(takeoverTime, limits.Converge) }
