package drain

import (
	"maps"
	"slices"
	"time"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// takeoverTime is how long a node must at least have been able to announce an address
// until it counts as one that does: its agent says after a second that FRR doesn't run
// what it should (status.PendingGrace), and such a node isn't able any more. The rest is
// for what it says to arrive.
const takeoverTime = 3 * time.Second

// takeover remembers who could take over what the node keeps. The zero value is that of
// a node that keeps nothing.
type takeover struct {
	// able says since when each taker has been able to announce an address that is kept.
	able map[snapshot.ServiceAddress]map[snapshot.Taker]time.Time
	told *snapshot.Kept
}

// saw takes which addresses are kept, and who is able to announce them. Who ceases to be
// begins anew, and so does a node by another peer or in another VRF.
func (t *takeover) saw(takers map[snapshot.ServiceAddress][]snapshot.Taker, now time.Time) {
	before := t.able
	t.able = make(map[snapshot.ServiceAddress]map[snapshot.Taker]time.Time, len(takers))
	for address, able := range takers {
		since := make(map[snapshot.Taker]time.Time, len(able))
		for _, taker := range able {
			since[taker] = now
			if earlier, was := before[address][taker]; was {
				since[taker] = earlier
			}
		}
		t.able[address] = since
	}
}

// gone says whether something that was kept isn't any more.
func (t *takeover) gone(takers map[snapshot.ServiceAddress][]snapshot.Taker) bool {
	for address := range t.able {
		if _, kept := takers[address]; !kept {
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
	kept := make(snapshot.Kept, len(t.able))
	for address, since := range t.able {
		var proven []snapshot.Taker
		for _, taker := range slices.SortedFunc(maps.Keys(since), snapshot.Taker.Compare) {
			if !now.Before(since[taker].Add(settles)) {
				proven = append(proven, taker)
			}
		}
		kept[address] = proven
	}
	if t.told == nil || !maps.EqualFunc(*t.told, kept, slices.Equal) {
		t.told = &kept
	}
	return t.told
}

// due is when the next taker counts that the last snapshot didn't count, which may be over:
// compiling it took its time. Zero: nobody is about to.
func (t *takeover) due(settles time.Duration) (due time.Time) {
	for address, since := range t.able {
		for taker, from := range since {
			if at := from.Add(settles); !t.counted(address, taker) && (due.IsZero() || at.Before(due)) {
				due = at
			}
		}
	}
	return due
}

func (t *takeover) counted(address snapshot.ServiceAddress, taker snapshot.Taker) bool {
	return t.told != nil && slices.Contains((*t.told)[address], taker)
}
