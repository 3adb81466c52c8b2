package compile

import (
	"fmt"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// withGates adds to the issues what the node announces although its dataplane
// never said that it is ready.
func withGates(issues []Issue, node *snapshot.Node, gates *snapshot.Gates) []Issue {
	if gates == nil || node == nil {
		return issues
	}
	const remedy = "; it is announced from there all the same: look whether the service proxy (kube-proxy) runs on the node, and restart the agent to ask again"
	var more []Issue
	if gates.Cluster == snapshot.GateTimedOut {
		more = append(more, Issue{
			Object: ObjectRef{Kind: "Node", Name: node.Name}, Reason: v1alpha1.ReasonGateTimedOut,
			Message: fmt.Sprintf("nothing answered on :10256/healthz of node %q for Services with externalTrafficPolicy Cluster", node.Name) + remedy,
		})
	}
	for key, state := range gates.Local {
		if state == snapshot.GateTimedOut {
			more = append(more, Issue{
				Object: ObjectRef{Kind: "Service", Namespace: key.Namespace, Name: key.Name}, Reason: v1alpha1.ReasonGateTimedOut,
				Message: fmt.Sprintf("nothing answered on spec.healthCheckNodePort of node %q", node.Name) + remedy,
			})
		}
	}
	if more == nil {
		return issues
	}
	more = append(more, issues...)
	slices.SortFunc(more, CompareIssues)
	return more
}
