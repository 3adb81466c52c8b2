package status

import (
	"fmt"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
)

// Issues are what a node has to say about objects: what was refused when it
// decided, and what only its FRR knows.
func Issues(view View) []compile.Issue {
	if view.Result == nil {
		return nil
	}
	seen := append(missingVRFs(view), missingNextHops(view)...)
	if len(seen) == 0 {
		return view.Result.Issues
	}
	return append(seen, view.Result.Issues...)
}

// missingVRFs are the peers in VRFs that the node doesn't have, by name. Their
// sessions come up when the devices do.
func missingVRFs(view View) []compile.Issue {
	if !view.running() {
		return nil
	}
	var issues []compile.Issue
	for key, session := range reportedSessions(view) {
		peer, found := view.Result.Origins.Peers[key]
		if !found || !session.VRFMissing {
			continue
		}
		issues = append(issues, compile.Issue{
			Object: compile.ObjectRef{Kind: kindPeer, Name: peer},
			Reason: v1alpha1.ReasonVRFNotFound,
			Message: fmt.Sprintf(
				"spec.vrf: node %q has no VRF device %q, so that its session stays Idle: make the device (ip link add %s type vrf table NUMBER, ip link set %s up), or leave the node out by spec.nodeSelectors",
				view.Node, key.VRF, key.VRF, key.VRF),
		})
	}
	slices.SortFunc(issues, compile.CompareIssues)
	return issues
}
