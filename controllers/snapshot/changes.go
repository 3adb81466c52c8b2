package snapshot

import "k8s.io/apimachinery/pkg/types"

// Mark stands for one Snapshot of one Store: no two have the same.
type Mark struct{ _ byte }

// Changes are what differs from the Snapshot that the Store gave before, so that who
// has seen that one needn't look at 10,000 Services again because of one.
type Changes struct {
	// Since is the Mark of the Snapshot before; nil: there is none.
	Since *Mark
	// Everything says that more may have changed than Services tells.
	Everything bool
	// Services that have come, have gone or are others now, or whose slices or gate
	// are.
	Services map[types.NamespacedName]struct{}
}

// changed notes a Service.
func (s *Store) changed(key types.NamespacedName) {
	if s.next.Changes.Services == nil {
		s.next.Changes.Services = map[types.NamespacedName]struct{}{}
	}
	s.next.Changes.Services[key] = struct{}{}
}

// everythingChanged notes what concerns many Services.
func (s *Store) everythingChanged() { s.next.Changes.Everything = true }

// marked is the Snapshot to hand out; what comes from now on differs from it.
func (s *Store) marked() *Snapshot {
	snapshot := s.next
	snapshot.Mark = &Mark{}
	s.next.Changes = Changes{Since: snapshot.Mark}
	return &snapshot
}
