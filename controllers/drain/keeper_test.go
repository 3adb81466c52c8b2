package drain

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// agent is a Keeper with what is around it.
type agent struct {
	*Keeper
	clock *testingclock.FakePassiveClock
	saved []byte
	fails error
	// takers are who could take over; told is what the last snapshot said of that.
	takers map[snapshot.Route][]snapshot.Taker
	told   *snapshot.Kept
}

func (a *agent) restart(applied ...string) {
	held := &snapshot.Applied{Prefixes: map[netip.Prefix]struct{}{}}
	for _, prefix := range applied {
		held.Prefixes[netip.MustParsePrefix(prefix)] = struct{}{}
	}
	a.Keeper = New(a.clock, a.saved, held, func(data []byte) error {
		if a.fails == nil {
			a.saved = data
		}
		return a.fails
	})
}

func newAgent(applied ...string) *agent {
	a := &agent{clock: testingclock.NewFakePassiveClock(start)}
	a.restart(applied...)
	return a
}

// step reconciles, with what the reloader is handed.
func (a *agent) step(t *testing.T, drains bool, hash string, kept ...string) snapshot.DrainStage {
	t.Helper()
	s := &snapshot.Snapshot{Node: &snapshot.Node{}, Others: &snapshot.Others{}}
	if drains {
		s.Node.Annotations = map[string]string{v1alpha1.AnnotationDrain: "true"}
	}
	stepped, err := a.Step(s)
	if (err != nil) != (a.fails != nil) {
		t.Fatal(err)
	}
	if s.Drain.Stage != snapshot.DrainNone {
		t.Fatal("the snapshot was changed")
	}
	a.told = stepped.Drain.Kept
	takers := map[snapshot.Route][]snapshot.Taker{}
	for _, name := range kept {
		takers[address(name)] = a.takers[address(name)]
	}
	a.Handed(hash, true, takers)
	return stepped.Drain.Stage
}

// address of a Service that has one, in the default VRF.
func address(service string) snapshot.Route {
	return snapshot.Route{Service: types.NamespacedName{Name: service}, Address: netip.MustParseAddr("203.0.113.1")}
}

// by makes a taker of "node peer".
func by(text string) snapshot.Taker {
	node, peer, _ := strings.Cut(text, " ")
	return snapshot.Taker{Node: node, Peer: peer}
}

func allBy(texts ...string) (takers []snapshot.Taker) {
	for _, text := range texts {
		takers = append(takers, by(text))
	}
	return takers
}

func (a *agent) after(d time.Duration) { a.clock.SetTime(a.clock.Now().Add(d)) }

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

func TestKeeper(t *testing.T) {
	a := newAgent("203.0.113.1/32")
	want(t, "stage", a.step(t, false, "plain"), snapshot.DrainNone)
	a.Observe("plain")
	want(t, "stage", a.step(t, true, "graceful"), snapshot.DrainGraceful)
	want(t, "a step after what FRR ran before", a.Observe("plain"), false)
	want(t, "a step after FRR runs it", a.Observe("graceful"), true)
	want(t, "stage", a.step(t, true, "graceful"), snapshot.DrainGraceful)
	want(t, "the wait", a.Next(), snapshot.DefaultConvergeTime)

	a.after(snapshot.DefaultConvergeTime / 2)
	a.restart("203.0.113.1/32")
	want(t, "stage after a restart", a.step(t, true, "graceful"), snapshot.DrainGraceful)
	want(t, "the wait after a restart", a.Next(), snapshot.DefaultConvergeTime/2)

	a.after(snapshot.DefaultConvergeTime / 2)
	want(t, "stage", a.step(t, true, "withdrawn", "kept"), snapshot.DrainWithdrawn)
	a.restart("203.0.113.1/32")
	want(t, "stage after a restart", a.step(t, true, "withdrawn", "kept"), snapshot.DrainWithdrawn)
	want(t, "a step", a.Observe("withdrawn"), true)
	a.step(t, true, "withdrawn", "kept")
	want(t, "confirmed", a.State().Confirmed.IsZero(), false)

	a.step(t, true, "all withdrawn")
	want(t, "confirmed once no Service is kept any more", a.State().Confirmed.IsZero(), true)
	want(t, "a step after what FRR ran before", a.Observe("withdrawn"), false)
	want(t, "a step", a.Observe("all withdrawn"), true)

	want(t, "stage", a.step(t, false, "plain"), snapshot.DrainNone)
	a.restart("203.0.113.1/32")
	want(t, "stage after a restart", a.step(t, true, "graceful"), snapshot.DrainGraceful)
}

// A clock that was set back while no agent ran makes nobody wait for the time before.
func TestClockSetBack(t *testing.T) {
	a := newAgent("203.0.113.1/32")
	a.step(t, true, "graceful")
	a.Observe("graceful")
	a.step(t, true, "graceful")
	a.after(-time.Hour)
	a.restart("203.0.113.1/32")
	a.step(t, true, "graceful")
	want(t, "the wait", a.Next(), snapshot.DefaultConvergeTime)
}

// TestMayEnd: FRR may end once the routers have had their time after the withdrawal.
func TestMayEnd(t *testing.T) {
	a := newAgent("203.0.113.1/32")
	mayEnd := func(want bool, wantIn time.Duration) {
		t.Helper()
		if now, in, _ := a.MayEnd(); now != want || in != wantIn {
			t.Fatalf("may end: %t, in %s; want %t, %s", now, in, want, wantIn)
		}
	}
	a.step(t, false, "plain")
	mayEnd(true, 0)
	a.step(t, true, "graceful")
	a.Observe("graceful")
	a.step(t, true, "graceful")
	mayEnd(false, 0)
	a.after(snapshot.DefaultConvergeTime)
	a.step(t, true, "withdrawn")
	mayEnd(false, 0)
	a.Observe("withdrawn")
	a.step(t, true, "withdrawn")
	mayEnd(false, snapshot.DefaultConvergeTime)
	a.after(snapshot.DefaultConvergeTime)
	mayEnd(true, 0)
	a.step(t, true, "keeps one again", "kept")
	mayEnd(false, 0)
	if now, _, _ := (*Keeper)(nil).MayEnd(); !now {
		t.Error("where nobody drains FRR waits")
	}
}

// TestSameConfiguration: where nothing is announced to any peer the stages have one
// configuration, and FRR runs it already.
func TestSameConfiguration(t *testing.T) {
	a := newAgent("203.0.113.1/32")
	a.Observe("same")
	a.step(t, true, "same")
	want(t, "the wait", a.Next(), time.Millisecond)
	a.step(t, true, "same")
	want(t, "confirmed", a.State().Confirmed, start)
}

func TestBootsDrained(t *testing.T) {
	a := newAgent()
	want(t, "stage", a.step(t, true, "nothing"), snapshot.DrainWithdrawn)
}

// TestNotKept: a stage that the next agent wouldn't know of isn't begun.
func TestNotKept(t *testing.T) {
	a := newAgent("203.0.113.1/32")
	a.fails = errors.New("disk full")
	want(t, "stage", a.step(t, true, "plain"), snapshot.DrainNone)
	a.fails = nil
	want(t, "stage", a.step(t, true, "graceful"), snapshot.DrainGraceful)
}

// TestDamagedFile begins anew.
func TestDamagedFile(t *testing.T) {
	a := newAgent("203.0.113.1/32")
	a.saved = []byte("{")
	a.restart("203.0.113.1/32")
	want(t, "stage", a.step(t, true, "graceful"), snapshot.DrainGraceful)
}

// What a node keeps another one takes over when it has been able to for long enough; who
// ceases to be able begins anew. Of what isn't kept whoever is able counts at once.
func TestTakeover(t *testing.T) {
	a := newAgent()
	a.step(t, true, "withdrawn", "web", "db")
	if !a.told.Counts(address("web"), by("node-b")) {
		t.Fatal("nobody counts for what isn't kept yet")
	}
	step := func(names ...string) {
		t.Helper()
		a.takers = map[snapshot.Route][]snapshot.Taker{address("web"): allBy(names...)}
		a.step(t, true, "withdrawn", "web", "db")
	}
	counts := func(node string, want bool) {
		t.Helper()
		if got := a.told.Counts(address("web"), by(node)); got != want {
			t.Fatalf("%s counts: %t", node, got)
		}
	}
	settles := max(takeoverTime, snapshot.DefaultConvergeTime)
	step("node-b")
	want(t, "the wait", a.Next(), settles)
	a.after(settles / 2)
	step("node-b", "node-c")
	counts("node-b", false)
	want(t, "the wait", a.Next(), settles/2)
	a.after(settles / 2)
	step("node-c")
	counts("node-b", true)
	counts("node-c", false)
	if a.told.Counts(address("db"), by("node-b")) || !a.told.Counts(address("other"), by("node-b")) {
		t.Error("it counts for another Service that is kept, or not for one that isn't")
	}
	step("node-b", "node-c")
	counts("node-b", false)
	before := a.told
	step("node-b", "node-c")
	if a.told != before {
		t.Error("the same is told as something new: everything would be compiled again")
	}
	a.after(settles / 2)
	step("node-b", "node-c")
	counts("node-c", true)
	a.after(settles / 2)
	step("node-b", "node-c")
	counts("node-b", true)
	want(t, "the wait where all count", a.Next(), time.Duration(0))
	a.step(t, true, "gone")
	a.step(t, true, "gone")
	if a.told != nil {
		t.Errorf("%v is kept", *a.told)
	}
}

// A convergeTime of 0 doesn't make a node count at once: what its agent says comes later.
func TestTakeoverTakesItsTime(t *testing.T) {
	var keeps takeover
	web := address("web")
	keeps.saw(map[snapshot.Route][]snapshot.Taker{web: allBy("node-b")}, start)
	k := Keeper{keeps: keeps}
	if kept := keeps.snapshot(start.Add(k.settles()-1), k.settles()); kept.Counts(web, by("node-b")) {
		t.Error("it counts too early")
	}
	if kept := keeps.snapshot(start.Add(k.settles()), k.settles()); k.settles() <= 0 || !kept.Counts(web, by("node-b")) {
		t.Error("it never counts")
	}
}

// Who is to count while the configuration is compiled, after the snapshot was judged, is
// asked for at once: nothing else may ever happen.
func TestTakeoverDueWhileCompiling(t *testing.T) {
	web := address("web")
	a := newAgent()
	step := func(nodes ...string) {
		t.Helper()
		a.takers = map[snapshot.Route][]snapshot.Taker{web: allBy(nodes...)}
		a.step(t, true, "withdrawn", "web")
	}
	step("node-b")
	a.after(15 * time.Millisecond)
	step("node-b", "node-c")
	a.after(a.settles() - 15*time.Millisecond)
	step("node-b", "node-c")
	if !a.told.Counts(web, by("node-b")) || a.told.Counts(web, by("node-c")) {
		t.Fatalf("%v count", *a.told)
	}
	a.after(30 * time.Millisecond)
	want(t, "the wait", a.Next(), time.Millisecond)
	step("node-b", "node-c")
	if !a.told.Counts(web, by("node-c")) {
		t.Fatalf("%v count", *a.told)
	}
	a.after(30 * time.Millisecond)
	want(t, "the wait where all count", a.Next(), time.Duration(0))
}

// A node that takes one address over has its time anew for another one, for another peer
// and for another VRF; losing one of them takes nothing from the rest, and what was given
// up for it isn't kept again.
func TestTakeoverOfParts(t *testing.T) {
	web := types.NamespacedName{Name: "web"}
	ipv4 := snapshot.Route{Service: web, Address: netip.MustParseAddr("203.0.113.1")}
	ipv6 := snapshot.Route{Service: web, Address: netip.MustParseAddr("2001:db8::1")}
	red := snapshot.Route{Service: web, Address: ipv4.Address, VRF: "red"}
	tor1, tor2 := by("node-b tor1"), by("node-b tor2")
	var keeps takeover
	const settles = 10 * time.Second
	now := start
	saw := func(takers map[snapshot.Route][]snapshot.Taker) *snapshot.Kept {
		keeps.saw(takers, now)
		return keeps.snapshot(now, settles)
	}
	saw(map[snapshot.Route][]snapshot.Taker{ipv4: {tor1}, ipv6: nil, red: nil})
	now = now.Add(9 * time.Second)
	saw(map[snapshot.Route][]snapshot.Taker{ipv4: {tor1, tor2}, ipv6: {tor1}, red: {tor1}})
	now = now.Add(time.Second)
	kept := keeps.snapshot(now, settles)
	want(t, "the first counts", kept.Counts(ipv4, tor1), true)
	want(t, "another address counts", kept.Counts(ipv6, tor1), false)
	want(t, "another peer counts", kept.Counts(ipv4, tor2), false)
	want(t, "another VRF counts", kept.Counts(red, tor1), false)
	want(t, "the next is due", keeps.due(settles), now.Add(9*time.Second))

	now = now.Add(9 * time.Second)
	takers := map[snapshot.Route][]snapshot.Taker{ipv6: {tor1}, red: {tor1}}
	want(t, "IPv4 is gone", keeps.gone(takers), true)
	kept = saw(takers)
	want(t, "the other address counts", kept.Counts(ipv6, tor1), true)
	want(t, "the other VRF counts", kept.Counts(red, tor1), true)
	want(t, "what was given up may stay so", kept.Counts(ipv4, tor2), true)
}
