package allocator

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// maxNamed bounds how many pools a message lists.
const maxNamed = 5

// describe says what the Service has, and what it could still get.
func (a *Allocator) describe(r *record, answers []answer) string {
	var text strings.Builder
	text.WriteString("has ")
	for i, addr := range r.decision.Addresses {
		if i > 0 {
			text.WriteString(" and ")
		}
		text.WriteString(addr.String() + " of IPAddressPool " + quoted(a.PoolOf(addr)))
	}
	for i := range answers {
		if !answers[i].addr.IsValid() {
			text.WriteString("; " + answers[i].message)
		}
	}
	return text.String()
}

// refusal is why a Service doesn't get what it asks for, and what it keeps.
func refusal(r *record, answers []answer) (reason, message string) {
	reason, message = whyPending(r, answers)
	if held := r.addresses(); len(held) > 0 {
		return v1alpha1.ReasonAddressKept, "keeps " + joined(held) + ": " + message
	}
	return reason, message
}

func whyPending(r *record, answers []answer) (reason, message string) {
	if problem := r.demand.Request.Problem; problem != "" {
		return v1alpha1.ReasonInvalidRequest, problem
	}
	var messages []string
	for i := range answers {
		found := &answers[i]
		if found.addr.IsValid() {
			continue
		}
		// What was asked for by name says more than what is lacking.
		if reason == "" || found.asked {
			reason = found.reason
		}
		messages = append(messages, found.message)
	}
	return reason, strings.Join(messages, "; ")
}

// explain says why no pool gives the Service an address of a family unasked, or
// the pool that it asks for doesn't.
func (a *Allocator) explain(r *record, family frrtemplates.Family) (reason, message string) {
	if name := r.demand.Request.Pool; name != "" {
		return a.explainPool(r, family, name)
	}
	if candidates := r.candidates[index(family)]; len(candidates) > 0 {
		return v1alpha1.ReasonPoolExhausted, fmt.Sprintf(
			"no free %s address left in IPAddressPool %s: add addresses to it, or delete a Service that has one", familyName(family), poolNames(candidates))
	}
	if refusing := a.auto[index(family)]; len(refusing) > 0 {
		return v1alpha1.ReasonNoPool, fmt.Sprintf(
			"no IPAddressPool gives %s addresses to this Service: %s serve others or are disabled; see their serviceAllocation", familyName(family), poolNames(refusing))
	}
	return v1alpha1.ReasonNoPool, fmt.Sprintf(
		"no IPAddressPool gives %s addresses: make one, or set autoAssign on one that has them", familyName(family))
}

// explainPool says why the pool that is asked for gives nothing.
func (a *Allocator) explainPool(r *record, family frrtemplates.Family, name string) (reason, message string) {
	pool := a.pools.Get(name)
	if pool == nil {
		return v1alpha1.ReasonNotInPool, fmt.Sprintf("annotation %s asks for IPAddressPool %s, which does not exist: make it, or ask for another one", r.demand.Request.PoolFrom, quoted(name))
	}
	if why := whyNot(pool, r.demand.Asker); why != "" {
		return v1alpha1.ReasonNotAllowed, why
	}
	if a.spaces[name][index(family)] == nil {
		return v1alpha1.ReasonNotInPool, fmt.Sprintf("IPAddressPool %s, which annotation %s asks for, has no %s addresses: add some, or ask for another one", quoted(name), r.demand.Request.PoolFrom, familyName(family))
	}
	return v1alpha1.ReasonPoolExhausted, fmt.Sprintf("no free %s address left in IPAddressPool %s, which annotation %s asks for: add addresses to it, or delete a Service that has one", familyName(family), quoted(name), r.demand.Request.PoolFrom)
}

// outsideMessage says why no pool has an address.
func (a *Allocator) outsideMessage(addr netip.Addr) string {
	for _, pool := range a.pools.Pools {
		if pool.AvoidBuggy && pools.IsBuggy(addr) && pool.Covers(addr) {
			return fmt.Sprintf("%s is asked for, but IPAddressPool %s has avoidBuggyIPs and never gives addresses that end in .0 or .255: ask for another one", addr, quoted(pool.Name))
		}
		if pool.Excludes(addr) {
			return fmt.Sprintf("%s is asked for, but IPAddressPool %s excludes it: ask for another one", addr, quoted(pool.Name))
		}
	}
	return fmt.Sprintf("%s is asked for, but it is in no IPAddressPool: add it to one, or ask for an address of a pool", addr)
}

func otherPoolMessage(addr netip.Addr, has string, asked *Request) string {
	return fmt.Sprintf("%s is asked for, but it is of IPAddressPool %s and annotation %s asks for %s: remove one of them or let them agree",
		addr, quoted(has), asked.PoolFrom, quoted(asked.Pool))
}

func takenMessage(addr netip.Addr, user *record, why string) string {
	return fmt.Sprintf("%s is asked for, but Service %s has it and can't share it: %s; ask for another one, or let them share", addr, user.demand.Service, why)
}

func notAllowedMessage(pool *pools.Pool, what string) string {
	return fmt.Sprintf("IPAddressPool %s, which is asked for, %s", quoted(pool.Name), what)
}

func drainedCause(pool *pools.Pool) string {
	if pool.Object.Spec.Disabled {
		return "it is disabled"
	}
	return "its spec.exclude can't be read"
}

func poolNames(spaces []*space) string {
	names := make([]string, 0, len(spaces))
	for _, s := range spaces {
		if len(names) == maxNamed {
			names = append(names, fmt.Sprintf("and %d more", len(spaces)-maxNamed))
			break
		}
		names = append(names, quoted(s.pool.Name))
	}
	return strings.Join(names, ", ")
}

func foreignMessage(r *record) string {
	return fmt.Sprintf("%s was not given by Herald and is in no IPAddressPool: it is left alone; add it to a pool to have Herald take it over, or clear status.loadBalancer to get a new one", currentText(r))
}

func currentText(r *record) string {
	parts := make([]string, 0, len(r.demand.Current))
	for _, addr := range r.demand.Current {
		parts = append(parts, addr.String())
	}
	if r.demand.OtherIngress {
		parts = append(parts, "a host name")
	}
	return strings.Join(parts, ", ")
}

// familyName is the family as Kubernetes writes it.
func familyName(family frrtemplates.Family) string {
	if family == frrtemplates.IPv4 {
		return "IPv4"
	}
	return "IPv6"
}
