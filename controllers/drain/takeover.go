package drain

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// takeoverTime is how long a node must at least have been able to announce a Service
// until it counts as one that does: its agent says after a second that FRR doesn't run
// what it should (status.PendingGrace), and such a node isn't able any more. The rest is
// for what it says to arrive.
const takeoverTime = 3 * time.Second

// takeover remembers who could take over what the node keeps. The zero value is that of
// a node that keeps nothing.
type takeover struct {
	// able says since when each node has been able to announce a kept Service.
	able map[types.NamespacedName]map[string]time.Time
	told *snapshot.Kept
}

// saw takes which Services are kept, and who is able to announce them. Who ceases to be
// begins anew.
func (t *takeover) saw(kept []types.NamespacedName, takers map[types.NamespacedName][]string, now time.Time) {
	before := t.able
	t.able = make(map[types.NamespacedName]map[string]time.Time, len(kept))
	for _, key := range kept {
		since := make(map[string]time.Time, len(takers[key]))
		for _, node := range takers[key] {
			since[node] = now
			if earlier, was := before[key][node]; was {
				since[node] = earlier
			}
		}
		t.able[key] = since
	}
}

// gone says whether something that was kept isn't any more.
func (t *takeover) gone(kept []types.NamespacedName) bool {
	left := 0
	for _, key := range kept {
		if _, was := t.able[key]; was {
			left++
		}
	}
	return left < len(t.able)
}

// snapshot is the same one until another node counts, or something else is kept.
func (t *takeover) snapshot(now time.Time, settles time.Duration) *snapshot.Kept {
	if len(t.able) == 0 {
		t.told = nil
		return nil
	}
	kept := make(snapshot.Kept, len(t.able))
	for key, since := range t.able {
		var proven []string
		for _, node := range slices.Sorted(maps.Keys(since)) {
			if !now.Before(since[node].Add(settles)) {
				proven = append(proven, node)
			}
		}
		kept[key] = proven
	}
	if t.told == nil || !maps.EqualFunc(*t.told, kept, slices.Equal) {
		t.told = &kept
	}
	return t.told
}

// due is when the next node counts that the last snapshot didn't count, which may be over:
// compiling it took its time. Zero: nobody is about to.
func (t *takeover) due(settles time.Duration) (due time.Time) {
	for key, since := range t.able {
		for node, from := range since {
			if at := from.Add(settles); !t.counted(key, node) && (due.IsZero() || at.Before(due)) {
				due = at
			}
		}
	}
	return due
}

func (t *takeover) counted(key types.NamespacedName, node string) bool {
	return t.told != nil && slices.Contains((*t.told)[key], node)
}
