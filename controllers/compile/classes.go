package compile

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
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
	// peers that its prefixes of each family reach, by name.
	peers map[frrtemplates.Family][]string
	// clashes are where its advertisements disagree.
	clashes []clash
	// leftOut says which members don't fit in.
	leftOut []Issue
}

// classes are those that a Policy was asked for. It is safe for concurrent use.
type classes struct {
	mu        sync.Mutex
	byMembers map[string]*class
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
	c := &class{members: members, peers: map[frrtemplates.Family][]string{}}
	names := make([]string, 0, len(members))
	for _, member := range members {
		a := p.Advertisements[member]
		if what, peer := p.overflow(c.advertisements, a); what != "" {
			c.leaveOut(a, what, peer)
			continue
		}
		c.advertisements = append(c.advertisements, a)
		names = append(names, a.Name)
	}
	slices.Sort(names)
	c.routeMap = frrtemplates.ClassMap(names)
	for _, peer := range p.Peers {
		to := reaching(c.advertisements, peer.Name)
		if len(to) == 0 {
			continue
		}
		c.clashes = append(c.clashes, p.clashes(to, peer)...)
		for _, family := range peer.Families {
			c.peers[family] = append(c.peers[family], peer.Name)
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
// one of them applies to it.
func (p *Policy) unite(a, b *class) *class {
	if a == b {
		return a
	}
	members := slices.Concat(a.members, b.members)
	slices.Sort(members)
	return p.classOf(slices.Compact(members))
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
	// class of a Service that none of the latter select; nil: it has none.
	class *class
}

// formClasses finds each pool's takers. The class of those that take every
// Service stands whether there is one or not, so that such a Service only ever
// adds or removes a line.
func (p *Policy) formClasses() {
	for _, pool := range p.Pools.Pools {
		t := p.takersOf(pool)
		p.takers[pool] = t
		if t.class != nil && !slices.Contains(p.standing, t.class) {
			p.standing = append(p.standing, t.class)
		}
	}
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

// classFor is the class of a Service's address of a pool; nil: nothing takes it.
func (p *Policy) classFor(s Subject, pool *pools.Pool) *class {
	t := p.takers[pool]
	var buffer [16]int
	members := append(buffer[:0], t.all...)
	for _, i := range t.some {
		if p.Advertisements[i].selects(s) {
			members = append(members, i)
		}
	}
	if len(members) == len(t.all) {
		return t.class
	}
	slices.Sort(members)
	return p.classOf(members)
}

// ReadsNamespaces says whether labels of Namespaces decide about anything.
func (p *Policy) ReadsNamespaces() bool {
	return slices.ContainsFunc(p.Advertisements, func(a *Advertisement) bool { return a.namespaces != nil })
}

// usage counts for what each class is needed.
type usage struct {
	counts map[*class]int
	// changed since the last look: a class came into use, or out of it.
	changed bool
}

// add n times; a negative n takes away.
func (u *usage) add(c *class, n int) {
	before := u.counts[c]
	if u.counts[c] = before + n; before+n == 0 {
		delete(u.counts, c)
	}
	u.changed = u.changed || before == 0 || before+n == 0
}

func (u *usage) addAll(d Decision, n int) {
	for _, c := range d.idle {
		u.add(c, n)
	}
	for _, line := range d.Lines {
		u.add(line.class, n)
	}
}

// numbered is a class in use with its numbers.
type numbered struct {
	*class
	tag      frrtemplates.Tag
	sequence uint16
}

// number gives the classes in use their numbers, by name. Without are those that
// got none, because more are in use than there are sequence numbers: their
// prefixes can't be announced.
func (u *usage) number(applied numbers) (all []numbered, without map[string]bool) {
	// Two that differ only in what is left out are one here.
	byName := map[string]*class{}
	for c := range u.counts {
		byName[c.routeMap] = c
	}
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	tags := numberTags(names, applied.tags)
	sequences := numberSequences(tags, applied.sequences)
	for name, c := range byName {
		n := numbered{class: c, tag: tags[name], sequence: sequences[tags[name]]}
		if n.sequence != 0 {
			all = append(all, n)
			continue
		}
		if without == nil {
			without = map[string]bool{}
		}
		without[name] = true
	}
	slices.SortFunc(all, func(x, y numbered) int { return strings.Compare(x.routeMap, y.routeMap) })
	return all, without
}
