package allocator

import (
	"net/netip"

	"github.com/google/btree"
)

// ageTree are Services, oldest first.
type ageTree = btree.BTreeG[*record]

func newAgeTree() *ageTree {
	return btree.NewG(treeDegree, func(x, y *record) bool { return compareRecords(x, y) < 0 })
}

// waits is what could make a difference to a Service that lacks something: an
// address of one of the spaces, one of the addresses, or one shared under key.
type waits struct {
	spaces    []*space
	addresses []netip.Addr
	key       string
}

// waiting finds those that wait by what they wait for, so that an event costs
// nothing to those that it can't help.
type waiting struct {
	bySpace   map[*space]*ageTree
	byAddress map[netip.Addr]*ageTree
	byKey     map[string]*ageTree
}

func newWaiting() waiting {
	return waiting{bySpace: map[*space]*ageTree{}, byAddress: map[netip.Addr]*ageTree{}, byKey: map[string]*ageTree{}}
}

func addTo[K comparable](trees map[K]*ageTree, key K, r *record) {
	if trees[key] == nil {
		trees[key] = newAgeTree()
	}
	trees[key].ReplaceOrInsert(r)
}

func removeFrom[K comparable](trees map[K]*ageTree, key K, r *record) {
	tree := trees[key]
	if tree == nil {
		return
	}
	if tree.Delete(r); tree.Len() == 0 {
		delete(trees, key)
	}
}

func (w *waiting) add(r *record, what waits) {
	r.waits = what
	for _, s := range what.spaces {
		addTo(w.bySpace, s, r)
	}
	for _, addr := range what.addresses {
		addTo(w.byAddress, addr, r)
	}
	if what.key != "" {
		addTo(w.byKey, what.key, r)
	}
}

// remove must come before the Service's age or key changes.
func (w *waiting) remove(r *record) {
	for _, s := range r.waits.spaces {
		removeFrom(w.bySpace, s, r)
	}
	for _, addr := range r.waits.addresses {
		removeFrom(w.byAddress, addr, r)
	}
	if r.waits.key != "" {
		removeFrom(w.byKey, r.waits.key, r)
	}
	r.waits = waits{}
}

// after is the oldest in the tree that is younger than last; nil if none.
func after(tree *ageTree, last *record) (next *record) {
	if tree == nil {
		return nil
	}
	take := func(r *record) bool {
		if r == last {
			return true
		}
		next = r
		return false
	}
	if last == nil {
		tree.Ascend(take)
	} else {
		tree.AscendGreaterOrEqual(last, take)
	}
	return next
}

// serveWaiting gives what has become free to those that wait for it.
func (a *Allocator) serveWaiting() {
	for len(a.events) > 0 {
		addr := a.events[0]
		a.events = a.events[1:]
		if s := a.spaceOf(addr); s != nil {
			a.serve(s, addr)
		}
	}
	a.events = nil
}

// serve asks those that the address could help, the oldest first.
func (a *Allocator) serve(s *space, addr netip.Addr) {
	for last := (*record)(nil); ; {
		next := a.nextWaiting(s, addr, last)
		if next == nil {
			return
		}
		last = next
		before := next.decision
		a.waiting.remove(next)
		a.decide(next)
		a.noteChange(next, before)
	}
}

func (a *Allocator) nextWaiting(s *space, addr netip.Addr, last *record) *record {
	next := after(a.waiting.byAddress[addr], last)
	if s.hasFree() {
		next = older(next, after(a.waiting.bySpace[s], last))
	}
	if h := a.holdings[addr]; h != nil && h.group != nil {
		next = older(next, after(a.waiting.byKey[h.group.sharing.Key], last))
	}
	return next
}

func older(x, y *record) *record {
	if x == nil || y != nil && compareRecords(y, x) < 0 {
		return y
	}
	return x
}
