package allocator

import (
	"math/big"
	"net/netip"

	frrtemplates "github.com/herald-lb/herald/frr-templates"

	"github.com/herald-lb/herald/controllers/pools"
)

// families in the order in which they are counted and looked at.
var families = [...]frrtemplates.Family{frrtemplates.IPv4, frrtemplates.IPv6}

// index of a family in arrays with a place per family.
func index(family frrtemplates.Family) int {
	if family == frrtemplates.IPv4 {
		return 0
	}
	return 1
}

// space is one pool's addresses of one family.
type space struct {
	pool  *pools.Pool
	free  *freeSet
	total *big.Int
	// assigned counts the addresses that Services hold.
	assigned int64
	// shared are the addresses that others could join.
	shared shareIndex
}

// spacesOf are a pool's spaces per family; nil for a family that it doesn't have.
func spacesOf(pool *pools.Pool) [len(families)]*space {
	var spaces [len(families)]*space
	for _, block := range pool.Blocks {
		at := index(frrtemplates.FamilyOf(block.First))
		if spaces[at] == nil {
			spaces[at] = &space{pool: pool, free: newFreeSet(pool.AvoidBuggy), total: new(big.Int), shared: shareIndex{}}
		}
		spaces[at].free.add(block)
		spaces[at].total.Add(spaces[at].total, sizeOf(pool, block))
	}
	return spaces
}

// sizeOf counts what a pool gives of one of its blocks.
func sizeOf(pool *pools.Pool, block pools.Block) *big.Int {
	size := block.Size()
	if pool.AvoidBuggy {
		size.Sub(size, big.NewInt(block.CountBuggy()))
	}
	return size
}

func (s *space) hasFree() bool { return s.free.intervals.Len() > 0 }

func (s *space) take(addr netip.Addr) bool {
	if !s.free.take(addr) {
		return false
	}
	s.assigned++
	return true
}

func (s *space) release(addr netip.Addr) {
	s.free.release(addr)
	s.assigned--
}

// Count counts a pool's addresses of one family.
type Count struct {
	Total, Assigned, Free *big.Int
}

// Usage counts a pool's addresses; nil for a family that it doesn't have.
type Usage struct {
	IPv4, IPv6 *Count
}

func (s *space) count() *Count {
	if s == nil {
		return nil
	}
	assigned := big.NewInt(s.assigned)
	return &Count{Total: new(big.Int).Set(s.total), Assigned: assigned, Free: new(big.Int).Sub(s.total, assigned)}
}

// Usage of a pool by name: both counts are nil where the pool is unknown or has
// no accepted block.
func (a *Allocator) Usage(pool string) Usage {
	spaces := a.spaces[pool]
	return Usage{IPv4: spaces[0].count(), IPv6: spaces[1].count()}
}

// Usages of all pools, by name.
func (a *Allocator) Usages() map[string]Usage {
	all := make(map[string]Usage, len(a.spaces))
	for name := range a.spaces {
		all[name] = a.Usage(name)
	}
	return all
}
