package allocator

import (
	"net/netip"

	"github.com/google/btree"

	"github.com/herald-lb/herald/controllers/pools"
)

const treeDegree = 16

// freeSet is a set of addresses of one family as the fewest disjoint intervals,
// by their first address. All operations take time logarithmic in the number of
// gaps, none depends on how many addresses an interval has.
//
// A set that avoids buggy addresses (pools.IsBuggy) may have them inside an
// interval, but never at its ends: so the lowest address of each interval can
// be given out, and no interval is left over that has nothing else.
type freeSet struct {
	intervals  *btree.BTreeG[pools.Block]
	avoidBuggy bool
}

func newFreeSet(avoidBuggy bool) *freeSet {
	less := func(a, b pools.Block) bool { return a.First.Less(b.First) }
	return &freeSet{intervals: btree.NewG(treeDegree, less), avoidBuggy: avoidBuggy}
}

// insert puts an interval in that touches no other one, without the ends that
// are not to be given.
func (f *freeSet) insert(interval pools.Block) {
	for f.avoidBuggy && pools.IsBuggy(interval.First) {
		if interval.First == interval.Last {
			return
		}
		interval.First = interval.First.Next()
	}
	for f.avoidBuggy && pools.IsBuggy(interval.Last) {
		interval.Last = interval.Last.Prev()
	}
	f.intervals.ReplaceOrInsert(interval)
}

// lowest is the lowest address of the set.
func (f *freeSet) lowest() (netip.Addr, bool) {
	interval, ok := f.intervals.Min()
	return interval.First, ok
}

// find is the interval that holds an address.
func (f *freeSet) find(addr netip.Addr) (pools.Block, bool) {
	interval, ok := f.atOrBefore(addr)
	return interval, ok && interval.Contains(addr)
}

func (f *freeSet) atOrBefore(addr netip.Addr) (found pools.Block, ok bool) {
	f.intervals.DescendLessOrEqual(pools.Block{First: addr}, func(interval pools.Block) bool {
		found, ok = interval, true
		return false
	})
	return found, ok
}

// take removes an address; false where it isn't in the set.
func (f *freeSet) take(addr netip.Addr) bool {
	interval, ok := f.find(addr)
	if !ok {
		return false
	}
	f.intervals.Delete(interval)
	if interval.First != addr {
		f.insert(pools.Block{First: interval.First, Last: addr.Prev()})
	}
	if interval.Last != addr {
		f.insert(pools.Block{First: addr.Next(), Last: interval.Last})
	}
	return true
}

// add puts a block into the set, whose addresses must not be in it, and joins it
// with the intervals that it touches.
func (f *freeSet) add(block pools.Block) {
	if before, ok := f.atOrBefore(block.First); ok && before.Last.Next() == block.First {
		f.intervals.Delete(before)
		block.First = before.First
	}
	// The last address of a family has no next one: Next is then the zero Addr,
	// which is no interval's first.
	if after, ok := f.intervals.Get(pools.Block{First: block.Last.Next()}); ok {
		f.intervals.Delete(after)
		block.Last = after.Last
	}
	f.insert(block)
}

// release puts one address back.
func (f *freeSet) release(addr netip.Addr) {
	f.add(pools.Block{First: addr, Last: addr})
}
