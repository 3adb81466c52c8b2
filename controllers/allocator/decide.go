package allocator

import (
	"net/netip"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// answer is what one family of a Service comes to.
type answer struct {
	at int
	// addr that the Service should have, the one that it holds included; the zero
	// Addr where there is none.
	addr netip.Addr
	// reason and message: why there is none.
	reason, message string
	// asked: an address was asked for by name and can't be had, so that nothing
	// else will do.
	asked bool
	waits waits
}

// decide gives the Service what it asks for, as far as there is something to
// give, and otherwise leaves it with what it has.
func (a *Allocator) decide(r *record) {
	r.decision = Decision{}
	if a.isUntouched(r) {
		return
	}
	if a.isForeign(r) {
		r.decision = Decision{Outcome: Foreign, Reason: v1alpha1.ReasonForeignAddress, Message: foreignMessage(r)}
		return
	}
	a.adopt(r)
	a.noteStrays(r)
	answers := a.answers(r)
	if served(r, answers) {
		a.give(r, answers)
		r.noteWritten()
		r.decision = Decision{Outcome: Allocated, Reason: v1alpha1.ReasonAllocated, Addresses: r.addresses()}
		r.decision.Message = a.describe(r, answers)
		a.wait(r, answers)
		return
	}
	r.noteWritten()
	r.decision = Decision{Outcome: Pending, Addresses: r.addresses()}
	r.decision.Reason, r.decision.Message = refusal(r, answers)
	a.wait(r, answers)
}

// served says whether the answers are enough: all families, or some where that
// will do, but never less than what was asked for by name.
func served(r *record, answers []answer) bool {
	if r.demand.Request.Problem != "" {
		return false
	}
	has := 0
	for i := range answers {
		if answers[i].asked {
			return false
		}
		if answers[i].addr.IsValid() {
			has++
		}
	}
	return has == len(answers) || r.demand.AnyFamily && has > 0
}

// give moves the Service to its new addresses. Those of a family that it gets
// nothing of go: they are not what it asks for.
func (a *Allocator) give(r *record, answers []answer) {
	for i := range answers {
		at, addr := answers[i].at, answers[i].addr
		if r.held[at] == addr {
			continue
		}
		if r.held[at].IsValid() {
			a.leave(r, at)
		}
		if addr.IsValid() {
			a.hold(r, addr)
			r.written = false
		}
	}
}

// wait notes what could make a difference. Where it needs all families, that is
// the first one that is lacking: as long as that is, the others don't matter.
func (a *Allocator) wait(r *record, answers []answer) {
	var sum waits
	lacking := false
	for i := range answers {
		if answers[i].addr.IsValid() || lacking && !r.demand.AnyFamily {
			continue
		}
		lacking = true
		sum.spaces = append(sum.spaces, answers[i].waits.spaces...)
		sum.addresses = append(sum.addresses, answers[i].waits.addresses...)
	}
	if lacking && r.demand.Request.Problem == "" {
		sum.key = r.demand.Sharing.Key
		a.waiting.add(r, sum)
	}
}

// dropUnwanted leaves the addresses of families that a Service no longer wants.
func (a *Allocator) dropUnwanted(r *record) {
	for at, family := range families {
		if r.held[at].IsValid() && !slices.Contains(r.demand.Families, family) {
			a.leave(r, at)
		}
	}
}

// isUntouched: with no pool at all nothing is written, but to Services that
// Herald was at work on before.
func (a *Allocator) isUntouched(r *record) bool {
	if len(a.pools.Pools) > 0 || r.demand.Owned || r.ours {
		return false
	}
	return !r.demand.Known || len(r.demand.Current) > 0 || r.demand.OtherIngress
}

// isForeign: someone else wrote what the Service's status has, and it lies in no
// pool, wholly or in part.
func (a *Allocator) isForeign(r *record) bool {
	if r.demand.Owned || r.ours {
		return false
	}
	outside := func(addr netip.Addr) bool { return a.spaceOf(addr) == nil }
	return r.demand.OtherIngress || slices.ContainsFunc(r.demand.Current, outside)
}

// adopt takes over the addresses in the Service's status that lie in a pool,
// as long as the Service was not seen with what it holds.
func (a *Allocator) adopt(r *record) {
	if r.written {
		return
	}
	for _, addr := range r.demand.Current {
		at := index(frrtemplates.FamilyOf(addr))
		if !slices.Contains(r.demand.Families, families[at]) || r.held[at] == addr || r.isLeaving(addr) || a.spaceOf(addr) == nil {
			continue
		}
		if user, _ := a.obstacle(r, addr); user != nil {
			continue
		}
		if r.held[at].IsValid() {
			a.leave(r, at)
		}
		a.hold(r, addr)
	}
}

// noteStrays looks at the addresses in the Service's status that it doesn't have.
// Those that are another one's are conflicts. Of the others nobody else gets one
// as long as it stands there.
func (a *Allocator) noteStrays(r *record) {
	for _, addr := range r.demand.Current {
		if r.held[index(frrtemplates.FamilyOf(addr))] == addr || r.isLeaving(addr) {
			continue
		}
		user, _ := a.obstacle(r, addr)
		if user == nil {
			r.leaving = append(r.leaving, left{addr: addr, version: r.demand.Version})
			a.join(r, addr) // if a pool has it
			continue
		}
		if r.lost != addr {
			r.lost = addr
			a.conflicts = append(a.conflicts, Conflict{Address: addr, Holder: user.demand.Service, Loser: r.demand.Service})
		}
	}
}

// answers for each family that the Service wants.
func (a *Allocator) answers(r *record) []answer {
	answers := make([]answer, 0, len(families))
	for _, family := range r.demand.Families {
		if asked := r.demand.Request.address(family); asked.IsValid() {
			answers = append(answers, a.answerAddress(r, family, asked))
		} else {
			answers = append(answers, a.answerAny(r, family))
		}
	}
	return answers
}

// answerAddress: exactly the address that is asked for, or none.
func (a *Allocator) answerAddress(r *record, family frrtemplates.Family, addr netip.Addr) answer {
	found := answer{at: index(family)}
	pool := a.pools.Find(addr)
	switch {
	case pool == nil:
		found.refuse(v1alpha1.ReasonNotInPool, a.outsideMessage(addr))
	case r.demand.Request.Pool != "" && r.demand.Request.Pool != pool.Name:
		found.refuse(v1alpha1.ReasonInvalidRequest, otherPoolMessage(addr, pool.Name, &r.demand.Request))
	case r.held[found.at] == addr:
		found.addr = addr
	case whyNot(pool, r.demand.Asker) != "":
		found.refuse(v1alpha1.ReasonNotAllowed, whyNot(pool, r.demand.Asker))
	default:
		user, why := a.obstacle(r, addr)
		if user == nil {
			found.addr = addr
			break
		}
		found.refuse(v1alpha1.ReasonAddressTaken, takenMessage(addr, user, why))
		found.waits.addresses = []netip.Addr{addr}
	}
	return found
}

func (f *answer) refuse(reason, message string) {
	f.asked, f.reason, f.message = true, reason, message
}

// whyNot says why a pool gives nothing to a Service that asks; "" if it does.
func whyNot(pool *pools.Pool, asker pools.Asker) string {
	switch {
	case !pool.AllowRequests:
		return notAllowedMessage(pool, "takes no requests: ask for another one, or set its allowRequests")
	case pool.Drained:
		return notAllowedMessage(pool, "gives out nothing new ("+drainedCause(pool)+"): ask for another one, or mend that")
	case !pool.Serves(asker):
		return notAllowedMessage(pool, "does not serve this Service: see its serviceAllocation, the Service's labels and namespace")
	default:
		return ""
	}
}

// answerAny: what the Service has, if it is of the pool that it asks for; else
// an address that it can share; else the lowest free one.
func (a *Allocator) answerAny(r *record, family frrtemplates.Family) answer {
	found := answer{at: index(family)}
	wanted := r.demand.Request.Pool
	if held := r.held[found.at]; held.IsValid() && (wanted == "" || a.PoolOf(held) == wanted) {
		found.addr = held
		return found
	}
	candidates := r.candidates[found.at]
	for _, s := range candidates {
		if addr, ok := s.joinable(&r.demand.Sharing); ok {
			found.addr = addr
			return found
		}
	}
	for _, s := range candidates {
		if addr, ok := s.free.lowest(); ok {
			found.addr = addr
			return found
		}
	}
	found.waits.spaces = candidates
	found.reason, found.message = a.explain(r, family)
	return found
}
