package quarantine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/reloader/report"
)

const (
	// refusalsNeeded of one configuration until what has changed is suspected, and
	// trialsNeeded until a group is to blame that was let in.
	refusalsNeeded = 3
	trialsNeeded   = 2
	// An object is let in again after a while, for what is in its way may be
	// something else than itself: an address of the node, for example.
	firstRetry = 30 * time.Second
	lastRetry  = 10 * time.Minute
)

// Keeper knows what FRR refuses. A nil Keeper knows nothing. It is safe for
// concurrent use.
type Keeper struct {
	clock clock.PassiveClock
	save  func([]byte)

	mu sync.Mutex
	// accepted are the objects in force when FRR last took everything; complete:
	// all of them. After a restart only those that stand for held ones are known.
	accepted map[snapshot.ObjectKey]client.Object
	complete bool
	held     map[snapshot.ObjectKey]*hold
	// untried are groups that are left out until it is their turn, trying is the one
	// that is let in now. unproven were left out since FRR last took everything.
	untried  [][]snapshot.ObjectKey
	trying   []snapshot.ObjectKey
	unproven []snapshot.ObjectKey
	// delays until an object is let in again, by object and version.
	delays map[version]time.Duration

	offered  offer
	refusals int
	refused  time.Time
	// decided: what is offered doesn't follow the last decision yet.
	decided bool
	// present are all versions; hopeless those with which FRR refuses also without
	// what has changed: nothing is left out until something else changes.
	present, hopeless map[snapshot.ObjectKey]version
	saved             string
}

// version of an object: another one is another object.
type version struct {
	key        snapshot.ObjectKey
	uid        string
	generation int64
}

type hold struct {
	version version
	why     string
	until   time.Time
}

// offer is what was handed to the reloader.
type offer struct {
	hash    string
	objects map[snapshot.ObjectKey]client.Object
}

// New makes a Keeper that goes on with what save was given last, nil for nothing.
func New(clock clock.PassiveClock, saved []byte, save func([]byte)) *Keeper {
	k := &Keeper{
		clock: clock, save: save, accepted: map[snapshot.ObjectKey]client.Object{},
		held: map[snapshot.ObjectKey]*hold{}, delays: map[version]time.Duration{},
	}
	k.restore(saved)
	return k
}

func versionOf(key snapshot.ObjectKey, object client.Object) version {
	return version{key: key, uid: string(object.GetUID()), generation: object.GetGeneration()}
}

// Filter is the snapshot with what FRR refuses marked, and with the versions that it
// took before in their place.
func (k *Keeper) Filter(s *snapshot.Snapshot) *snapshot.Snapshot {
	if k == nil {
		return s
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget(s)
	k.retry()
	out := k.leftOut()
	if len(out) == 0 {
		return s
	}
	return s.Refusing(out, k.accepted)
}

// forget the objects that are gone or have changed, and hopelessness.
func (k *Keeper) forget(s *snapshot.Snapshot) {
	now := map[snapshot.ObjectKey]version{}
	for key, object := range s.Refusable() {
		now[key] = versionOf(key, object)
	}
	k.present = now
	maps.DeleteFunc(k.held, func(key snapshot.ObjectKey, h *hold) bool { return now[key] != h.version })
	maps.DeleteFunc(k.delays, func(v version, _ time.Duration) bool { return now[v.key] != v })
	if k.hopeless != nil && !maps.Equal(k.hopeless, now) {
		k.hopeless = nil
	}
}

// retry lets in what was held long enough, one object at a time.
func (k *Keeper) retry() {
	if len(k.trying)+len(k.untried) > 0 {
		return
	}
	for _, key := range sorted(k.held) {
		if h := k.held[key]; !k.clock.Now().Before(h.until) {
			delete(k.held, key)
			k.trying = []snapshot.ObjectKey{key}
			return
		}
	}
}

// leftOut says why each object is left out.
func (k *Keeper) leftOut() map[snapshot.ObjectKey]string {
	out := map[snapshot.ObjectKey]string{}
	for key, h := range k.held {
		out[key] = h.why
	}
	for _, group := range k.untried {
		for _, key := range group {
			out[key] = "FRR refuses it or something that has changed together with it, which is being found out"
		}
	}
	return out
}

// Next is how long until an object is to be let in again; 0: none is held.
func (k *Keeper) Next() time.Duration {
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var next time.Duration
	for _, h := range k.held {
		if d := max(h.until.Sub(k.clock.Now()), time.Second); next == 0 || d < next {
			next = d
		}
	}
	return next
}

// Offered takes what was handed to the reloader: the hash, and the snapshot that it
// was made of, with the names of the peers that are in force.
func (k *Keeper) Offered(hash string, s *snapshot.Snapshot, peers map[string]bool) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	objects := s.Refusable()
	for key := range objects {
		if s.IsLeftOut(key) || key.Kind == snapshot.KindPeer && !peers[key.Name] {
			delete(objects, key)
		}
	}
	if hash != k.offered.hash {
		k.refusals = 0
	}
	k.decided = false
	k.offered = offer{hash: hash, objects: objects}
}

// Judge takes the reloader's report, and says whether the next snapshot is another
// one for it.
func (k *Keeper) Judge(r *report.Report) bool {
	if k == nil || r == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.decided || k.offered.hash == "" || r.AttemptedHash != k.offered.hash:
		return false
	case r.AppliedHash == k.offered.hash:
		k.decided = k.accept()
		return k.decided
	case r.LastApply == nil || r.LastApply.Error == "" || r.LastApply.Time.Equal(k.refused):
		return false
	}
	k.refused = r.LastApply.Time
	needed := refusalsNeeded
	if len(k.trying) > 0 {
		needed = trialsNeeded
	}
	if k.refusals++; k.refusals < needed || k.hopeless != nil {
		return false
	}
	k.refusals = 0
	k.decided = k.refuse(r.LastApply.Error)
	return k.decided
}

// accept: FRR runs what was offered.
func (k *Keeper) accept() bool {
	k.accepted, k.complete = k.offered.objects, true
	k.trying, k.unproven, k.refusals = nil, nil, 0
	k.next()
	k.persist()
	return len(k.trying) > 0
}

// next group's turn.
func (k *Keeper) next() {
	if k.trying = nil; len(k.untried) > 0 {
		k.trying, k.untried = k.untried[0], k.untried[1:]
	}
}

// refuse: FRR doesn't take what was offered.
func (k *Keeper) refuse(why string) bool {
	if len(k.trying) > 0 {
		k.blame(k.trying, why)
		k.next()
		k.persist()
		return true
	}
	changed := k.changed()
	if len(changed) == 0 {
		return k.giveUp()
	}
	k.unproven = append(k.unproven, changed...)
	k.blame(changed, why)
	k.persist()
	return true
}

// blame one object, or leave out halves of a group until each had its turn.
func (k *Keeper) blame(group []snapshot.ObjectKey, why string) {
	if len(group) > 1 {
		half := len(group) / 2
		k.untried = append([][]snapshot.ObjectKey{group[:half], group[half:]}, k.untried...)
		return
	}
	object, offered := k.offered.objects[group[0]]
	if !offered {
		return // it has gone meanwhile
	}
	v := versionOf(group[0], object)
	k.delays[v] = min(max(2*k.delays[v], firstRetry), lastRetry)
	k.held[group[0]] = &hold{version: v, why: why, until: k.clock.Now().Add(k.delays[v])}
}

// changed are the objects in the offer that FRR hasn't taken yet as they are.
func (k *Keeper) changed() []snapshot.ObjectKey {
	var changed []snapshot.ObjectKey
	if !k.complete {
		return nil
	}
	for _, key := range sorted(k.offered.objects) {
		before, known := k.accepted[key]
		if !known || versionOf(key, before) != versionOf(key, k.offered.objects[key]) {
			changed = append(changed, key)
		}
	}
	return changed
}

// giveUp: it isn't what has changed. What was left out for that comes back, and FRR
// keeps what it took last.
func (k *Keeper) giveUp() bool {
	released := len(k.unproven) > 0
	for _, key := range k.unproven {
		delete(k.held, key)
	}
	k.untried, k.trying, k.unproven = nil, nil, nil
	k.hopeless = k.present
	k.persist()
	return released
}

func sorted[T any](of map[snapshot.ObjectKey]T) []snapshot.ObjectKey {
	return slices.SortedFunc(maps.Keys(of), func(a, b snapshot.ObjectKey) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}
