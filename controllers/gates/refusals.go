package gates

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// refusals are the gates of Services whose health check port nothing listens at,
// while kube-proxy answers for itself.
type refusals map[types.NamespacedName]refusal

type refusal struct {
	since time.Time
	// told: the node says so.
	told bool
}

// note whether a port is refused now, and say what the gate becomes where that
// changes: it stays closed, and tells why or no longer does.
func (r refusals) note(key types.NamespacedName, refused bool, now time.Time) (snapshot.GateState, bool) {
	before, known := r[key]
	switch {
	case !refused:
		delete(r, key)
		return snapshot.GateClosed, before.told
	case !known:
		r[key] = refusal{since: now}
	case !before.told && now.Sub(before.since) >= RefusalTold:
		r[key] = refusal{since: before.since, told: true}
		return snapshot.GateRefused, true
	}
	return snapshot.GateClosed, false
}

// keep those of gates that are still wanted, and return which of the others was told.
func (r refusals) keep(wanted map[types.NamespacedName]HealthCheck) map[types.NamespacedName]snapshot.GateState {
	var gone map[types.NamespacedName]snapshot.GateState
	for key, was := range r {
		if _, still := wanted[key]; still {
			continue
		}
		delete(r, key)
		if was.told {
			if gone == nil {
				gone = map[types.NamespacedName]snapshot.GateState{}
			}
			gone[key] = snapshot.GateClosed
		}
	}
	return gone
}
