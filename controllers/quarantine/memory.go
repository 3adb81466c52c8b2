package quarantine

import (
	"encoding/json"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// memory of one held object, for the next agent: without it that one would offer
// everything again, and FRR would refuse everything.
type memory struct {
	Kind       string          `json:"kind"`
	Name       string          `json:"name"`
	UID        string          `json:"uid"`
	Generation int64           `json:"generation"`
	Why        string          `json:"why"`
	Until      time.Time       `json:"until"`
	Before     json.RawMessage `json:"before,omitempty"`
}

// persist what is held, if that is new.
func (k *Keeper) persist() {
	all := []memory{}
	for _, key := range sorted(k.held) {
		h := k.held[key]
		m := memory{Kind: key.Kind, Name: key.Name, UID: h.version.uid, Generation: h.version.generation, Why: h.why, Until: h.until}
		if before, known := k.accepted[key]; known {
			m.Before, _ = json.Marshal(before) // an object of the API always can be
		}
		all = append(all, m)
	}
	data, err := json.Marshal(all)
	if err != nil || string(data) == k.saved {
		return
	}
	k.saved = string(data)
	k.save(data)
}

// restore is the reverse. What can't be read is as good as nothing: it is found out
// again.
func (k *Keeper) restore(saved []byte) {
	var all []memory
	if json.Unmarshal(saved, &all) != nil {
		return
	}
	k.saved = string(saved)
	for _, m := range all {
		key := snapshot.ObjectKey{Kind: m.Kind, Name: m.Name}
		k.held[key] = &hold{version: version{key, m.UID, m.Generation}, why: m.Why, until: m.Until}
		if before := emptyOf(m.Kind); before != nil && len(m.Before) > 0 && json.Unmarshal(m.Before, before) == nil {
			k.accepted[key] = before
		}
	}
}

func emptyOf(kind string) client.Object {
	switch kind {
	case snapshot.KindPeer:
		return &v1alpha1.BGPPeer{}
	case snapshot.KindAdvertisement:
		return &v1alpha1.BGPAdvertisement{}
	case snapshot.KindProfile:
		return &v1alpha1.BFDProfile{}
	}
	return nil
}
