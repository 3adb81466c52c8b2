package controllers

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// wantedGates are the gates that hold back a Service that has everything else.
func wantedGates(snap *snapshot.Snapshot, result *compile.Result) gates.Wanted {
	wanted := gates.Wanted{Local: map[types.NamespacedName]gates.HealthCheck{}}
	for _, withheld := range result.Withheld {
		service := snap.Services.Get(withheld.Service)
		if withheld.Why != compile.WhyGateClosed || service == nil {
			continue
		}
		if service.Local {
			wanted.Local[service.Key] = gates.HealthCheck{Port: service.HealthCheckNodePort, OtherProxy: service.OtherProxy}
		} else {
			wanted.Cluster = true
		}
	}
	return wanted
}

// askRelay asks for the relay's gate while that is not open for good. It opens where
// nothing is to be preserved: what FlowPolicies select later the node doesn't wait for.
func (r *NodeReconciler) askRelay(snap *snapshot.Snapshot, result *compile.Result, wish RelayWish) {
	if !result.Relayed {
		r.OpenGates(snapshot.Opened{Relay: snapshot.GateOpen})
	}
	holds := slices.ContainsFunc(result.Withheld, func(w compile.Withheld) bool { return w.Why == compile.WhyRelayPending })
	r.WantRelay(result.Relayed && snap.Gates != nil && snap.Gates.Relay != snapshot.GateOpen, holds, wish)
}

// OpenGates is where gates.Keeper and gates.RelayKeeper report to.
func (r *NodeReconciler) OpenGates(opened snapshot.Opened) {
	if r.Store.OpenGates(opened) {
		r.Wake()
	}
}
