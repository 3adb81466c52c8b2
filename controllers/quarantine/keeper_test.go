package quarantine_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/quarantine"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/reloader/report"
)

// node is an agent's Keeper between API objects and a FRR that refuses some.
type node struct {
	t      *testing.T
	clock  *clocktesting.FakeClock
	keeper *quarantine.Keeper
	saved  []byte
	peers  map[string]int64 // generation by name
	// other is a line that no peer has.
	other string
	// bad says which versions or lines FRR refuses, as "name/generation"; lacking: it
	// refuses everything that it doesn't run.
	bad     map[string]bool
	lacking bool
	// runs is what FRR runs, applied its hash, tries how often it was asked.
	runs    []string
	applied string
	tries   int
	refused map[snapshot.ObjectKey]snapshot.Refusal
}

func newNode(t *testing.T, peers ...string) *node {
	n := &node{t: t, clock: clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0)), peers: map[string]int64{}, bad: map[string]bool{}}
	for _, name := range peers {
		n.peers[name] = 1
	}
	n.restart()
	n.settle()
	return n
}

func (n *node) restart() {
	n.keeper = quarantine.New(n.clock, n.saved, func(data []byte) { n.saved = data })
}

func (n *node) snapshot() *snapshot.Snapshot {
	s := &snapshot.Snapshot{}
	for name, generation := range n.peers {
		s.Peers = append(s.Peers, &v1alpha1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: generation}})
	}
	return s
}

// settle lets agent and reloader work until neither has anything to do.
func (n *node) settle() {
	for range 1000 {
		s := n.keeper.Filter(n.snapshot())
		n.refused = s.Refused
		var config []string
		inForce := map[string]bool{}
		for _, peer := range s.Peers {
			if !s.IsLeftOut(snapshot.ObjectKey{Kind: snapshot.KindPeer, Name: peer.Name}) {
				config = append(config, fmt.Sprintf("%s/%d", peer.Name, peer.Generation))
				inForce[peer.Name] = true
			}
		}
		if n.other != "" {
			config = append(config, n.other)
		}
		slices.Sort(config)
		hash := strings.Join(config, " ")
		n.keeper.Offered(hash, s, inForce)
		if !n.apply(hash, config) {
			return
		}
	}
	n.t.Fatal("does not come to rest")
}

// apply as the reloader does: a refused configuration is tried again and again. It
// is false where the Keeper is content with how it is.
func (n *node) apply(hash string, config []string) bool {
	for range 4 {
		n.clock.Step(time.Second)
		r := &report.Report{AttemptedHash: hash, LastApply: &report.Apply{Time: n.clock.Now()}}
		if hash != n.applied {
			n.tries++
			if n.lacking || slices.ContainsFunc(config, func(v string) bool { return n.bad[v] }) {
				r.LastApply.Error = "% no"
			} else {
				n.runs, n.applied = config, hash
			}
		}
		r.AppliedHash = n.applied
		if n.keeper.Judge(r) {
			return true
		}
		if n.keeper.Judge(r) {
			n.t.Fatal("one report is judged twice")
		}
	}
	return false
}

func (n *node) expect(runs ...string) {
	n.t.Helper()
	slices.Sort(runs)
	if !slices.Equal(n.runs, runs) {
		n.t.Errorf("FRR runs %q, want %q; refused %v", n.runs, runs, n.refused)
	}
}

func TestOneBadObjectIsLeftOutAndNamed(t *testing.T) {
	n := newNode(t, "a", "b")
	n.peers["c"], n.bad["c/1"] = 1, true
	n.settle()
	n.expect("a/1", "b/1")
	if r := n.refused[snapshot.ObjectKey{Kind: "BGPPeer", Name: "c"}]; r.Why != "% no" || r.Stands || len(n.refused) != 1 {
		t.Errorf("%+v", n.refused)
	}
	n.peers["d"] = 1
	n.settle()
	n.expect("a/1", "b/1", "d/1")

	n.peers["c"] = 2 // corrected
	n.settle()
	n.expect("a/1", "b/1", "c/2", "d/1")
	if n.refused != nil {
		t.Errorf("%+v", n.refused)
	}
}

func TestTheVersionBeforeStands(t *testing.T) {
	n := newNode(t, "a", "b")
	n.peers["a"], n.bad["a/2"] = 2, true
	n.peers["c"] = 1
	n.settle()
	n.expect("a/1", "b/1", "c/1")
	if r := n.refused[snapshot.ObjectKey{Kind: "BGPPeer", Name: "a"}]; !r.Stands {
		t.Errorf("%+v", r)
	}
	n.restart() // it is still the version before: nothing is closed
	tries := n.tries
	n.settle()
	n.expect("a/1", "b/1", "c/1")
	if n.tries != tries {
		t.Errorf("FRR was bothered %d times by the restart", n.tries-tries)
	}
	delete(n.peers, "a")
	n.settle()
	n.expect("b/1", "c/1")
}

func TestWhatWasInTheWayGoesAway(t *testing.T) {
	n := newNode(t, "a")
	n.peers["b"], n.bad["b/1"] = 1, true
	n.settle()
	for range 3 { // refused again, ever more rarely
		wait := n.keeper.Next()
		n.clock.Step(wait)
		n.settle()
		n.expect("a/1")
		if next := n.keeper.Next(); next < wait+wait/2 {
			t.Errorf("after %s tried again in %s", wait, next)
		}
	}
	n.bad = nil
	n.clock.Step(n.keeper.Next())
	n.settle()
	n.expect("a/1", "b/1")
	if n.keeper.Next() != 0 {
		t.Error("something is held")
	}
}

// While FRR takes nothing new at all, nothing that it runs is lost, and it heals.
func TestWhileFRRTakesNothingNothingIsLost(t *testing.T) {
	n := newNode(t, "a", "b")
	n.lacking = true
	n.peers["a"], n.peers["c"] = 2, 1
	n.settle()
	n.expect("a/1", "b/1")
	n.lacking = false
	for n.keeper.Next() > 0 {
		n.clock.Step(n.keeper.Next())
		n.settle()
	}
	n.expect("a/2", "b/1", "c/1")
}

// What none of these objects is to blame for, such as a Secret or a Service, takes
// none of them out.
func TestNobodyIsBlamedForWhatIsNobodys(t *testing.T) {
	n := newNode(t, "a", "b")
	n.other = "a line of somebody else's"
	n.bad[n.other] = true
	n.settle()
	if n.refused != nil {
		t.Errorf("%+v", n.refused)
	}
	n.peers["c"] = 1
	n.settle()
	n.expect("a/1", "b/1")
	if n.refused != nil {
		t.Errorf("%+v", n.refused)
	}
	n.other = ""
	n.settle()
	n.expect("a/1", "b/1", "c/1")
}

// An agent that begins with a configuration that FRR refuses knows of no better one:
// it takes nothing out.
func TestNothingIsTakenOutBeforeFRRTookAnything(t *testing.T) {
	n := newNode(t)
	n.restart()
	n.applied, n.bad["b/1"] = "something else", true
	n.peers["a"], n.peers["b"] = 1, 1
	n.settle()
	if n.refused != nil {
		t.Errorf("%+v", n.refused)
	}
}

// Whatever comes at once: exactly the bad ones are out, in few tries.
func TestAnyNumberOfBadObjectsIsFound(t *testing.T) {
	for seed := range int64(200) {
		random := rand.New(rand.NewSource(seed))
		n := newNode(t, "old")
		want := []string{"old/1"}
		bad := 0
		for i := range 1 + random.Intn(20) {
			name := fmt.Sprint("p", i)
			n.peers[name] = 1
			if random.Intn(5) == 0 {
				n.bad[name+"/1"] = true
				bad++
			} else {
				want = append(want, name+"/1")
			}
		}
		n.tries = 0
		n.settle()
		n.expect(want...)
		if len(n.refused) != bad {
			t.Errorf("seed %d: %d refused, %d are bad", seed, len(n.refused), bad)
		}
		if most := 8 + bad*2*2*6 + 2; n.tries > most {
			t.Errorf("seed %d: %d tries for %d bad of %d", seed, n.tries, bad, len(n.peers))
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
