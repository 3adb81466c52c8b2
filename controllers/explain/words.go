package explain

import (
	"fmt"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
)

// Reasons of a Service that isn't Herald's to announce, or has no address.
const (
	ReasonNotLoadBalancer = "NotLoadBalancer"
	ReasonOtherClass      = "OtherClass"
	// ReasonSessionDown: the node is ready to announce, and has nobody to tell.
	ReasonSessionDown = "SessionDown"
	// ReasonNotReported: no agent has ever reported of the node, or of the session.
	ReasonNotReported = "NotReported"
	// ReasonNodeNotSelected: Herald isn't to run on the node.
	ReasonNodeNotSelected = "NodeNotSelected"
	// ReasonOnlyNodeKnows: a peer's address stands in no object.
	ReasonOnlyNodeKnows = "OnlyNodeKnows"
)

func silent(node string) Verdict {
	return Verdict{State: Unknown, Reason: ReasonNotReported, Message: fmt.Sprintf(
		"no agent has reported of this node (there is no BGPNode %s): does a herald-agent pod run on it? kubectl get pods -A -o wide --field-selector spec.nodeName=%s", node, node)}
}

func leftOut(why string) Verdict {
	return Verdict{State: NotAnnounced, Reason: ReasonNodeNotSelected, Message: "Herald doesn't run on this node: " + why}
}

func noSession(node, peer string) Verdict {
	return Verdict{State: Unknown, Reason: ReasonNotReported, Message: fmt.Sprintf(
		"the agent has reported no session with BGPPeer %s: it is new, or the node's agent is behind: kubectl get bgpnode %s -o yaml", peer, node)}
}

func sessionDown(session *v1alpha1.BGPSession) Verdict {
	message := fmt.Sprintf("the session is %s", session.Status.State)
	if reset := session.Status.LastReset; reset != nil && reset.Reason != "" {
		message += fmt.Sprintf(", last: %s", reset.Reason)
	}
	return Verdict{State: NotAnnounced, Reason: ReasonSessionDown, Message: message + ": look at the router's side, its address, AS number and password, and at what filters TCP port 179 between the two"}
}

func unseen(peers []string) Verdict {
	return Verdict{State: Unknown, Reason: ReasonOnlyNodeKnows, Message: fmt.Sprintf(
		"BGPPeer %s takes its address from the node's interfaces or routes, which the API doesn't show: whether it gets the Service is told by the router, and by kubectl get bgpsessions", strings.Join(peers, ", "))}
}

func withdrawn() Verdict {
	return Verdict{State: NotAnnounced, Reason: string(compile.WhyNodeDrains), Message: compile.WhyNodeDrains.OnNode()}
}

// unnamedHolder is of a Service that a draining node may be keeping without naming it.
func unnamedHolder(node string, held *v1alpha1.HeldServices) Verdict {
	return Verdict{State: Unknown, Reason: string(compile.WhyNodeDrains), Message: fmt.Sprintf(
		"the node drains, and still announces %d Services that no other node can, of which status.drain.lastHolderOf of BGPNode %s names only %d: maybe this one too. The router tells, and /metrics/services of the node's agent; let another node announce it, or end the drain (kubectl herald undrain %s)",
		held.Total, node, len(held.Services), node)}
}

// unnamed notes that a node holds back more Services than its BGPNode names.
func unnamed(reported *v1alpha1.BGPNode) []string {
	if unnamedOf(reported).HeldBack == 0 {
		return nil
	}
	return []string{fmt.Sprintf("BGPNode %s: GateClosed: the node holds back %d Services until its dataplane serves them, maybe this one too: look at kube-proxy on the node",
		reported.Name, reported.Status.HeldBack.Total)}
}
