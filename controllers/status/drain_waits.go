package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// keptFor says what a node waits for that keeps Services, and what helps. It has no
// times that tick, so that it is written when something has changed.
func keptFor(node string, waits []compile.Wait, limits snapshot.DrainLimits) string {
	text := "no other node announces the Services in status.drain.lastHolderOf"
	for i := range waits {
		wait := &waits[i]
		text += "; " + wait.Route.Service.String()
		if wait.Services > 1 {
			text += fmt.Sprintf(" and %d more", wait.Services-1)
		}
		text += " (" + wait.Route.Address.String()
		if wait.Route.VRF != "" {
			text += " in VRF " + wait.Route.VRF
		}
		text += "): " + causeOf(node, wait, drain.Settles(limits))
	}
	return text
}

func causeOf(node string, wait *compile.Wait, settles time.Duration) string {
	switch {
	case wait.Unknown:
		return "the other nodes aren't known yet: the agent lists Nodes, BGPNodes, BGPSessions and EndpointSlices; if that lasts see its log"
	case wait.NoEndpoint:
		return "no other node has a ready endpoint: let its pods run elsewhere (kubectl drain " + node + ")"
	case len(wait.Nodes) == 0:
		return "there is no other node: add one, or end the drain (kubectl herald undrain " + node + ")"
	}
	causes := make([]string, 0, len(wait.Nodes))
	for _, missing := range wait.Nodes {
		causes = append(causes, lackText(missing, wait, settles))
	}
	text := strings.Join(causes, ", ")
	if wait.More > 0 {
		text += fmt.Sprintf(", and %d more", wait.More)
	}
	return text
}

// lackText says what a node lacks, with the remedy.
func lackText(missing compile.Missing, wait *compile.Wait, settles time.Duration) string {
	name := missing.Node
	switch missing.Lacks {
	case snapshot.LackTime:
		return fmt.Sprintf("%s takes over when it has been able to for %s (spec.drain.convergeTime, at least 3s)", name, settles)
	case snapshot.LackSession:
		return fmt.Sprintf("%s has no Established session with %s (kubectl get bgpsessions)", name, missing.Peer)
	case snapshot.LackDrains:
		return fmt.Sprintf("%s drains too (kubectl herald undrain %s)", name, name)
	case snapshot.LackDataplane:
		return fmt.Sprintf("%s holds routes back until its dataplane or relay is ready (kubectl describe bgpnode %s)", name, name)
	case snapshot.LackProgrammed:
		return fmt.Sprintf("%s isn't Programmed (kubectl describe bgpnode %s)", name, name)
	case snapshot.LackReady:
		return fmt.Sprintf("%s isn't Ready as BGPNode (kubectl describe bgpnode %s)", name, name)
	case snapshot.LackNode:
		return fmt.Sprintf("%s isn't Ready as Node (kubectl describe node %s)", name, name)
	case snapshot.LackReport:
		return fmt.Sprintf("%s has no BGPNode (does a herald-agent pod run on it?)", name)
	default:
		return fmt.Sprintf("%s has no BGPAdvertisement and BGPPeer that announce it (kubectl herald explain %s)", name, wait.Route.Service)
	}
}
