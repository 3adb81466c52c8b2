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
	// ReasonOnlyNodeKnows: a peer's address stands in no object.
	ReasonOnlyNodeKnows = "OnlyNodeKnows"
)

// onNode says why one node doesn't announce a Service, and the remedy.
var onNode = map[compile.Why]string{
	compile.WhyNoPool:          "its address is in no IPAddressPool: add it to one, or let the Service have another",
	compile.WhyNoAdvertisement: "no BGPAdvertisement selects it on this node: widen the selectors of one (ipAddressPools, ipAddressPoolSelectors, serviceSelectors, namespaceSelectors, nodeSelectors), or make one",
	compile.WhyNoPeer:          "its advertisements reach no BGPPeer of its address's family on this node: look at their peers and peerSelectors, and at the nodeSelectors and addressFamilies of the BGPPeers",
	compile.WhyNodeExcluded:    "the node has the label node.kubernetes.io/exclude-from-external-load-balancers: remove it to announce from here",
	compile.WhyNoNetwork:       "the node's condition NetworkUnavailable is True: look at its CNI plugin",
	compile.WhyNoEndpoint:      "no endpoint of its address's family is ready anywhere: look at its pods, its selector and their readiness",
	compile.WhyNoLocalEndpoint: "externalTrafficPolicy is Local and no endpoint on this node is ready: that is as it should be where no pod runs here",
	compile.WhyGateClosed:      "the node has booted and its dataplane does not serve the Service yet: look at kube-proxy on the node",
}

func silent(node string) Verdict {
	return Verdict{State: Unknown, Reason: ReasonNotReported, Message: fmt.Sprintf(
		"no agent has reported of this node (there is no BGPNode %s): does a herald-agent pod run on it? kubectl get pods -A -o wide --field-selector spec.nodeName=%s", node, node)}
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
