package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// ApplyFlowPolicy writes a FlowPolicy's status and says whether that changed anything.
func ApplyFlowPolicy(policy *v1alpha1.FlowPolicy, fleet *Fleet) bool {
	nodes := slices.Sorted(maps.Keys(fleet.Reports))
	accepted := fleet.accepted(kindFlowPolicy, policy.Name, nodes)
	var learning int32
	for _, node := range nodes {
		if fleet.Reports[node].Relay.learning {
			learning++
		}
	}
	if policy.Spec.Mode == v1alpha1.FlowModeOff {
		learning = 0
	}
	status := &policy.Status
	changed := status.Nodes != int32(len(nodes)) || status.NodesLearning != learning
	status.Nodes, status.NodesLearning = int32(len(nodes)), learning
	changed = set(&status.Conditions, v1alpha1.ConditionAccepted, policy.Generation, accepted) || changed
	return set(&status.Conditions, v1alpha1.ConditionReady, policy.Generation, fleet.flowReady(policy, accepted, nodes)) || changed
}

// NoHeraldMessage says why no FlowPolicy has an effect, and what to do.
const NoHeraldMessage = "there is no Herald object \"" + v1alpha1.HeraldName + "\", and without it the relays preserve nothing, as after Herald was uninstalled: make one (an empty spec will do), or delete the FlowPolicies"

// flowReady says whether the policy is in force on every node.
func (f *Fleet) flowReady(policy *v1alpha1.FlowPolicy, accepted verdict, nodes []string) verdict {
	switch {
	case policy.Spec.Mode == v1alpha1.FlowModeOff:
		return yes(v1alpha1.ReasonFlowsOff, "spec.mode is Off: no connection is preserved by it")
	case accepted.status != metav1.ConditionTrue:
		return no(v1alpha1.ReasonNotAccepted, "nothing is preserved by it: see the condition Accepted")
	case f.NoHerald:
		return no(v1alpha1.ReasonNoHerald, NoHeraldMessage)
	case accepted.reason == v1alpha1.ReasonNoServiceSelected:
		return no(v1alpha1.ReasonNoServiceSelected, accepted.message)
	case len(nodes) == 0:
		return verdict{metav1.ConditionUnknown, v1alpha1.ReasonAgentNotReporting, "no node reports: look at the DaemonSet herald-agent"}
	}
	type cause struct{ reason, message string }
	without := map[cause][]string{}
	count := 0
	for _, node := range nodes {
		if relay := f.Reports[node].Relay; !relay.learning || !relay.ready {
			c := cause{cmp.Or(relay.reason, v1alpha1.ReasonRelayNotReporting), cmp.Or(relay.message, "the node says nothing of its relay: look at the DaemonSet herald-agent")}
			if relay.ready {
				c = cause{v1alpha1.ReasonPending, "not yet learning"}
			}
			without[c], count = append(without[c], node), count+1
		}
	}
	if count == 0 {
		return yes(v1alpha1.ReasonLearning, "every node preserves the connections")
	}
	causes := slices.SortedFunc(maps.Keys(without), func(a, b cause) int {
		return cmp.Or(cmp.Compare(len(without[b]), len(without[a])), cmp.Compare(a.reason, b.reason), cmp.Compare(a.message, b.message))
	})
	texts := make([]string, 0, len(causes))
	for _, c := range causes {
		texts = append(texts, fmt.Sprintf("on %s: %s", listed(without[c], ", "), c.message))
	}
	return no(causes[0].reason, fmt.Sprintf("%d of %d nodes don't preserve connections: %s", count, len(nodes), strings.TrimSpace(listed(texts, "; "))))
}

// relayReport is what matters of a node's relay.
type relayReport struct {
	learning, ready bool
	reason, message string
}

func relayReportOf(node *v1alpha1.BGPNode) relayReport {
	report := relayReport{learning: node.Status.Relay != nil && node.Status.Relay.Learning}
	for _, condition := range node.Status.Conditions {
		if condition.Type == v1alpha1.ConditionRelayReady {
			report.ready = condition.Status == metav1.ConditionTrue
			report.reason, report.message = condition.Reason, condition.Message
		}
	}
	return report
}
