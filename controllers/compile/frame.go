package compile

import (
	"cmp"
	"slices"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// buildFrame is the node's configuration without networks: what Services can't
// change.
func (p *Policy) buildFrame(forwarding frrtemplates.Forwarding) frrtemplates.Config {
	config := frrtemplates.Config{Forwarding: forwarding}
	if len(p.Peers) == 0 {
		return config
	}
	config.BFDProfiles = p.profiles
	router := frrtemplates.Router{ASN: p.ASN, RouterID: p.RouterID}
	config.RouteMaps = p.classMaps()
	config.RouteMaps = append(config.RouteMaps, denyMap(frrtemplates.DenyMap))
	for _, peer := range p.Peers {
		router.Neighbors = append(router.Neighbors, peer.Neighbor)
		for _, family := range peer.Families {
			config.RouteMaps = append(config.RouteMaps, p.outboundMap(peer, family))
		}
	}
	for _, family := range bothFamilies {
		if neighbors := p.neighborsOf(family); neighbors != nil {
			router.Families = append(router.Families, frrtemplates.RouterFamily{Family: family, Neighbors: neighbors})
		}
	}
	slices.SortFunc(config.RouteMaps, func(a, b frrtemplates.RouteMap) int { return cmp.Compare(a.Name, b.Name) })
	config.Routers = []frrtemplates.Router{router}
	return config
}

func (p *Policy) classMaps() []frrtemplates.RouteMap {
	maps := make([]frrtemplates.RouteMap, 0, len(p.byName)+len(p.Peers)+1)
	for _, c := range p.byName {
		maps = append(maps, frrtemplates.RouteMap{Name: c.routeMap, Entries: []frrtemplates.RouteMapEntry{
			{Permit: true, Sequence: 1, SetTag: c.tag},
		}})
	}
	return maps
}

func denyMap(name string) frrtemplates.RouteMap {
	return frrtemplates.RouteMap{Name: name, Entries: []frrtemplates.RouteMapEntry{{Sequence: denySequence}}}
}

// outboundMap has one entry per class that reaches the peer, and ends with what
// FRR does anyway, so that it is defined before the first class is there.
func (p *Policy) outboundMap(peer *Peer, family frrtemplates.Family) frrtemplates.RouteMap {
	m := denyMap(frrtemplates.OutboundMap(peer.Name, family))
	for _, c := range p.byName {
		advertisements := reaching(c.advertisements, peer.Name)
		if len(advertisements) == 0 {
			continue
		}
		m.Entries = append(m.Entries, frrtemplates.RouteMapEntry{
			Permit: true, Sequence: c.sequence, MatchTag: c.tag,
			Communities: spell(united(advertisements)), LargeCommunities: spell(unitedLarge(advertisements)),
			LocalPref: p.localPref(advertisements, peer),
		})
	}
	slices.SortFunc(m.Entries, func(a, b frrtemplates.RouteMapEntry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return m
}

func (p *Policy) neighborsOf(family frrtemplates.Family) []frrtemplates.NeighborFamily {
	var neighbors []frrtemplates.NeighborFamily
	for _, peer := range p.Peers {
		if slices.Contains(peer.Families, family) {
			neighbors = append(neighbors, frrtemplates.NeighborFamily{
				Address: peer.Address, InMap: frrtemplates.DenyMap, OutMap: frrtemplates.OutboundMap(peer.Name, family),
			})
		}
	}
	return neighbors
}

// withNetworks is the frame with the networks of each family. The frame itself
// stays as it is.
func (p *Policy) withNetworks(networks map[frrtemplates.Family][]frrtemplates.Network) frrtemplates.Config {
	config := p.frame
	config.Routers = slices.Clone(config.Routers)
	for i := range config.Routers {
		families := slices.Clone(config.Routers[i].Families)
		for j := range families {
			families[j].Networks = networks[families[j].Family]
		}
		config.Routers[i].Families = families
	}
	return config
}
