package allocator

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

var epoch = time.Unix(1_700_000_000, 0)

// poolSet accepts pools written as "name: block block", "name!: …" for one
// without autoAssign; the first is the oldest.
func poolSet(t testing.TB, texts ...string) *pools.Set {
	t.Helper()
	set, issues := pools.Accept(parsePools(texts))
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	return set
}

func parsePools(texts []string) []*v1alpha1.IPAddressPool {
	var all []*v1alpha1.IPAddressPool
	for i, text := range texts {
		name, blocks, _ := strings.Cut(text, ":")
		auto := !strings.HasSuffix(name, "!")
		pool := &v1alpha1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{
			Name: strings.TrimSuffix(name, "!"), CreationTimestamp: metav1.NewTime(epoch.Add(time.Duration(i) * time.Minute)),
		}}
		pool.Spec.AutoAssign = &auto
		for _, b := range strings.Fields(blocks) {
			pool.Spec.Addresses = append(pool.Spec.Addresses, v1alpha1.AddressBlock(b))
		}
		all = append(all, pool)
	}
	return all
}

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

// demand of a Service: families "4", "6", "46"; a "?" behind makes it
// PreferDualStack.
func demand(name, wanted string, current ...string) Demand {
	d := Demand{Service: key(name), Created: epoch}
	for _, c := range wanted {
		switch c {
		case '4':
			d.Families = append(d.Families, frrtemplates.IPv4)
		case '6':
			d.Families = append(d.Families, frrtemplates.IPv6)
		case '?':
			d.AnyFamily = true
		}
	}
	for _, c := range current {
		d.Current = append(d.Current, netip.MustParseAddr(c))
	}
	return d
}

func (d Demand) known() Demand { d.Known = true; return d }
func (d Demand) owned() Demand { d.Known, d.Owned = true, true; return d }
func (d Demand) age(seconds int) Demand {
	d.Created = epoch.Add(-time.Duration(seconds) * time.Second)
	return d
}
func (d Demand) held(seconds int) Demand {
	d = d.owned()
	d.HeldSince = epoch.Add(-time.Duration(seconds) * time.Second)
	return d
}

// text of a decision: "Allocated 203.0.113.1 2001:db8::1", "PoolExhausted".
func (d Decision) text() string {
	if d.Outcome == Untouched {
		return "Untouched"
	}
	parts := []string{d.Reason}
	for _, addr := range d.Addresses {
		parts = append(parts, addr.String())
	}
	return strings.Join(parts, " ")
}

func expect(t testing.TB, d Decision, want string) {
	t.Helper()
	if got := d.text(); got != want {
		t.Errorf("decision %q (%s), want %q", got, d.Message, want)
	}
}

func (a *Allocator) expect(t testing.TB, name, want string) {
	t.Helper()
	d, _ := a.Get(key(name))
	expect(t, d, want)
}

// from is an allocator that starts with pools.
func from(set *pools.Set, demands ...Demand) *Allocator {
	a := New()
	a.Rebuild(set, demands)
	a.Changed()
	return a
}

func TestA1LowestFreeFirstAndReleasedToTheOldestWaiting(t *testing.T) {
	for wanted, blocks := range map[string][]string{
		"4":  {"203.0.113.4-203.0.113.5", "203.0.113.4", "203.0.113.5"},
		"6":  {"2001:db8::4-2001:db8::5", "2001:db8::4", "2001:db8::5"},
		"46": {"203.0.113.4-203.0.113.5 2001:db8::4-2001:db8::5", "203.0.113.4 2001:db8::4", "203.0.113.5 2001:db8::5"},
	} {
		a := from(poolSet(t, "only: "+blocks[0]))
		expect(t, a.Set(demand("a", wanted)), "Allocated "+blocks[1])
		expect(t, a.Set(demand("b", wanted)), "Allocated "+blocks[2])
		expect(t, a.Set(demand("late", wanted)), "PoolExhausted")
		expect(t, a.Set(demand("early", wanted).age(5)), "PoolExhausted")
		if d, _ := a.Get(key("late")); !strings.Contains(d.Message, `"only"`) {
			t.Errorf("message %q doesn't name the exhausted pool", d.Message)
		}
		a.Remove(key("a"))
		if got := a.Changed(); !reflect.DeepEqual(got, []types.NamespacedName{key("early")}) {
			t.Errorf("changed %v, want the Service that waits longest", got)
		}
		a.expect(t, "early", "Allocated "+blocks[1])
		a.expect(t, "late", "PoolExhausted")
	}
}

func TestSetIsIdempotent(t *testing.T) {
	a := from(poolSet(t, "p: 203.0.113.0/30"))
	first := a.Set(demand("a", "4"))
	expect(t, a.Set(demand("b", "4")), "Allocated 203.0.113.1")
	if again := a.Set(demand("a", "4", "203.0.113.0").owned()); !reflect.DeepEqual(first, again) {
		t.Errorf("%v, then %v", first, again)
	}
	if changed := a.Changed(); len(changed) > 0 {
		t.Errorf("changed %v", changed)
	}
}

func TestPoolsByNameAndAutoAssign(t *testing.T) {
	a := from(poolSet(t, "b: 198.51.100.9/32", "a!: 192.0.2.0/24", "c: 203.0.113.0/32"))
	expect(t, a.Set(demand("1", "4")), "Allocated 198.51.100.9")
	expect(t, a.Set(demand("2", "4")), "Allocated 203.0.113.0")
	expect(t, a.Set(demand("3", "4")), "PoolExhausted")
	expect(t, a.Set(demand("6", "6")), "NoPool")
}

func TestDualStack(t *testing.T) {
	four, both := poolSet(t, "p: 203.0.113.0/30"), poolSet(t, "p: 203.0.113.0/30", "q: 2001:db8::/127")
	a := from(four)
	expect(t, a.Set(demand("require", "46")), "NoPool")
	expect(t, a.Set(demand("prefer", "46?")), "Allocated 203.0.113.0")
	expect(t, a.Set(demand("six-first", "64?")), "Allocated 203.0.113.1")
	a.SetPools(both)
	if got := a.Changed(); len(got) != 3 {
		t.Errorf("changed %v, want all three", got)
	}
	a.expect(t, "prefer", "Allocated 203.0.113.0 2001:db8::")
	a.expect(t, "require", "Allocated 203.0.113.2 2001:db8::1")
	a.expect(t, "six-first", "Allocated 203.0.113.1")
	a.SetPools(four)
	a.expect(t, "prefer", "Allocated 203.0.113.0")
	a.expect(t, "require", "AddressKept 203.0.113.2") // what is still in a pool is kept
	expect(t, a.Set(demand("require", "4", "203.0.113.2")), "Allocated 203.0.113.2")
	expect(t, a.Set(demand("prefer", "6?")), "NoPool")
	a.expect(t, "six-first", "Allocated 203.0.113.1")
	expect(t, a.Set(demand("next", "4")), "Allocated 203.0.113.0")
}

func TestA11RebuildMovesNothing(t *testing.T) {
	set := poolSet(t, "p: 203.0.113.0/29")
	demands := []Demand{
		demand("a", "4", "203.0.113.5").held(9),
		demand("new", "4"),
		demand("b", "4", "203.0.113.0").held(3),
		demand("older", "4").age(7),
	}
	for range 4 {
		demands = append(demands[1:], demands[0])
		a := from(set, demands...)
		a.expect(t, "a", "Allocated 203.0.113.5")
		a.expect(t, "b", "Allocated 203.0.113.0")
		a.expect(t, "older", "Allocated 203.0.113.1")
		a.expect(t, "new", "Allocated 203.0.113.2")
	}
}

func TestOneAddressWithTwoServicesStaysWithTheLongerHolder(t *testing.T) {
	set := poolSet(t, "p: 203.0.113.0/29")
	a := New()
	a.Rebuild(set, []Demand{demand("young", "4", "203.0.113.4").held(1), demand("old", "4", "203.0.113.4").held(5)})
	a.expect(t, "old", "Allocated 203.0.113.4")
	a.expect(t, "young", "Allocated 203.0.113.0")
	want := []Conflict{{Address: netip.MustParseAddr("203.0.113.4"), Holder: key("old"), Loser: key("young")}}
	if got := a.Conflicts(); !reflect.DeepEqual(got, want) {
		t.Errorf("conflicts %v, want %v", got, want)
	}
	a.Set(demand("young", "4", "203.0.113.4").held(1))
	if got := a.Conflicts(); len(got) > 0 {
		t.Errorf("reported again: %v", got)
	}
}

// A former leader's write comes after the new leader has decided, but before it
// has written: what the status has is taken over, if it is free.
func TestA19LateWriteOfAFormerLeader(t *testing.T) {
	a := from(poolSet(t, "p: 203.0.113.0/29"))
	expect(t, a.Set(demand("a", "4")), "Allocated 203.0.113.0")
	expect(t, a.Set(demand("b", "4")), "Allocated 203.0.113.1")
	expect(t, a.Set(demand("a", "4", "203.0.113.6").owned()), "Allocated 203.0.113.6")
	expect(t, a.Set(demand("b", "4", "203.0.113.6").owned()), "Allocated 203.0.113.1")
	expect(t, a.Set(demand("c", "4")), "Allocated 203.0.113.0")
}

func TestA12GarbageInIngressIsReplaced(t *testing.T) {
	a := from(poolSet(t, "p: 203.0.113.0/29"))
	a.Set(demand("a", "4"))
	expect(t, a.Set(demand("a", "4", "203.0.113.0").owned()), "Allocated 203.0.113.0")
	for _, garbage := range []string{"203.0.113.7", "192.0.2.1"} {
		expect(t, a.Set(demand("a", "4", garbage).owned()), "Allocated 203.0.113.0")
	}
}

func TestA18ForeignAndAdopted(t *testing.T) {
	set := poolSet(t, "p: 203.0.113.0/30")
	foreign := demand("foreign", "4", "192.0.2.1")
	host := demand("host", "4")
	host.OtherIngress = true
	inside := demand("inside", "4", "203.0.113.3")
	a := from(set, foreign, host, inside)
	a.expect(t, "foreign", "ForeignAddress")
	a.expect(t, "host", "ForeignAddress")
	a.expect(t, "inside", "Allocated 203.0.113.3")
	expect(t, a.Set(demand("foreign", "4").known()), "Allocated 203.0.113.0")
	// A pool that comes to hold it makes it Herald's.
	expect(t, a.Set(demand("other", "4", "192.0.2.2").known()), "ForeignAddress")
	a.SetPools(poolSet(t, "p: 203.0.113.0/30", "q: 192.0.2.0/24"))
	a.expect(t, "other", "Allocated 192.0.2.2")
}

func TestA18NoPoolNoWrite(t *testing.T) {
	a := from(poolSet(t))
	expect(t, a.Set(demand("a", "4")), "Untouched")
	expect(t, a.Set(demand("b", "4", "192.0.2.1")), "Untouched")
	expect(t, a.Set(demand("was-pending", "4", "192.0.2.1").known()), "Untouched")
	expect(t, a.Set(demand("ours", "4", "203.0.113.1").owned()), "NoPool")
}

// The last pool goes while Services have its addresses: they lose them once;
// what another load balancer then writes is its own.
func TestTheLastPoolGoes(t *testing.T) {
	a := from(poolSet(t, "p: 203.0.113.0/30"))
	a.Set(demand("a", "4"))
	a.Set(demand("a", "4", "203.0.113.0").owned())
	a.SetPools(poolSet(t))
	a.expect(t, "a", "NoPool")
	expect(t, a.Set(demand("a", "4").known()), "NoPool")
	expect(t, a.Set(demand("a", "4", "192.0.2.1").known()), "Untouched")
}

func TestA10PoolChangesMoveOnlyWhatIsOutside(t *testing.T) {
	a := from(poolSet(t, "p: 203.0.113.0/29"))
	for i := range 6 {
		name := fmt.Sprint(i)
		d := a.Set(demand(name, "4"))
		a.Set(demand(name, "4", d.Addresses[0].String()).owned())
	}
	a.SetPools(poolSet(t, "p: 203.0.113.0/31", "renamed: 203.0.113.4/31", "z: 198.51.100.0/32"))
	for name, want := range map[string]string{
		"0": "Allocated 203.0.113.0", "1": "Allocated 203.0.113.1", "2": "Allocated 198.51.100.0",
		"3": "PoolExhausted", "4": "Allocated 203.0.113.4", "5": "Allocated 203.0.113.5",
	} {
		a.expect(t, name, want)
	}
	if got := a.Changed(); !reflect.DeepEqual(got[:2], []types.NamespacedName{key("2"), key("3")}) {
		t.Errorf("changed %v", got)
	}
}

func TestUsageOfHugePools(t *testing.T) {
	a := from(poolSet(t, "p: 203.0.113.0/30 2001:db8::/32"))
	a.Set(demand("a", "46"))
	use := a.Usage("p")
	if got := fmt.Sprint(use.IPv4.Total, use.IPv4.Assigned, use.IPv4.Free); got != "4 1 3" {
		t.Errorf("IPv4 %s", got)
	}
	want := "79228162514264337593543950336 1 79228162514264337593543950335"
	if got := fmt.Sprint(use.IPv6.Total, use.IPv6.Assigned, use.IPv6.Free); got != want {
		t.Errorf("IPv6 %s", got)
	}
	if use := a.Usage("none"); use.IPv4 != nil || use.IPv6 != nil {
		t.Error("an unknown pool has no addresses")
	}
}
