package compile

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// withGates adds to the issues what the node announces although its dataplane
// never said that it is ready, and what it holds back because it never will.
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
		if state == snapshot.GateRefused {
			more = append(more, refusedIssue(key, node.Name))
		}
		if state == snapshot.GateTimedOut {
			more = append(more, Issue{
				Object: ObjectRef{Kind: "Service", Namespace: key.Namespace, Name: key.Name}, Reason: v1alpha1.ReasonGateTimedOut,
				Message: fmt.Sprintf("nothing answered on spec.healthCheckNodePort of node %q", node.Name) + remedy,
			})
		}
	}
	return withMore(issues, more)
}

// withMore are all of both, sorted.
func withMore(issues, more []Issue) []Issue {
	if len(more) == 0 {
		return issues
	}
	all := slices.Concat(issues, more)
	slices.SortFunc(all, CompareIssues)
	return all
}

// refusedIssue is of a Service that kube-proxy, which answers for itself, doesn't come to.
func refusedIssue(key types.NamespacedName, node string) Issue {
	return Issue{
		Object: ObjectRef{Kind: "Service", Namespace: key.Namespace, Name: key.Name}, Reason: v1alpha1.ReasonGateRefused,
		Message: fmt.Sprintf("kube-proxy of node %q answers on :10256/healthz, and nothing listens at spec.healthCheckNodePort there, so the Service is held back: "+
			"look into kube-proxy's log for what keeps it from writing its rules, or from listening at that port; "+
			"where something else serves the node's Services, announceGate.mode Off in the Herald object announces without asking", node),
	}
}
