package pools

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/precedence"
)

// Pool is an accepted IPAddressPool.
type Pool struct {
	Name string
	// Blocks that are accepted, without what is excluded, by address, IPv4
	// first. They don't overlap with each other or with those of another pool.
	// May be empty.
	Blocks []Block
	// AvoidBuggy: of Blocks, the IPv4 addresses that end in .0 or .255 are not
	// the pool's to give.
	AvoidBuggy bool
	// AutoAssign says whether Services that don't ask for the pool may get its
	// addresses; AllowRequests whether those that ask may.
	AutoAssign, AllowRequests bool
	// Drained pools give out nothing new: they are disabled, or part of what
	// they exclude can't be read.
	Drained bool
	// Priority orders the pools that are tried unasked, lowest first;
	// NoPriority is last.
	Priority int64
	// Object is what the pool was read from.
	Object *v1alpha1.IPAddressPool

	audience audience
	excluded []Block
}

// NoPriority is the priority of a pool that names none.
const NoPriority = math.MaxInt64

// Covers says whether an address lies in the pool's blocks, even if the pool
// avoids it.
func (p *Pool) Covers(addr netip.Addr) bool {
	at := p.search(addr)
	return at < len(p.Blocks) && p.Blocks[at].Contains(addr)
}

// search is the place of the first block that does not end before addr.
func (p *Pool) search(addr netip.Addr) int {
	return sort.Search(len(p.Blocks), func(i int) bool { return !p.Blocks[i].Last.Less(addr) })
}

// Contains says whether an address is the pool's to give.
func (p *Pool) Contains(addr netip.Addr) bool {
	return p.Covers(addr) && (!p.AvoidBuggy || !IsBuggy(addr))
}

// Excludes says whether an address is left out of the pool by name.
func (p *Pool) Excludes(addr netip.Addr) bool {
	return slices.ContainsFunc(p.excluded, func(b Block) bool { return b.Contains(addr) })
}

// Issue is a refused part of a pool. Reason is ReasonInvalidAddress,
// ReasonOverlap or ReasonInvalidSelector of api/v1alpha1; Message names field,
// cause and remedy.
type Issue struct {
	Pool, Reason, Message string
}

// Set is a set of accepted pools. It is immutable.
type Set struct {
	// Pools by name.
	Pools  []*Pool
	byName map[string]*Pool
	// index of all blocks by address.
	index []indexed
}

type indexed struct {
	block Block
	pool  *Pool
}

// Parse reads the blocks of one pool on its own, without looking at others. The
// error is that of the first block which is refused; the accepted ones are
// returned with it.
func Parse(spec *v1alpha1.IPAddressPoolSpec) ([]Block, error) {
	pool := &v1alpha1.IPAddressPool{Spec: *spec}
	set, issues := Accept([]*v1alpha1.IPAddressPool{pool})
	blocks := set.Pools[0].Blocks
	if len(issues) > 0 {
		return blocks, errors.New(issues[0].Message)
	}
	return blocks, nil
}

// Accept decides which blocks of all pools can be used. Where two overlap, that
// of the older pool wins, and within a pool the one listed first. Every pool is
// in the Set, with the blocks that it keeps. Issues are by pool and by the
// order of its blocks.
func Accept(all []*v1alpha1.IPAddressPool) (*Set, []Issue) {
	set := &Set{byName: make(map[string]*Pool, len(all))}
	var issues []Issue
	for _, object := range precedence.Sorted(all) {
		pool, refused := set.add(object)
		set.Pools = append(set.Pools, pool)
		set.byName[pool.Name] = pool
		issues = append(issues, refused...)
	}
	slices.SortFunc(set.Pools, func(a, b *Pool) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(issues, func(a, b Issue) int { return strings.Compare(a.Pool, b.Pool) })
	return set, issues
}

func (s *Set) add(object *v1alpha1.IPAddressPool) (*Pool, []Issue) {
	spec := &object.Spec
	pool := &Pool{
		Name: object.Name, Object: object,
		AutoAssign: isTrue(spec.AutoAssign), AllowRequests: isTrue(spec.AllowRequests),
		AvoidBuggy: spec.AvoidBuggyIPs, Drained: spec.Disabled, Priority: NoPriority,
	}
	issues := pool.readExclude(spec.Exclude)
	for i, text := range spec.Addresses {
		if reason, message := s.addBlock(pool, string(text)); reason != "" {
			message = fmt.Sprintf("spec.addresses[%d] %q %s", i, text, message)
			issues = append(issues, Issue{Pool: pool.Name, Reason: reason, Message: message})
		}
	}
	slices.SortFunc(pool.Blocks, func(a, b Block) int { return a.First.Compare(b.First) })
	return pool, append(issues, pool.readAllocation(spec.ServiceAllocation)...)
}

// isTrue reads a switch that is on by default.
func isTrue(value *bool) bool { return value == nil || *value }

// readExclude takes in what the pool never gives. What can't be read could mean
// any address, so the pool then gives out nothing new.
func (p *Pool) readExclude(texts []v1alpha1.AddressBlock) []Issue {
	var issues []Issue
	for i, text := range texts {
		block, err := parseBounds(string(text))
		if err != nil {
			p.Drained = true
			message := fmt.Sprintf("spec.exclude[%d] %q %s; until then the pool gives out nothing new", i, text, err)
			issues = append(issues, Issue{Pool: p.Name, Reason: v1alpha1.ReasonInvalidAddress, Message: message})
			continue
		}
		p.excluded = append(p.excluded, block)
	}
	slices.SortFunc(p.excluded, func(a, b Block) int { return a.First.Compare(b.First) })
	return issues
}

// addBlock adds a block to the pool and the index, or says why it is refused.
func (s *Set) addBlock(pool *Pool, text string) (reason, message string) {
	block, err := ParseBlock(text)
	if err != nil {
		return v1alpha1.ReasonInvalidAddress, err.Error()
	}
	pieces := block.without(pool.excluded)
	for _, piece := range pieces {
		at := s.search(piece.First)
		if at < len(s.index) && s.index[at].block.Overlaps(piece) {
			return v1alpha1.ReasonOverlap, overlapMessage(pool, s.index[at])
		}
	}
	for _, piece := range pieces {
		s.index = slices.Insert(s.index, s.search(piece.First), indexed{block: piece, pool: pool})
	}
	pool.Blocks = append(pool.Blocks, pieces...)
	return "", ""
}

func overlapMessage(pool *Pool, with indexed) string {
	if with.pool == pool {
		return fmt.Sprintf("overlaps with %s of the same pool and is ignored: remove one of them", with.block)
	}
	return fmt.Sprintf("overlaps with %s of the older IPAddressPool %q and is ignored: remove it from one of the two pools",
		with.block, with.pool.Name)
}

// search is the place of the first block that does not end before addr.
func (s *Set) search(addr netip.Addr) int {
	return sort.Search(len(s.index), func(i int) bool { return !s.index[i].block.Last.Less(addr) })
}

// Find is the pool that an address is of, nil where there is none: it lies in no
// pool, or in one that excludes or avoids it.
func (s *Set) Find(addr netip.Addr) *Pool {
	at := s.search(addr)
	if at == len(s.index) || !s.index[at].block.Contains(addr) {
		return nil
	}
	if pool := s.index[at].pool; !pool.AvoidBuggy || !IsBuggy(addr) {
		return pool
	}
	return nil
}

// Get is the pool of a name, nil where there is none.
func (s *Set) Get(name string) *Pool { return s.byName[name] }
