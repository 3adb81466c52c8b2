package drain

import (
	"maps"
	"slices"
	"time"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// takeoverTime is how long a node must at least have been able to announce a route
// until it counts as one that does: its agent says after a second that FRR doesn't run
// what it should (status.PendingGrace), and such a node isn't able any more. The rest is
// for what it says to arrive.
const takeoverTime = 3 * time.Second

// takeover remembers who could take over what the node keeps. The zero value is that of
// a node that keeps nothing.
type takeover struct {
	// able says who has been able to announce a route that is kept, and since when. Routes
	// that have it in common share it: they are many, and so are the nodes.
	able map[snapshot.Route]*ways
	told *snapshot.Kept
}

// ways are those by which other nodes are able to announce some routes.
type ways struct {
	takers []snapshot.Taker // sorted
	since  []time.Time      // of each
	// told are those that counted in the last snapshot, sorted.
	told []snapshot.Taker
}

// saw takes which routes are kept, and who is able to announce them. Who ceases to be
// begins anew, and so does a node by another peer.
func (t *takeover) saw(takers map[snapshot.Route][]snapshot.Taker, now time.Time) {
	type seen struct {
		takers snapshot.ListID
		before *ways
	}
	before := t.able
	t.able = make(map[snapshot.Route]*ways, len(takers))
	all := map[seen]*ways{}
	for route, able := range takers {
		key := seen{snapshot.IDOf(able), before[route]}
		if all[key] == nil {
			all[key] = key.before.next(able, now)
		}
		t.able[route] = all[key]
	}
}

// next are the ways after these, which may be nil.
func (w *ways) next(able []snapshot.Taker, now time.Time) *ways {
	if w == nil {
		w = &ways{}
	} else if slices.Equal(w.takers, able) {
		return w
	}
	next := &ways{takers: able, since: make([]time.Time, len(able)), told: w.told}
	for i, taker := range able {
		next.since[i] = now
		if at, was := slices.BinarySearchFunc(w.takers, taker, snapshot.Taker.Compare); was {
			next.since[i] = w.since[at]
		}
	}
	return next
}

// gone says whether something that was kept isn't any more.
func (t *takeover) gone(takers map[snapshot.Route][]snapshot.Taker) bool {
	for route := range t.able {
		if _, kept := takers[route]; !kept {
			return true
		}
	}
	return false
}

// snapshot is the same one until another taker counts, or something else is kept.
func (t *takeover) snapshot(now time.Time, settles time.Duration) *snapshot.Kept {
	if len(t.able) == 0 {
		t.told = nil
		return nil
	}
	for w := range t.distinct() {
		w.tell(now, settles)
	}
	kept := make(snapshot.Kept, len(t.able))
	for route, w := range t.able {
		kept[route] = w.told
	}
	if t.told == nil || !maps.EqualFunc(*t.told, kept, sameTakers) {
		t.told = &kept
	}
	return t.told
}

// tell who counts by now.
func (w *ways) tell(now time.Time, settles time.Duration) {
	var proven []snapshot.Taker
	for i, taker := range w.takers {
		if !now.Before(w.since[i].Add(settles)) {
			proven = append(proven, taker)
		}
	}
	if !slices.Equal(w.told, proven) {
		w.told = proven
	}
}

func sameTakers(a, b []snapshot.Taker) bool {
	return snapshot.IDOf(a) == snapshot.IDOf(b) || slices.Equal(a, b)
}

// distinct are the ways, each once.
func (t *takeover) distinct() map[*ways]struct{} {
	all := map[*ways]struct{}{}
	for _, w := range t.able {
		all[w] = struct{}{}
	}
	return all
}

// due is when the next taker counts that the last snapshot didn't count, which may be over:
// compiling it took its time. Zero: nobody is about to.
func (t *takeover) due(settles time.Duration) (due time.Time) {
	for w := range t.distinct() {
		for i, taker := range w.takers {
			at := w.since[i].Add(settles)
			if _, counted := slices.BinarySearchFunc(w.told, taker, snapshot.Taker.Compare); !counted && (due.IsZero() || at.Before(due)) {
				due = at
			}
		}
	}
	return due
}
