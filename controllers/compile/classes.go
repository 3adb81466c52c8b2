package compile

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// class is a set of advertisements that apply to one prefix on this node. A
// Policy makes each once: the same set is the same class.
type class struct {
	// routeMap is its name.
	routeMap string
	// members are the indices of its advertisements in the Policy, ascending.
	members []int
	// advertisements of the members, the oldest first, without those that don't
	// fit in.
	advertisements []*Advertisement
	// peers that its prefixes of each family reach, by name; vrfs where they live,
	// the default VRF first.
	peers map[frrtemplates.Family][]string
	vrfs  map[frrtemplates.Family][]string
	// clashes are where its advertisements disagree.
	clashes []clash
	// leftOut says which members don't fit in.
	leftOut []Issue
	// weighs says that one of the advertisements does. Then a host route's class is
	// a variant for the number of endpoints: weight is that number and plain the
	// class without; of any other class weight is 0 and plain is itself.
	weighs bool
	weight int
	plain  *class
}

// classes are those that a Policy was asked for. It is safe for concurrent use.
type classes struct {
	mu        sync.Mutex
	byMembers map[string]*class
	variants  map[variant]*class
}

// classOf is the class of some of the Policy's advertisements, given by their
// indices, ascending; nil of none.
func (p *Policy) classOf(members []int) *class {
	if len(members) == 0 {
		return nil
	}
	var buffer [64]byte
	key := buffer[:0]
	for _, member := range members {
		key = binary.AppendUvarint(key, uint64(member))
	}
	p.classes.mu.Lock()
	defer p.classes.mu.Unlock()
	c := p.classes.byMembers[string(key)]
	if c == nil {
		c = p.newClass(slices.Clone(members))
		p.classes.byMembers[string(key)] = c
	}
	return c
}

func (p *Policy) newClass(members []int) *class {
	c := &class{members: members, peers: map[frrtemplates.Family][]string{}, vrfs: map[frrtemplates.Family][]string{}}
	names := make([]string, 0, len(members))
	for _, member := range members {
		a := p.Advertisements[member]
		if what, peer := p.overflow(c.advertisements, a); what != "" {
			c.leaveOut(a, what, peer)
			continue
		}
		c.advertisements = append(c.advertisements, a)
		c.weighs = c.weighs || a.weighs
		names = append(names, a.Name)
	}
	slices.Sort(names)
	c.routeMap, c.plain = frrtemplates.ClassMap(names), c
	for _, peer := range p.Peers {
		to := reaching(c.advertisements, peer.Name)
		if len(to) == 0 {
			continue
		}
		c.clashes = append(c.clashes, p.clashes(to, peer)...)
		for _, family := range peer.Families {
			c.peers[family] = append(c.peers[family], peer.Name)
			if !slices.Contains(c.vrfs[family], peer.VRF) { // peers are sorted by VRF
				c.vrfs[family] = append(c.vrfs[family], peer.VRF)
			}
		}
	}
	for _, names := range c.peers {
		slices.Sort(names)
	}
	return c
}

// leaveOut an advertisement as a whole: its routes must not go out without what
// was asked for.
func (c *class) leaveOut(a *Advertisement, what, peer string) {
	c.leftOut = append(c.leftOut, Issue{
		Object: ObjectRef{Kind: "BGPAdvertisement", Name: a.Name},
		Reason: v1alpha1.ReasonOverruled,
		Message: fmt.Sprintf(
			"spec.communities: with older BGPAdvertisements (such as %q) the routes of some Services would carry %s to peer %q: on these the older ones hold, and this one does not apply; remove some, or let them select different Services",
			c.advertisements[0].Name, what, peer),
	})
}

// unite is the class of a prefix that several Services need: whatever applies to
// one of them applies to it, and their endpoints count together.
func (p *Policy) unite(a, b *class) *class {
	if a == b && a.weight == 0 {
		return a
	}
	members := slices.Concat(a.members, b.members)
	slices.Sort(members)
	return p.weighed(p.classOf(slices.Compact(members)), a.weight+b.weight)
}

// reaching are those of the advertisements that go to a peer.
func reaching(advertisements []*Advertisement, peer string) []*Advertisement {
	var to []*Advertisement
	for _, a := range advertisements {
		if a.reaches(peer) {
			to = append(to, a)
		}
	}
	return to
}

// takers are the advertisements that take a pool's addresses, by their indices.
type takers struct {
	// all take every Service's; some look at the Service.
	all, some []int
	// class of all.
	class *class
}

// formClasses finds each pool's takers. The classes of those that take every
// Service stand whether there is one or not, so that such a Service only ever
// adds or removes lines.
func (p *Policy) formClasses() {
	for _, pool := range p.Pools.Pools {
		t := p.takersOf(pool)
		p.takers[pool] = t
		for _, c := range p.standingOf(pool, t) {
			if !slices.Contains(p.standing, c) {
				p.standing = append(p.standing, c)
			}
		}
	}
}

// standingOf are the classes of the prefixes that any Service with
// externalTrafficPolicy: Cluster could need.
func (p *Policy) standingOf(pool *pools.Pool, t takers) []*class {
	var all []*class
	for _, block := range pool.Blocks {
		for _, group := range p.byLength(t.all, frrtemplates.FamilyOf(block.First)) {
			fits := func(cidr netip.Prefix) bool { return cidr.Bits() <= group.length }
			if slices.ContainsFunc(block.CIDRs(), fits) {
				all = append(all, p.classOf(group.members))
			}
		}
	}
	return all
}

func (p *Policy) takersOf(pool *pools.Pool) takers {
	var t takers
	for i, a := range p.Advertisements {
		switch {
		case !a.takes(pool.Name):
		case a.takesAll():
			t.all = append(t.all, i)
		default:
			t.some = append(t.some, i)
		}
	}
	t.class = p.classOf(t.all)
	return t
}

// selecting are the advertisements that take a Service's addresses of a pool.
func (p *Policy) selecting(s Subject, t takers) []int {
	var selected []int
	for _, i := range t.some {
		if p.Advertisements[i].selects(s) {
			selected = append(selected, i)
		}
	}
	if selected == nil {
		return t.all
	}
	members := slices.Concat(t.all, selected)
	slices.Sort(members)
	return members
}

// routes are the prefixes that a Service needs for an address of a pool, host
// route first, each with its class; none: nothing takes it. With
// externalTrafficPolicy: Local there are no aggregates: split are the
// advertisements that ask for them.
func (p *Policy) routes(s Subject, pool *pools.Pool, host netip.Prefix) (all []Line, split []int) {
	t := p.takers[pool]
	family := frrtemplates.FamilyOf(host.Addr())
	members := p.selecting(s, t)
	aggregating := p.aggregating(members, family)
	if len(aggregating) == 0 || s.Service.Local {
		class := t.class
		if len(members) != len(t.all) {
			class = p.classOf(members)
		}
		return p.route(all, host, p.weigh(class, s, family)), aggregating
	}
	for _, group := range p.byLength(members, family) {
		prefix, class := netip.PrefixFrom(host.Addr(), group.length).Masked(), p.classOf(group.members)
		if prefix == host {
			class = p.weigh(class, s, family)
		}
		if pool.Holds(prefix) {
			all = p.route(all, prefix, class)
		}
	}
	return all, nil
}

func (p *Policy) route(to []Line, prefix netip.Prefix, class *class) []Line {
	if class == nil {
		return to
	}
	return append(to, Line{Prefix: prefix, Peers: class.peers[frrtemplates.FamilyOf(prefix.Addr())], class: class})
}

// ReadsNamespaces says whether labels of Namespaces decide about anything.
func (p *Policy) ReadsNamespaces() bool {
	return slices.ContainsFunc(p.Advertisements, func(a *Advertisement) bool { return a.namespaces != nil }) // FlowPolicies announce nothing
}
