package status

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

const (
	kindPeer          = "BGPPeer"
	kindAdvertisement = "BGPAdvertisement"
	kindProfile       = "BFDProfile"
	kindSnippet       = "FRRSnippet"
	kindFlowPolicy    = "FlowPolicy"
)

// ApplyPeer writes a BGPPeer's status and says whether that changed anything.
func ApplyPeer(peer *v1alpha1.BGPPeer, fleet *Fleet) bool {
	selected := fleet.nodesWith(peer.Name)
	var down []string
	for _, node := range selected {
		if !fleet.Established[SessionKey{Node: node, Peer: peer.Name}] {
			down = append(down, node)
		}
	}
	accepted := fleet.accepted(kindPeer, peer.Name, selected)
	established := establishedVerdict(accepted, selected, down)

	changed := peer.Status.NodesSelected != int32(len(selected)) ||
		peer.Status.NodesEstablished != int32(len(selected)-len(down))
	peer.Status.NodesSelected = int32(len(selected))
	peer.Status.NodesEstablished = int32(len(selected) - len(down))
	changed = set(&peer.Status.Conditions, v1alpha1.ConditionAccepted, peer.Generation, accepted) || changed
	return set(&peer.Status.Conditions, v1alpha1.ConditionEstablished, peer.Generation, established) || changed
}

// nodesWith are the nodes that should have a session with a peer, by name.
func (f *Fleet) nodesWith(peer string) []string {
	var nodes []string
	for _, policy := range f.Policies {
		for _, p := range policy.Peers {
			if p.Name == peer {
				nodes = append(nodes, policy.Node)
			}
		}
	}
	return nodes
}

// accepted says whether the object can be used: everywhere (with the reason of a
// note, where there is one), on some nodes (that is True, with the reason
// PartiallyAccepted), or nowhere. Nodes are those that take it as far as compile can tell here.
func (f *Fleet) accepted(kind, name string, nodes []string) verdict {
	if issues := f.globalIssues(kind, name); len(issues) > 0 {
		return no(issues[0].Reason, issueTexts(issues))
	}
	complaints := f.complaints(kind, name)
	if len(complaints) == 0 {
		return yes(v1alpha1.ReasonAccepted, "can be used on every node that it selects")
	}
	refusals := slices.DeleteFunc(slices.Clone(complaints), complaint.isNote)
	if len(refusals) == 0 {
		return yes(complaints[0].reason, texts(complaints))
	}
	refused := refusing(refusals)
	for _, node := range nodes {
		if !slices.Contains(refused, node) {
			return yes(v1alpha1.ReasonPartiallyAccepted, fmt.Sprintf("refused on %s: %s", listed(refused, ", "), texts(complaints)))
		}
	}
	return no(refusals[0].reason, texts(refusals))
}

func establishedVerdict(accepted verdict, selected, down []string) verdict {
	switch {
	case accepted.status != metav1.ConditionTrue && len(down) == len(selected):
		return no(v1alpha1.ReasonNotAccepted, "no node opens a session: see the condition Accepted")
	case len(selected) == 0:
		return no(v1alpha1.ReasonNoNodeSelected, "spec.nodeSelectors match no node: correct them, or label the nodes")
	case len(down) == 0:
		return yes(v1alpha1.ReasonAllEstablished, "every selected node has its session Established")
	case len(down) == len(selected):
		return no(v1alpha1.ReasonNoneEstablished, "no selected node has its session Established: "+sessionRemedy)
	default:
		return no(v1alpha1.ReasonSomeEstablished, "not Established on "+listed(down, ", ")+": "+sessionRemedy)
	}
}

const sessionRemedy = "state and last reset reason are in the BGPSessions (kubectl get bgpsessions -o wide); check address, ASNs, port and password at both ends, and that the nodes reach the router"
