package status

import "github.com/herald-lb/herald/api/v1alpha1"

// ApplyCommunity writes a Community's status and says whether that changed
// anything. Aliases are the same on every node.
func ApplyCommunity(community *v1alpha1.Community, fleet *Fleet) bool {
	verdict := yes(v1alpha1.ReasonAccepted, "every alias can be used")
	if issues := fleet.globalIssues("Community", community.Name); len(issues) > 0 {
		verdict = no(issues[0].Reason, issueTexts(issues))
	}
	return set(&community.Status.Conditions, v1alpha1.ConditionAccepted, community.Generation, verdict)
}
