package status

import (
	"fmt"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/report"
)

// missingNextHops are the peers that should have IPv4 routes with IPv6 next hops (RFC
// 8950) and whose router hasn't agreed to that when the session came up, by name.
func missingNextHops(view View) []compile.Issue {
	if !view.running() {
		return nil
	}
	reported := reportedSessions(view)
	var issues []compile.Issue
	for i := range view.Result.Config.Routers {
		router := &view.Result.Config.Routers[i]
		for j := range router.Neighbors {
			neighbor := &router.Neighbors[j]
			key := compile.NeighborKey{VRF: router.VRF, End: neighbor.End}
			if !asksForExtendedNextHop(router, neighbor) || !refuses(reported[key]) {
				continue
			}
			issues = append(issues, compile.Issue{
				Object: compile.ObjectRef{Kind: kindPeer, Name: view.Result.Origins.Peers[key]},
				Reason: v1alpha1.ReasonNoNextHop,
				Message: fmt.Sprintf(
					"the router %s of node %q hasn't agreed on IPv6 next hops of IPv4 routes (RFC 8950), so that these are of no use unless the node has an IPv4 address on that link: switch it on at the router, or leave IPv4 out of spec.addressFamilies",
					place(neighbor.End), view.Node),
			})
		}
	}
	slices.SortFunc(issues, compile.CompareIssues)
	return issues
}

func asksForExtendedNextHop(router *frrtemplates.Router, neighbor *frrtemplates.Neighbor) bool {
	if neighbor.Interface == "" && !neighbor.ExtendedNextHop {
		return false
	}
	return slices.ContainsFunc(router.Families, func(f frrtemplates.RouterFamily) bool {
		return f.Family == frrtemplates.IPv4 && slices.ContainsFunc(f.Neighbors, func(n frrtemplates.NeighborFamily) bool { return n.End == neighbor.End })
	})
}

func refuses(seen *report.Session) bool {
	return seen != nil && seen.State == string(v1alpha1.SessionEstablished) && !seen.ExtendedNextHop
}

func place(end frrtemplates.End) string {
	if end.Interface != "" {
		return "behind " + end.Interface
	}
	return end.String()
}
