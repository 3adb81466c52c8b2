package compile

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"

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
	// advertisements, the oldest first.
	advertisements []*Advertisement
	// peers that its prefixes of each family reach, by name.
	peers map[frrtemplates.Family][]string
	// clashes are where its advertisements disagree.
	clashes []clash
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
		c.advertisements = append(c.advertisements, p.Advertisements[member])
		names = append(names, p.Advertisements[member].Name)
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

// formClasses finds each pool's class: that of a Service of which nothing
// matters but its address. These stand whether there is such a Service or not,
// so that it only ever adds or removes a line.
func (p *Policy) formClasses() {
	for _, pool := range p.Pools.Pools {
		if c := p.classOf(p.taking(pool)); c != nil {
			p.classOfPool[pool] = c
			if !slices.Contains(p.standing, c) {
				p.standing = append(p.standing, c)
			}
		}
	}
}

// taking are the advertisements that take a pool's addresses.
func (p *Policy) taking(pool *pools.Pool) []int {
	var members []int
	for i, a := range p.Advertisements {
		if a.takes(pool.Name) {
			members = append(members, i)
		}
	}
	return members
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
