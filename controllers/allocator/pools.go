package allocator

import (
	"cmp"
	"slices"

	"github.com/herald-lb/herald/controllers/pools"
)

// Rebuild starts from what the API server has now, live: a new leader's first
// step. Claims come first, in the order of who holds an address longer, so that
// nothing moves; then what is missing is given out, oldest Service first. All
// Services count as changed.
func (a *Allocator) Rebuild(set *pools.Set, demands []Demand) {
	a.reset(set)
	records := make([]*record, 0, len(demands))
	for _, demand := range demands {
		r := &record{demand: demand}
		records = append(records, r)
		a.services[demand.Service] = r
		a.changed[demand.Service] = struct{}{}
	}
	slices.SortFunc(records, compareClaims)
	for _, r := range records {
		if !a.isUntouched(r) && !a.isForeign(r) {
			a.adopt(r)
		}
	}
	a.decideAll(records)
}

// compareClaims orders Services by who holds its address longer; those that are
// not known to hold it come last.
func compareClaims(x, y *record) int {
	xs, ys := x.demand.HeldSince, y.demand.HeldSince
	return cmp.Or(
		compareBool(xs.IsZero(), ys.IsZero()),
		xs.Compare(ys),
		compareRecords(x, y),
	)
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case y:
		return -1
	default:
		return 1
	}
}

// decideAll decides for all records, oldest first.
func (a *Allocator) decideAll(records []*record) {
	slices.SortFunc(records, compareRecords)
	for _, r := range records {
		a.findCandidates(r)
		a.decide(r)
	}
	a.serveWaiting()
}

// SetPools takes the pools in. Services keep every address that is still in a
// pool; the others get new ones, then those that wait are served, oldest first.
func (a *Allocator) SetPools(set *pools.Set) {
	a.setSpaces(set)
	records := make([]*record, 0, len(a.services))
	before := make(map[*record]Decision, len(a.services))
	for _, r := range a.services {
		records = append(records, r)
		before[r] = r.decision
		r.waits = waits{}
	}
	slices.SortFunc(records, compareRecords)
	for _, r := range records {
		a.reclaim(r)
	}
	a.decideAll(records)
	for _, r := range records {
		a.noteChange(r, before[r])
	}
}

// reclaim takes what the Service uses in the new pools and drops the rest.
func (a *Allocator) reclaim(r *record) {
	for at, addr := range r.held {
		if addr.IsValid() && !a.join(r, addr) {
			a.leave(r, at)
		}
	}
	for _, l := range r.leaving {
		a.join(r, l.addr) // if a pool has it
	}
}

// noteChange notes a Service whose decision is another than before.
func (a *Allocator) noteChange(r *record, before Decision) {
	now := r.decision
	if now.Outcome != before.Outcome || now.Reason != before.Reason ||
		now.Message != before.Message || !slices.Equal(now.Addresses, before.Addresses) {
		a.changed[r.demand.Service] = struct{}{}
	}
}
