package impact

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
)

// A router that is simulated: it chooses one of the next hops for a hash value.
type router interface {
	choose(hash uint32) string
	change(to []string)
}

type moduloRouter struct{ hops []string }

func (r *moduloRouter) choose(hash uint32) string { return r.hops[hash%uint32(len(r.hops))] }
func (r *moduloRouter) change(to []string)        { r.hops = to }

// thresholdRouter looks for the first upper bound that isn't below the hash, as Linux'
// fib_select_multipath does.
type thresholdRouter struct{ hops []string }

func (r *thresholdRouter) choose(hash uint32) string {
	for i, hop := range r.hops {
		if uint64(hash) < (uint64(i)+1)*(1<<32)/uint64(len(r.hops)) {
			return hop
		}
	}
	return r.hops[len(r.hops)-1]
}
func (r *thresholdRouter) change(to []string) { r.hops = to }

// resilientRouter has buckets: those of a hop that is gone are given to others, and one
// that comes takes its share from all.
type resilientRouter struct{ buckets []string }

func (r *resilientRouter) choose(hash uint32) string { return r.buckets[hash%uint32(len(r.buckets))] }

func (r *resilientRouter) change(to []string) {
	share := len(r.buckets) / len(to)
	has := map[string]int{}
	for _, hop := range to {
		has[hop] = 0
	}
	var free []int
	for i, hop := range r.buckets {
		if n, stays := has[hop]; stays && n < share {
			has[hop]++
		} else {
			free = append(free, i)
		}
	}
	at := 0
	for _, i := range free {
		if n, stays := has[r.buckets[i]]; stays && len(to)*share < len(r.buckets) && n == share {
			continue // what doesn't divide stays where it is
		}
		for has[to[at]] >= share && at < len(to)-1 {
			at++
		}
		r.buckets[i] = to[at]
		has[to[at]]++
	}
}

func newRouter(hash Hash, hops []string) router {
	switch hash {
	case Modulo:
		return &moduloRouter{hops}
	case Threshold:
		return &thresholdRouter{hops}
	default:
		r := &resilientRouter{buckets: make([]string, 55440)} // what up to 12 divide
		for i := range r.buckets {
			r.buckets[i] = hops[i*len(hops)/len(r.buckets)]
		}
		return r
	}
}

// TestBrokenIsWhatRoutersDo: against routers that hash 200,000 connections one by one.
func TestBrokenIsWhatRoutersDo(t *testing.T) {
	const flows = 200_000
	for _, hash := range Hashes {
		for n := 2; n <= 8; n++ {
			changes := []Change{{Add: 1}, {Add: 2}, {Add: 4}}
			for i := range n {
				changes = append(changes, Change{Remove: i})
			}
			for _, change := range changes {
				t.Run(fmt.Sprint(hash, n, change), func(t *testing.T) {
					got, want := expectedAndSeen(hash, n, flows, change)
					if math.Abs(float64(got-want)) > 0.01*flows {
						t.Errorf("%d of %d are expected to break, and %d do", got, flows, want)
					}
				})
			}
		}
	}
}

func expectedAndSeen(hash Hash, n, flows int, change Change) (expected, seen int64) {
	var before, after []string
	for i := range n {
		name := fmt.Sprint("n", i)
		before = append(before, name)
		if change.Add > 0 || i != change.Remove {
			after = append(after, name)
		}
	}
	for i := range change.Add {
		after = append(after, fmt.Sprint("new", i))
	}
	router, random := newRouter(hash, before), rand.New(rand.NewSource(int64(n)))
	index := map[string]int{}
	for i, name := range before {
		index[name] = i
	}
	connections, hashes, owners := make([]int64, n), make([]uint32, flows), make([]string, flows)
	for i := range hashes {
		hashes[i] = random.Uint32()
		owners[i] = router.choose(hashes[i])
		connections[index[owners[i]]]++
	}
	router.change(after)
	for i, hash := range hashes {
		if router.choose(hash) != owners[i] {
			seen++
		}
	}
	return Broken(hash, connections, change), seen
}

// TestResilientMovesOnlyWhatMust, whatever each node has.
func TestResilientMovesOnlyWhatMust(t *testing.T) {
	connections := []int64{100, 0, 7}
	if got := Broken(Resilient, connections, Change{Remove: 2}); got != 7 {
		t.Error(got)
	}
	if got := Broken(Modulo, []int64{5}, Change{Remove: 0}); got != 5 {
		t.Error("the last node", got)
	}
}
