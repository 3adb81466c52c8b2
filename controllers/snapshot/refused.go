package snapshot

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Kinds of which FRR may refuse what they become.
const (
	KindPeer          = "BGPPeer"
	KindAdvertisement = "BGPAdvertisement"
	KindProfile       = "BFDProfile"
)

// ObjectKey names a cluster-scoped object.
type ObjectKey struct {
	Kind, Name string
}

// Refusal is about an object that this node's FRR refuses.
type Refusal struct {
	// Why in FRR's words.
	Why string
	// Stands: the version that FRR took before is in its place in the Snapshot. Else
	// the object is to be left out.
	Stands bool
}

// Refusable are the objects that FRR may refuse, by key.
func (s *Snapshot) Refusable() map[ObjectKey]client.Object {
	all := make(map[ObjectKey]client.Object, len(s.Peers)+len(s.Advertisements)+len(s.BFDProfiles))
	for _, object := range s.Peers {
		all[ObjectKey{KindPeer, object.Name}] = object
	}
	for _, object := range s.Advertisements {
		all[ObjectKey{KindAdvertisement, object.Name}] = object
	}
	for _, object := range s.BFDProfiles {
		all[ObjectKey{KindProfile, object.Name}] = object
	}
	return all
}

// Refusing is the same Snapshot in which objects are refused for these reasons. Where
// an older version of one is among before, that one takes its place.
func (s *Snapshot) Refusing(why map[ObjectKey]string, before map[ObjectKey]client.Object) *Snapshot {
	next := *s
	next.Refused = make(map[ObjectKey]Refusal, len(why))
	next.Peers = standing(s.Peers, KindPeer, next.Refused, why, before)
	next.Advertisements = standing(s.Advertisements, KindAdvertisement, next.Refused, why, before)
	next.BFDProfiles = standing(s.BFDProfiles, KindProfile, next.Refused, why, before)
	return &next
}

func standing[T interface {
	*v1alpha1.BGPPeer | *v1alpha1.BGPAdvertisement | *v1alpha1.BFDProfile
	client.Object
}](objects []T, kind string, refused map[ObjectKey]Refusal, why map[ObjectKey]string, before map[ObjectKey]client.Object) []T {
	all := make([]T, 0, len(objects))
	for _, object := range objects {
		key := ObjectKey{kind, object.GetName()}
		if text, found := why[key]; found {
			old, stands := before[key].(T)
			stands = stands && old.GetUID() == object.GetUID() && old.GetGeneration() != object.GetGeneration()
			if stands {
				object = old
			}
			refused[key] = Refusal{Why: text, Stands: stands}
		}
		all = append(all, object)
	}
	return all
}

// IsLeftOut says whether an object is refused and nothing stands in its place.
func (s *Snapshot) IsLeftOut(key ObjectKey) bool {
	refusal, refused := s.Refused[key]
	return refused && !refusal.Stands
}
