package compile

import (
	"net/netip"
	"slices"

	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Decision is what a node does with a Service: it announces Lines, or none and
// Why says why not.
type Decision struct {
	// Lines to announce, in the order of the Service's addresses.
	Lines []Line
	// Why there is no line; empty where there is one. Of a Service with two
	// addresses it is that of the address which came further.
	Why Why
	// idle are the classes of its prefixes that are not announced: they are
	// defined before the first line, and stay while endpoints come and go.
	idle []*class
	// split are the advertisements whose aggregates give way to host routes.
	split []int
	// takers could announce its routes for a node that drains, and waits is what the
	// first of those waits for that nobody takes over; see Result.
	takers map[snapshot.Route][]snapshot.Taker
	waits  waitKey
	// gated are the prefixes of which only a closed gate decided.
	gated []netip.Prefix
}

// Line is one prefix that is announced. Another Service may need it too: then
// the prefix has what applies to either.
type Line struct {
	Prefix netip.Prefix
	// Peers that get it, by name. Shared: not to be changed.
	Peers []string
	class *class
}

// RouteMap names the set of advertisements that apply to the line.
func (l *Line) RouteMap() string { return l.class.plain.routeMap }

func (l Line) equal(other Line) bool { return l.Prefix == other.Prefix && l.class == other.class }

// equal says whether two decisions of one Policy are the same.
func (d Decision) equal(other Decision) bool {
	return d.Why == other.Why && slices.EqualFunc(d.Lines, other.Lines, Line.equal) &&
		slices.Equal(d.idle, other.idle) && slices.Equal(d.split, other.split)
}

// Subject is a Service with what else is read to decide about it.
type Subject struct {
	Service *snapshot.Service
	// Namespace that it is in; nil while that isn't known.
	Namespace *snapshot.Namespace
	// Slices of its endpoints, by name.
	Slices map[string]*snapshot.Slice
}

// Service decides about one Service, as if the gates were open.
func (p *Policy) Service(s Subject) Decision { return compileService(s, p, gate{}) }

// compileService is the core: everything that is decided for each Service.
func compileService(s Subject, policy *Policy, gate gate) Decision {
	d := Decision{Why: WhyNoPool}
	for _, addr := range s.Service.Addresses {
		policy.decide(&d, s, prefixOf(addr), gate)
	}
	if len(d.Lines) > 0 {
		d.Why = ""
	}
	d.takers, d.waits = policy.drain.keep(s, d.Lines)
	return d
}

// prefixOf is an address as a host route.
func prefixOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen())
}

// decide about one address, given as a host route.
func (p *Policy) decide(d *Decision, s Subject, host netip.Prefix, gate gate) {
	pool := p.Pools.Find(host.Addr())
	if pool == nil {
		return
	}
	lines, split := p.routes(s, pool, host)
	if len(lines) == 0 {
		d.because(WhyNoAdvertisement)
	}
	for _, line := range lines {
		why := p.withholds(line, host.Addr(), s)
		if why == "" && !gate.open() {
			d.gated = append(d.gated, line.Prefix)
			why = gate.holds(line.Prefix)
		}
		if why == "" {
			d.add(line)
			continue
		}
		d.idle = append(d.idle, line.class.plain)
		d.because(why)
	}
	for _, member := range split {
		if !slices.Contains(d.split, member) {
			d.split = append(d.split, member)
		}
	}
}

// because keeps the reason that came furthest.
func (d *Decision) because(why Why) {
	if why.furtherThan(d.Why) {
		d.Why = why
	}
}

// add leaves out a prefix that two addresses need.
func (d *Decision) add(line Line) {
	if !slices.ContainsFunc(d.Lines, line.equal) {
		d.Lines = append(d.Lines, line)
	}
}

// withholds says why a line for an address is withheld, whatever the gate says. The
// order of the questions is that of the constants of Why.
func (p *Policy) withholds(line Line, address netip.Addr, s Subject) Why {
	switch {
	case len(line.Peers) == 0:
		return WhyNoPeer
	case p.nodeWhy != "":
		return p.nodeWhy
	}
	if why := p.lacksEndpoint(s, frrtemplates.FamilyOf(line.Prefix.Addr())); why != "" {
		return why
	}
	if p.drain.leaves(line, address, s) {
		return WhyNodeDrains
	}
	return ""
}

// lacksEndpoint says why the Service can't be served from this node: no usable
// endpoint of the address's family anywhere, or, with externalTrafficPolicy:
// Local, none here.
func (p *Policy) lacksEndpoint(s Subject, family frrtemplates.Family) Why {
	why := WhyNoEndpoint
	for _, slice := range s.Slices {
		if slice.Family != family || !slice.Usable {
			continue
		}
		if !s.Service.Local {
			return ""
		}
		if _, here := slices.BinarySearch(slice.Nodes, p.Node); here {
			return ""
		}
		why = WhyNoLocalEndpoint
	}
	return why
}

// whyOrder is the order in which the reasons are looked at.
var whyOrder = map[Why]int{
	WhyNoPool: 1, WhyNoAdvertisement: 2, WhyNoPeer: 3, WhyNodeExcluded: 4, WhyNoNetwork: 5,
	WhyNoEndpoint: 6, WhyNoLocalEndpoint: 7, WhyNodeDrains: 8, WhyGateClosed: 9, WhyRelayPending: 10,
}

func (w Why) furtherThan(other Why) bool { return whyOrder[w] > whyOrder[other] }
