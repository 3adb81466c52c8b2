package allocator

import (
	"fmt"
	"testing"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/pools"
)

// One decision among many: a Service comes, another one goes.
func BenchmarkDecision(b *testing.B) {
	for _, taken := range []int{100, 10_000, 60_000} {
		for wanted, blocks := range map[string]string{"4": "10.0.0.0/8", "6": "2001:db8::/64", "46": "10.0.0.0/8 2001:db8::/64"} {
			b.Run(fmt.Sprintf("families=%s/taken=%d", wanted, taken), func(b *testing.B) {
				a := from(poolSet(b, "p: "+blocks))
				for i := range taken {
					a.Set(demand(fmt.Sprint("t", i), wanted))
				}
				one := demand("one", wanted)
				b.ResetTimer()
				for b.Loop() {
					a.Set(one)
					a.Remove(one.Service)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
			})
		}
	}
}

// Gaps are what an interval tree grows with.
func BenchmarkDecisionWithGaps(b *testing.B) {
	a := from(poolSet(b, "p: 10.0.0.0/16"))
	for i := range 60_000 {
		a.Set(demand(fmt.Sprint("t", i), "4"))
	}
	for i := 0; i < 60_000; i += 2 {
		a.Remove(key(fmt.Sprint("t", i)))
	}
	one := demand("one", "4")
	b.ResetTimer()
	for b.Loop() {
		a.Set(one)
		a.Remove(one.Service)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}

// What a new leader does with 10,000 Services that have addresses.
func BenchmarkRebuild(b *testing.B) {
	set := poolSet(b, "p: 10.0.0.0/16")
	a := from(set)
	var demands []Demand
	for i := range 10_000 {
		d := demand(fmt.Sprint("s", i), "4")
		d.Current = a.Set(d).Addresses
		demands = append(demands, d.held(i))
	}
	b.ResetTimer()
	for b.Loop() {
		New().Rebuild(set, demands)
	}
}

// churn one Service while others stay as they are.
func churn(b *testing.B, a *Allocator, one Demand) {
	b.ResetTimer()
	for b.Loop() {
		a.Set(one)
		a.Remove(one.Service)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}

// With avoidBuggyIPs and exclude the search is the same.
func BenchmarkDecisionAvoidBuggy(b *testing.B) {
	pool := parsePools([]string{"p: 10.0.0.0/8"})
	pool[0].Spec.AvoidBuggyIPs = true
	pool[0].Spec.Exclude = []v1alpha1.AddressBlock{"10.0.3.0/24", "10.0.7.0-10.0.9.9"}
	set, _ := pools.Accept(pool)
	a := from(set)
	for i := range 60_000 {
		a.Set(demand(fmt.Sprint("t", i), "4"))
	}
	churn(b, a, demand("one", "4"))
}

// Those that wait for something else cost an event nothing.
func BenchmarkDecisionWhile10000Wait(b *testing.B) {
	a := from(poolSet(b, "p: 203.0.113.0/30 2001:db8::/64"))
	for i := range 10_000 {
		a.Set(demand(fmt.Sprint("t", i), "4"))
	}
	churn(b, a, demand("one", "6"))
}

// 10,000 Services have one key and one port, so that each needs its own address.
func BenchmarkDecisionAmong10000OfOneKey(b *testing.B) {
	a := from(poolSet(b, "p: 10.0.0.0/8"))
	sharing := Sharing{Key: "k", Ports: []string{Port("TCP", 80)}}
	for i := range 10_000 {
		d := demand(fmt.Sprint("t", i), "4")
		d.Sharing = sharing
		a.Set(d)
	}
	one := demand("one", "4")
	one.Sharing = sharing
	churn(b, a, one)
}
