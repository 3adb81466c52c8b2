package compile

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/herald-lb/herald/controllers/pools"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Policy is what holds for all Services on one node: its accepted peers,
// advertisements and pools, and the classes that these form. It is immutable,
// and safe for concurrent use.
type Policy struct {
	// Node's name; empty where the Node isn't known yet.
	Node string
	// Pools that are accepted, the same on every node.
	Pools *pools.Set
	// Instances of BGP that the node has, by VRF.
	Instances []*Instance
	// Peers that the node should have a session with, by VRF and address.
	Peers []*Peer
	// Advertisements that apply on the node, the oldest first.
	Advertisements []*Advertisement
	// Snippets that the node's FRR is to try, in their order.
	Snippets []Snippet
	// Flows are the FlowPolicies that are accepted, the oldest first.
	Flows []*FlowPolicy
	// Issues are the objects that are refused, wholly or in part, sorted.
	Issues []Issue

	// nodeWhy is why the node announces nothing at all; empty: it may.
	nodeWhy Why
	// drain of the node, and who takes over.
	drain drain
	// takers by pool; standing are their classes, each once.
	takers   map[*pools.Pool]takers
	standing []*class
	classes  classes
	// protected is what no peer may send, by family; nil: nothing is received.
	protected map[frrtemplates.Family][]netip.Prefix
	// profiles are the BFD profiles that the peers use, by name.
	profiles []frrtemplates.BFDProfile
}

// builder holds what is needed only while a Policy is made.
type builder struct {
	policy  *Policy
	node    *snapshot.Node
	secrets map[string]*snapshot.Secret
	network *snapshot.Network
	refused map[snapshot.ObjectKey]snapshot.Refusal
	// owners are the oldest peers by neighbor, instances by VRF.
	owners    map[NeighborKey]string
	instances map[string]*Instance
	aliases   aliases
	profiles  map[string]frrtemplates.BFDProfile
}

// NewPolicy decides everything that doesn't depend on a Service. It looks at
// neither Services nor Slices nor Gates nor Applied of the snapshot.
func NewPolicy(s *snapshot.Snapshot) *Policy { return newPolicy(s, nil) }

// newPolicy takes over what an earlier one of the same node knew of the others.
func newPolicy(s *snapshot.Snapshot, before *others) *Policy {
	b := &builder{node: s.Node, secrets: s.Secrets, network: s.Network, refused: s.Refused, policy: &Policy{
		takers: map[*pools.Pool]takers{}, classes: classes{byMembers: map[string]*class{}, variants: map[variant]*class{}},
	}}
	if s.Node != nil {
		b.policy.Node, b.policy.nodeWhy = s.Node.Name, nodeWhy(s.Node, s.Settings)
		b.policy.drain = newDrain(s, before)
	}
	set, issues := pools.Accept(s.Pools)
	b.policy.Pools = set
	for _, issue := range issues {
		b.refuse(ObjectRef{Kind: "IPAddressPool", Name: issue.Pool}, issue.Reason, issue.Message)
	}
	b.acceptProfiles(s.BFDProfiles)
	b.acceptPeers(s.Peers)
	b.acceptSnippets(s.Snippets)
	b.policy.protected = protected(s, b.policy.Peers)
	b.acceptAliases(s.Communities)
	b.acceptAdvertisements(s.Advertisements, s.Peers)
	b.acceptFlows(s.FlowPolicies)
	b.policy.formClasses()
	b.policy.Issues = append(b.policy.Issues, overruled(clashesOf(b.policy.standing))...)
	slices.SortFunc(b.policy.Issues, CompareIssues)
	return b.policy
}

// nodeWhy says why a node announces nothing. Its sessions stay up.
func nodeWhy(node *snapshot.Node, settings *snapshot.Settings) Why {
	switch {
	case settings.Excludes(node):
		return WhyNodeExcluded
	case node.NetworkUnavailable:
		return WhyNoNetwork
	default:
		return ""
	}
}

func (b *builder) refuse(object ObjectRef, reason, message string) {
	b.policy.Issues = append(b.policy.Issues, Issue{Object: object, Reason: reason, Message: message})
}

// CompareIssues orders them by object, reason and message.
func CompareIssues(a, b Issue) int {
	return cmp.Or(
		cmp.Compare(a.Object.Kind, b.Object.Kind),
		cmp.Compare(a.Object.Namespace, b.Object.Namespace),
		cmp.Compare(a.Object.Name, b.Object.Name),
		cmp.Compare(a.Reason, b.Reason),
		cmp.Compare(a.Message, b.Message),
	)
}
