package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/allocator"
	"github.com/herald-lb/herald/controllers/metrics"
	"github.com/herald-lb/herald/controllers/pools"
)

// allocation shares the allocator between the Services' reconciler, which alone
// changes it, the writer of what is decided, and the pools' reconciler, which
// reads its counts.
type allocation struct {
	mutex     sync.Mutex
	allocator *allocator.Allocator
	ready     bool
}

func newAllocation() *allocation {
	return &allocation{allocator: allocator.New()}
}

// effects are what a change of the allocator means for other objects.
type effects struct {
	// services whose decision has changed.
	services []types.NamespacedName
	// pools whose counts have changed.
	pools []string
	// conflicts that were found.
	conflicts []allocator.Conflict
}

func (a *allocation) effects() effects {
	return effects{services: a.allocator.Changed(), pools: a.allocator.Touched(), conflicts: a.allocator.Conflicts()}
}

func (a *allocation) isReady() bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.ready
}

// outdate: what Services ask for has to be read again.
func (a *allocation) outdate() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.ready = false
}

func (a *allocation) rebuild(set *pools.Set, demands []allocator.Demand) effects {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.allocator.Rebuild(set, demands)
	a.ready = true
	return a.effects()
}

func (a *allocation) setPools(set *pools.Set) effects {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.allocator.SetPools(set)
	return a.effects()
}

func (a *allocation) set(demand allocator.Demand) (allocator.Decision, effects) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	decision := a.allocator.Set(demand)
	return decision, a.effects()
}

func (a *allocation) remove(service types.NamespacedName) effects {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.allocator.Remove(service)
	return a.effects()
}

func (a *allocation) has(service types.NamespacedName) bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	_, found := a.allocator.Get(service)
	return found
}

// begin asks for a write of what was decided for this version of a Service.
func (a *allocation) begin(service types.NamespacedName, version uint64, apply func(allocator.Decision) bool) bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.allocator.Begin(service, version, apply)
}

func (a *allocation) servicesIn(namespace string) []types.NamespacedName {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.allocator.ServicesIn(namespace)
}

// usage of a pool; false while nothing is known yet.
func (a *allocation) usage(pool string) (allocator.Usage, bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.allocator.Usage(pool), a.ready
}

// counted is what metrics tell of it; nil while nothing is known yet.
func (a *allocation) counted() *metrics.Cluster {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if !a.ready {
		return nil
	}
	cluster := &metrics.Cluster{Pools: a.allocator.Usages(), Services: map[metrics.Allocated]int{}}
	for decision := range a.allocator.Decisions() {
		if decision.Outcome != allocator.Untouched {
			cluster.Services[metrics.Allocated{OK: decision.Outcome == allocator.Allocated, Reason: decision.Reason}]++
		}
	}
	return cluster
}
