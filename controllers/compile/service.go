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
}

// Line is one prefix that is announced.
type Line struct {
	Network frrtemplates.Network
	// Peers that get it, by name. Shared: not to be changed.
	Peers []string
}

// Service decides about one Service with its slices, as if the gates were open.
func (p *Policy) Service(service *snapshot.Service, slices map[string]*snapshot.Slice) Decision {
	return compileService(service, slices, p, gate{open: true})
}

// gate of one Service's first announcement.
type gate struct {
	open bool
	// applied prefixes are announced already: no gate closes on them.
	applied map[netip.Prefix]struct{}
}

func (g gate) passes(prefix netip.Prefix) bool {
	if g.open {
		return true
	}
	_, applied := g.applied[prefix]
	return applied
}

// compileService is the core: everything that is decided for each Service.
func compileService(service *snapshot.Service, slices map[string]*snapshot.Slice, policy *Policy, gate gate) Decision {
	d := Decision{Why: WhyNoPool}
	for _, addr := range service.Addresses {
		line, why := policy.line(service, slices, prefixOf(addr), gate)
		if why == "" {
			d.add(line)
		} else if why.furtherThan(d.Why) {
			d.Why = why
		}
	}
	if len(d.Lines) > 0 {
		d.Why = ""
	}
	return d
}

// prefixOf is an address as a host route.
func prefixOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen())
}

// add leaves out an address that is listed twice.
func (d *Decision) add(line Line) {
	if !slices.ContainsFunc(d.Lines, func(l Line) bool { return l.Network == line.Network }) {
		d.Lines = append(d.Lines, line)
	}
}

// line is the line of one prefix, or why there is none. The order of the
// questions is that of the constants of Why.
func (p *Policy) line(service *snapshot.Service, slices map[string]*snapshot.Slice, prefix netip.Prefix, gate gate) (Line, Why) {
	pool := p.Pools.Find(prefix.Addr())
	if pool == nil {
		return Line{}, WhyNoPool
	}
	class := p.classes[pool]
	if class == nil {
		return Line{}, WhyNoAdvertisement
	}
	family := frrtemplates.FamilyOf(prefix.Addr())
	peers := class.peers[family]
	if len(peers) == 0 {
		return Line{}, WhyNoPeer
	}
	if p.nodeWhy != "" {
		return Line{}, p.nodeWhy
	}
	if why := p.lacksEndpoint(service, slices, family); why != "" {
		return Line{}, why
	}
	if !gate.passes(prefix) {
		return Line{}, WhyGateClosed
	}
	return Line{Network: frrtemplates.Network{Prefix: prefix, RouteMap: class.routeMap}, Peers: peers}, ""
}

// lacksEndpoint says why the Service can't be served from this node: no usable
// endpoint of the address's family anywhere, or, with externalTrafficPolicy:
// Local, none here.
func (p *Policy) lacksEndpoint(service *snapshot.Service, all map[string]*snapshot.Slice, family frrtemplates.Family) Why {
	why := WhyNoEndpoint
	for _, slice := range all {
		if slice.Family != family || !slice.Usable {
			continue
		}
		if !service.Local {
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
	WhyNoEndpoint: 6, WhyNoLocalEndpoint: 7, WhyGateClosed: 8,
}

func (w Why) furtherThan(other Why) bool { return whyOrder[w] > whyOrder[other] }
