package status

import (
	"github.com/herald-lb/herald/api/v1alpha1"
)

// ApplyProfile writes a BFDProfile's status and says whether that changed
// anything.
func ApplyProfile(profile *v1alpha1.BFDProfile, fleet *Fleet) bool {
	verdict := yes(v1alpha1.ReasonAccepted, "can be used by every BGPPeer")
	if issues := fleet.globalIssues(kindProfile, profile.Name); len(issues) > 0 {
		verdict = no(issues[0].Reason, issueTexts(issues))
	}
	return set(&profile.Status.Conditions, v1alpha1.ConditionAccepted, profile.Generation, verdict)
}
