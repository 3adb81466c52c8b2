package allocator

import (
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"net/netip"
	"slices"
	"testing"

	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

var seed = flag.Int64("allocator.seed", 0, "run the property test with this seed only")

// world is what an API server would have: the Services with their status, which
// random operations change and which is written late or by a former leader.
type world struct {
	t       *testing.T
	random  *rand.Rand
	a       *Allocator
	set     *pools.Set
	demands map[string]Demand
	// pools by name, with one of several contents.
	choice map[string]int
	born   int
}

var contents = []string{
	"203.0.113.0/30", "203.0.113.0/29", "203.0.113.4-203.0.113.6 2001:db8::/127", "",
	"2001:db8::/126", "198.51.100.0/31", "198.51.100.1/32 2001:db8::3/128",
}

func (w *world) acceptPools() {
	var texts []string
	for _, name := range []string{"a", "b!", "c"} {
		if blocks := contents[w.choice[name]]; blocks != "" {
			texts = append(texts, name+": "+blocks)
		}
	}
	// Blocks that overlap with an older pool's are left out.
	w.set, _ = pools.Accept(parsePools(texts))
}

func (w *world) pick() (string, bool) {
	if len(w.demands) == 0 {
		return "", false
	}
	names := make([]string, 0, len(w.demands))
	for name := range w.demands {
		names = append(names, name)
	}
	slices.Sort(names)
	return names[w.random.Intn(len(names))], true
}

func (w *world) create() {
	w.born++
	name := fmt.Sprintf("s%04d", w.born)
	d := demand(name, []string{"4", "6", "46", "64", "46?"}[w.random.Intn(5)]).age(-w.born)
	if w.random.Intn(8) == 0 {
		d.Current = []netip.Addr{netip.MustParseAddr([]string{"192.0.2.1", "203.0.113.2", "2001:db8::1"}[w.random.Intn(3)])}
	}
	w.demands[name] = d
	w.a.Set(d)
}

// write is the status write of a decision.
func (w *world) write(name string) {
	d := w.demands[name]
	decision, _ := w.a.Get(d.Service)
	switch decision.Outcome {
	case Untouched:
		return
	case Foreign:
		d.Known, d.Owned = true, false
	case Pending, Allocated:
		d.Known, d.Owned = true, decision.Outcome == Allocated
		d.Current, d.OtherIngress = decision.Addresses, false
	}
	w.demands[name] = d
	w.a.Set(d)
}

// step does one random operation and says which Services may lose addresses by it.
func (w *world) step() string {
	name, any := w.pick()
	switch op := w.random.Intn(20); {
	case op < 6 || !any:
		w.create()
		return "create"
	case op < 10:
		delete(w.demands, name)
		w.a.Remove(key(name))
		return "delete " + name
	case op < 15:
		w.write(name)
		return "write " + name
	case op < 16:
		d := w.demands[name]
		d.Families = [][]frrtemplates.Family{{frrtemplates.IPv4}, {frrtemplates.IPv6}, {frrtemplates.IPv4, frrtemplates.IPv6}}[w.random.Intn(3)]
		w.demands[name] = d
		w.a.Set(d)
		return "families " + name
	case op < 18:
		w.choice[[]string{"a", "b!", "c"}[w.random.Intn(3)]] = w.random.Intn(len(contents))
		w.acceptPools()
		w.a.SetPools(w.set)
		return "pools"
	default:
		if w.random.Intn(2) == 0 {
			for name := range w.demands {
				w.write(name)
			}
		}
		w.a = New()
		w.a.Rebuild(w.set, w.list())
		return "failover"
	}
}

func (w *world) list() []Demand {
	list := make([]Demand, 0, len(w.demands))
	for _, d := range w.demands {
		list = append(list, d)
	}
	return list
}

func (w *world) held() map[string][]netip.Addr {
	held := map[string][]netip.Addr{}
	for name := range w.demands {
		d, _ := w.a.Get(key(name))
		held[name] = d.Addresses
	}
	return held
}

// check asks nothing of the allocator but its decisions.
func (w *world) check(what string, before map[string][]netip.Addr) {
	w.t.Helper()
	after := w.held()
	used := map[netip.Addr]string{}
	for name, addrs := range after {
		for _, addr := range addrs {
			if other, twice := used[addr]; twice {
				w.t.Fatalf("%s: %s is given to %s and %s", what, addr, name, other)
			}
			used[addr] = name
			if w.set.Find(addr) == nil {
				w.t.Fatalf("%s: %s of %s is in no pool", what, addr, name)
			}
		}
	}
	for name, addrs := range before {
		for _, addr := range addrs {
			d, alive := w.demands[name]
			wanted := slices.Contains(d.Families, frrtemplates.FamilyOf(addr))
			// Before it was written, a late write of another leader may win.
			if alive && wanted && w.set.Find(addr) != nil && !slices.Contains(after[name], addr) && slices.Contains(d.Current, addr) {
				w.t.Fatalf("%s: %s lost %s, which is still in a pool", what, name, addr)
			}
		}
	}
	sure := maps.Clone(used)
	// What still stands in a Service's status is nobody else's.
	for name, d := range w.demands {
		for _, addr := range d.Current {
			if _, taken := used[addr]; !taken && w.set.Find(addr) != nil {
				used[addr] = name
			}
		}
	}
	w.checkServed(what, used)
	w.checkUsage(what, sure, used)
}

// checkServed: no Service waits that could be served.
func (w *world) checkServed(what string, used map[netip.Addr]string) {
	w.t.Helper()
	for name, d := range w.demands {
		decision, _ := w.a.Get(d.Service)
		if decision.Outcome != Pending {
			continue
		}
		can, lacks := 0, 0
		for _, family := range d.Families {
			if slices.ContainsFunc(decision.Addresses, func(a netip.Addr) bool { return frrtemplates.FamilyOf(a) == family }) {
				continue
			}
			lacks++
			if w.anyFree(family, used) {
				can++
			}
		}
		if can == lacks || d.AnyFamily && can > 0 {
			w.t.Fatalf("%s: %s waits (%s), but could be served", what, name, decision.Message)
		}
	}
}

func (w *world) anyFree(family frrtemplates.Family, used map[netip.Addr]string) bool {
	for _, pool := range w.set.Pools {
		for _, b := range pool.Blocks {
			for addr := b.First; pool.AutoAssign && b.Contains(addr); addr = addr.Next() {
				if _, taken := used[addr]; !taken && frrtemplates.FamilyOf(addr) == family {
					return true
				}
			}
		}
	}
	return false
}

// checkUsage: what Services hold is counted, and what they are leaving may be.
func (w *world) checkUsage(what string, sure, most map[netip.Addr]string) {
	w.t.Helper()
	count := func(used map[netip.Addr]string) map[string]int64 {
		assigned := map[string]int64{}
		for addr := range used {
			assigned[w.set.Find(addr).Name]++
		}
		return assigned
	}
	least, limit := count(sure), count(most)
	for _, pool := range w.set.Pools {
		var counted int64
		use := w.a.Usage(pool.Name)
		for _, c := range []*Count{use.IPv4, use.IPv6} {
			if c != nil {
				counted += c.Assigned.Int64()
			}
		}
		if counted < least[pool.Name] || counted > limit[pool.Name] {
			w.t.Fatalf("%s: pool %s counts %d assigned, %d to %d are", what, pool.Name, counted, least[pool.Name], limit[pool.Name])
		}
	}
}

// Random operations, after each of which an independent check finds no
// duplicate, no address outside its pool, none moved, none leaked, and nobody
// waiting who could be served.
func TestRandomOperations(t *testing.T) {
	seeds := []int64{1, 2, 3, 4, 5, 6, 7, 8}
	if *seed != 0 {
		seeds = []int64{*seed}
	}
	for _, s := range seeds {
		w := &world{t: t, random: rand.New(rand.NewSource(s)), a: New(), demands: map[string]Demand{}, choice: map[string]int{"c": 1}}
		w.acceptPools()
		w.a.Rebuild(w.set, nil)
		for step := range 1500 {
			before := w.held()
			what := w.step()
			w.check(fmt.Sprintf("seed %d step %d %s", s, step, what), before)
		}
	}
}

// The order in which Services are listed changes nothing.
func TestRebuildInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewSource(3))
	set := poolSet(t, "p: 203.0.113.0/28", "q: 2001:db8::/124")
	var demands []Demand
	for i := range 30 {
		d := demand(fmt.Sprint("s", i), []string{"4", "6", "46", "46?"}[i%4]).age(i % 5)
		if i%3 == 0 {
			d.Current = []netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, byte(i % 10)})}
			d = d.held(i % 4)
		}
		demands = append(demands, d)
	}
	var want string
	for round := range 20 {
		random.Shuffle(len(demands), func(i, j int) { demands[i], demands[j] = demands[j], demands[i] })
		a := from(set, demands...)
		var got string
		for i := range demands {
			d, _ := a.Get(key(fmt.Sprint("s", i)))
			got += fmt.Sprintln(i, d.text())
		}
		if round > 0 && got != want {
			t.Fatalf("round %d:\n%s\nwant\n%s", round, got, want)
		}
		want = got
	}
}
