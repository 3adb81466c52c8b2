package allocator

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Allocator holds which Service has which address. It is not safe for concurrent
// use.
type Allocator struct {
	pools *pools.Set
	// spaces by the pool's name and family.
	spaces map[string][len(families)]*space
	// holdings by address.
	holdings map[netip.Addr]*holding
	services map[types.NamespacedName]*record
	// waiting are the Services that lack something.
	waiting waiting
	// events are addresses whose use has changed since those that wait were
	// served.
	events []netip.Addr
	// changed are the Services whose decision an event of others has changed.
	changed map[types.NamespacedName]struct{}
	// conflicts that were found and not yet asked for.
	conflicts []Conflict
	// auto are the spaces that give addresses unasked to those whom they serve, by
	// family and in the order in which they are asked. restricted says that some
	// of them don't serve everybody.
	auto       [len(families)][]*space
	restricted bool
	// touched are the pools whose counts have changed, by name.
	touched map[string]struct{}
}

// New is an allocator without pools and Services.
func New() *Allocator {
	a := &Allocator{}
	a.reset(nil)
	return a
}

func (a *Allocator) reset(set *pools.Set) {
	a.services = map[types.NamespacedName]*record{}
	a.changed = map[types.NamespacedName]struct{}{}
	a.conflicts = nil
	a.touched = map[string]struct{}{}
	a.setSpaces(set)
}

// setSpaces makes all addresses of the pools free, and nobody waits.
func (a *Allocator) setSpaces(set *pools.Set) {
	if set == nil {
		set, _ = pools.Accept(nil)
	}
	a.pools = set
	a.holdings = map[netip.Addr]*holding{}
	a.waiting, a.events = newWaiting(), nil
	a.spaces = make(map[string][len(families)]*space, len(set.Pools))
	a.auto, a.restricted = [len(families)][]*space{}, false
	for _, pool := range byPriority(set.Pools) {
		spaces := spacesOf(pool)
		a.spaces[pool.Name] = spaces
		a.touched[pool.Name] = struct{}{}
		for at, s := range spaces {
			if s != nil && pool.AutoAssign {
				a.auto[at] = append(a.auto[at], s)
				a.restricted = a.restricted || pool.Drained || !pool.ServesAll()
			}
		}
	}
}

// byPriority orders pools as they are tried: by priority, then by name.
func byPriority(all []*pools.Pool) []*pools.Pool {
	return slices.SortedFunc(slices.Values(all), func(x, y *pools.Pool) int {
		return cmp.Or(cmp.Compare(x.Priority, y.Priority), strings.Compare(x.Name, y.Name))
	})
}

// findCandidates notes which spaces may give the Service an address.
func (a *Allocator) findCandidates(r *record) {
	name := r.demand.Request.Pool
	if name == "" && !a.restricted {
		r.candidates = a.auto
		return
	}
	r.candidates = [len(families)][]*space{}
	if name != "" {
		if pool := a.pools.Get(name); pool == nil || whyNot(pool, r.demand.Asker) != "" {
			return
		}
		for at, s := range a.spaces[name] {
			if s != nil {
				r.candidates[at] = []*space{s}
			}
		}
		return
	}
	for at, spaces := range a.auto {
		for _, s := range spaces {
			if !s.pool.Drained && s.pool.Serves(r.demand.Asker) {
				r.candidates[at] = append(r.candidates[at], s)
			}
		}
	}
}

// compareRecords orders Services by age, then by key.
func compareRecords(x, y *record) int {
	if c := x.demand.Created.Compare(y.demand.Created); c != 0 {
		return c
	}
	return compareKeys(x.demand.Service, y.demand.Service)
}

func compareKeys(x, y types.NamespacedName) int {
	if c := strings.Compare(x.Namespace, y.Namespace); c != 0 {
		return c
	}
	return strings.Compare(x.Name, y.Name)
}

// Set takes a Service's demand in and decides. It is idempotent: with the same
// demand it gives the same decision and changes nothing.
func (a *Allocator) Set(demand Demand) Decision {
	r := a.services[demand.Service]
	if r == nil {
		r = &record{}
		r.demand.Sharing = demand.Sharing
		a.services[demand.Service] = r
	}
	a.waiting.remove(r)
	sharing := demand.Sharing
	demand.Sharing = r.demand.Sharing
	r.demand = demand
	if demand.Known && !demand.Owned && !r.holdsAny() {
		r.ours = false // the Service's status says that it was released
	}
	a.settle(r)
	a.setSharing(r, sharing)
	a.dropUnwanted(r)
	a.findCandidates(r)
	a.decide(r)
	a.serveWaiting()
	delete(a.changed, demand.Service)
	return r.decision
}

// Remove forgets a Service and says which addresses it held. They go to the
// Services that wait for them.
func (a *Allocator) Remove(service types.NamespacedName) []netip.Addr {
	r := a.services[service]
	if r == nil {
		return nil
	}
	a.waiting.remove(r)
	uses := r.uses()
	for _, addr := range uses {
		a.unuse(r, addr)
	}
	delete(a.services, service)
	delete(a.changed, service)
	a.serveWaiting()
	return uses
}

// Get is the decision for a Service as it stands.
func (a *Allocator) Get(service types.NamespacedName) (Decision, bool) {
	r := a.services[service]
	if r == nil {
		return Decision{}, false
	}
	return r.decision, true
}

// Decisions for all Services, in no order.
func (a *Allocator) Decisions() iter.Seq[Decision] {
	return func(yield func(Decision) bool) {
		for _, r := range a.services {
			if !yield(r.decision) {
				return
			}
		}
	}
}

// Begin asks for a write of a Service's status, provided that what was decided was
// decided for this version of it, and that apply says that there is something to
// write. Until another version is seen, nobody gets what may be written now.
func (a *Allocator) Begin(service types.NamespacedName, version uint64, apply func(Decision) bool) bool {
	r := a.services[service]
	if r == nil || r.demand.Version != version || !apply(r.decision) {
		return false
	}
	r.begun = version
	return true
}

// ServicesIn a namespace, by name.
func (a *Allocator) ServicesIn(namespace string) []types.NamespacedName {
	var keys []types.NamespacedName
	for key := range a.services {
		if key.Namespace == namespace {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// Changed are the Services whose decision has changed by events of other
// Services or of pools since it was last asked, by key.
func (a *Allocator) Changed() []types.NamespacedName {
	keys := make([]types.NamespacedName, 0, len(a.changed))
	for key := range a.changed {
		keys = append(keys, key)
	}
	clear(a.changed)
	slices.SortFunc(keys, compareKeys)
	return keys
}

// Conflicts are the addresses that were found with two Services since it was
// last asked.
func (a *Allocator) Conflicts() []Conflict {
	found := a.conflicts
	a.conflicts = nil
	return found
}

// Touched are the names of the pools whose Usage may have changed since it was
// last asked.
func (a *Allocator) Touched() []string {
	names := slices.Sorted(maps.Keys(a.touched))
	clear(a.touched)
	return names
}

// PoolOf names the pool that holds an address, "" where none does.
func (a *Allocator) PoolOf(addr netip.Addr) string {
	if pool := a.pools.Find(addr); pool != nil {
		return pool.Name
	}
	return ""
}

// spaceOf is the space that an address lies in, nil where no pool holds it.
func (a *Allocator) spaceOf(addr netip.Addr) *space {
	pool := a.pools.Find(addr)
	if pool == nil {
		return nil
	}
	return a.spaces[pool.Name][index(frrtemplates.FamilyOf(addr))]
}
