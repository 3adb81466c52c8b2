package status

import "github.com/herald-lb/herald/api/v1alpha1"

// ApplyFlowPolicy writes a FlowPolicy's status and says whether that changed anything.
func ApplyFlowPolicy(policy *v1alpha1.FlowPolicy, fleet *Fleet) bool {
	accepted := fleet.accepted(kindFlowPolicy, policy.Name, fleet.nodes())
	return set(&policy.Status.Conditions, v1alpha1.ConditionAccepted, policy.Generation, accepted)
}

// nodes are the names of all.
func (f *Fleet) nodes() []string {
	names := make([]string, 0, len(f.Policies))
	for _, policy := range f.Policies {
		names = append(names, policy.Node)
	}
	return names
}
