package compile

import (
	"cmp"
	"slices"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// frame is what Services rarely change: the configuration without networks, and
// what is to be said about the classes.
type frame struct {
	config frrtemplates.Config
	issues []Issue
	// undefined are route-maps of classes that got no number.
	undefined map[string]bool
}

func (p *Policy) newFrame(kernel kernel, inUse *usage, applied numbers) frame {
	classes, undefined := inUse.number(applied)
	return frame{config: p.buildConfig(kernel, classes), issues: p.issuesOf(inUse), undefined: undefined}
}

// buildConfig is the node's configuration without networks.
func (p *Policy) buildConfig(kernel kernel, classes []numbered) frrtemplates.Config {
	config := frrtemplates.Config{Forwarding: kernel.forwarding}
	for _, s := range p.Snippets {
		config.Snippets = append(config.Snippets, frrtemplates.Snippet{Name: s.Name, Lines: s.Lines})
	}
	if len(p.Peers) == 0 {
		return config
	}
	config.BFDProfiles = p.profiles
	config.RouteMaps = classMaps(classes)
	config.RouteMaps = append(config.RouteMaps, denyMap(frrtemplates.DenyMap))
	for _, peer := range p.known() {
		for _, family := range peer.Families {
			config.RouteMaps = append(config.RouteMaps, p.outboundMap(peer, family, classes))
		}
	}
	p.addReceived(&config)
	slices.SortFunc(config.RouteMaps, func(a, b frrtemplates.RouteMap) int { return cmp.Compare(a.Name, b.Name) })
	config.Interfaces = p.interfaces()
	for _, instance := range p.Instances {
		config.Routers = append(config.Routers, p.router(instance, kernel))
	}
	return config
}

// known are the peers but for those of which only the node knows the address: no
// configuration can be made for them elsewhere.
func (p *Policy) known() []*Peer {
	return slices.DeleteFunc(slices.Clone(p.Peers), func(peer *Peer) bool { return !peer.End.IsKnown() })
}

// interfaces that routers are behind, each once.
func (p *Policy) interfaces() []string {
	var names []string
	for _, peer := range p.Peers {
		if name := peer.End.Interface; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// router of one VRF without networks.
func (p *Policy) router(instance *Instance, kernel kernel) frrtemplates.Router {
	router := frrtemplates.Router{
		VRF: instance.VRF, ASN: instance.ASN, RouterID: instance.RouterID,
		PreservesForwarding: kernel.serves && p.restartsGracefully(instance.VRF),
	}
	for _, peer := range p.known() {
		if peer.VRF == instance.VRF {
			router.Neighbors = append(router.Neighbors, peer.Neighbor)
		}
	}
	for _, family := range bothFamilies {
		if neighbors := p.neighborsOf(instance.VRF, family); neighbors != nil {
			router.Families = append(router.Families, frrtemplates.RouterFamily{Family: family, Neighbors: neighbors})
		}
	}
	return router
}

func classMaps(classes []numbered) []frrtemplates.RouteMap {
	maps := make([]frrtemplates.RouteMap, 0, len(classes)+1)
	for _, c := range classes {
		maps = append(maps, frrtemplates.RouteMap{Name: c.routeMap, Entries: []frrtemplates.RouteMapEntry{
			{Permit: true, Sequence: 1, SetTag: c.tag, Bandwidth: bandwidth(c.weight)},
		}})
	}
	return maps
}

func denyMap(name string) frrtemplates.RouteMap {
	return frrtemplates.RouteMap{Name: name, Entries: []frrtemplates.RouteMapEntry{{Sequence: denySequence}}}
}

// outboundMap has one entry per class that reaches the peer, and ends with what
// FRR does anyway, so that it is defined before the first class is there.
func (p *Policy) outboundMap(peer *Peer, family frrtemplates.Family, classes []numbered) frrtemplates.RouteMap {
	m := denyMap(frrtemplates.OutboundMap(peer.Name, family))
	for _, c := range classes {
		advertisements := reaching(c.advertisements, peer.Name)
		if c.weight > 0 || len(advertisements) == 0 {
			continue // the entry of a variant is that of the plain class
		}
		entry := frrtemplates.RouteMapEntry{
			Permit: true, Sequence: c.sequence, MatchTag: c.tag,
			Communities: spell(united(advertisements)), LargeCommunities: spell(unitedLarge(advertisements)),
			NoExtCommunities: c.weighs && !weigh(advertisements),
		}
		p.setScalars(&entry, advertisements, peer, family)
		p.drain.tell(&entry, advertisements, peer)
		m.Entries = append(m.Entries, entry)
	}
	slices.SortFunc(m.Entries, func(a, b frrtemplates.RouteMapEntry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return m
}

func (p *Policy) neighborsOf(vrf string, family frrtemplates.Family) []frrtemplates.NeighborFamily {
	var neighbors []frrtemplates.NeighborFamily
	for _, peer := range p.known() {
		if peer.VRF == vrf && slices.Contains(peer.Families, family) {
			neighbors = append(neighbors, frrtemplates.NeighborFamily{
				End: peer.End, InMap: p.inMap(peer, family), OutMap: frrtemplates.OutboundMap(peer.Name, family),
				MaximumPrefixes: peer.maximumPrefixes,
			})
		}
	}
	return neighbors
}

// withNetworks is the configuration with the networks of each place. The frame
// itself stays as it is.
func (f *frame) withNetworks(networks map[place][]frrtemplates.Network) frrtemplates.Config {
	config := f.config
	config.Routers = slices.Clone(config.Routers)
	for i := range config.Routers {
		families := slices.Clone(config.Routers[i].Families)
		for j := range families {
			families[j].Networks = f.defined(networks[place{config.Routers[i].VRF, families[j].Family}])
			config.Routers[i].Discards = append(config.Routers[i].Discards, discards(families[j].Networks)...)
		}
		config.Routers[i].Families = families
	}
	return config
}

// defined leaves out lines whose route-map is not there.
func (f *frame) defined(networks []frrtemplates.Network) []frrtemplates.Network {
	if len(f.undefined) == 0 {
		return networks
	}
	return slices.DeleteFunc(slices.Clone(networks), func(n frrtemplates.Network) bool { return f.undefined[n.RouteMap] })
}

// issuesOf are the Policy's, and what only the classes of some Services bring up.
func (p *Policy) issuesOf(inUse *usage) []Issue {
	known := clashesOf(p.standing)
	var more []clash
	issues := slices.Clone(p.Issues)
	for c := range inUse.counts {
		issues = append(issues, c.leftOut...)
		for _, found := range c.clashes {
			if !slices.ContainsFunc(known, found.equal) {
				more = append(more, found)
			}
		}
	}
	issues = append(issues, overruled(more)...)
	for member := range inUse.split {
		issues = append(issues, p.notForLocal(member))
	}
	slices.SortFunc(issues, CompareIssues)
	return slices.Compact(issues)
}
