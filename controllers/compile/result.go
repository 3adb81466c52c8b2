package compile

import (
	"cmp"
	"net/netip"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/bigmap"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/relay/exchange"
)

// Result is what a snapshot compiles to.
type Result struct {
	Config frrtemplates.Config
	// Issues are the objects that are refused, wholly or in part, sorted.
	Issues []Issue
	// Withheld are the Services with an address of a pool that this node does
	// not announce, with the first reason why not, sorted by key.
	Withheld []Withheld
	// Kept are the Services that a draining node goes on announcing, as no other node
	// does as far as is known, sorted.
	Kept []types.NamespacedName
	// Takers are who is able to announce the routes of Kept that it announces, each of
	// which is there, sorted: those that don't count yet (snapshot.Kept), or those of a
	// prefix that isn't taken over in another VRF.
	Takers map[snapshot.Route][]snapshot.Taker
	// Waits are the first causes why they are kept.
	Waits []Wait
	// Snippets that the node's FRR is to try, in their order.
	Snippets []Snippet
	// Origins say which object a part of the Config comes from.
	Origins Origins
	// Relay is what the node's relay shall do; nil: what it does. Relayed says that
	// it is to preserve connections.
	Relay   *exchange.Desired
	Relayed bool
}

// ObjectRef names an API object.
type ObjectRef struct {
	Kind, Namespace, Name string
}

// Issue is a refused object, a refused part of one, or a note (IsNote). Reason is from the closed
// list in api/v1alpha1/conditions.go; Message names field, cause and remedy.
type Issue struct {
	Object          ObjectRef
	Reason, Message string
}

// IsNote says whether an issue of this reason refuses nothing: the object holds,
// but for what the message says.
func IsNote(reason string) bool {
	return reason == v1alpha1.ReasonOverruled || reason == v1alpha1.ReasonNoEffect || reason == v1alpha1.ReasonAggregateNotForLocal || reason == v1alpha1.ReasonGateTimedOut ||
		reason == v1alpha1.ReasonConflict || reason == v1alpha1.ReasonNoServiceSelected ||
		reason == v1alpha1.ReasonRelayPending || reason == v1alpha1.ReasonRelayTimedOut
}

// Withheld is a Service that the node does not announce.
type Withheld struct {
	Service types.NamespacedName
	Why     Why
}

// Why is the first reason why a node does not announce a Service.
type Why string

// The reasons, in the order in which they are looked at.
const (
	WhyNoPool          Why = "NoPool"          // the address is in no pool
	WhyNoAdvertisement Why = "NoAdvertisement" // no advertisement selects it on this node
	WhyNoPeer          Why = "NoPeer"          // none of them reaches a peer of the address's family here
	WhyNodeExcluded    Why = "NodeExcluded"    // the node's label excludes it from load balancers
	WhyNoNetwork       Why = "NoNetwork"       // the node's network is unavailable
	WhyNoEndpoint      Why = "NoEndpoint"      // no usable endpoint anywhere
	WhyNoLocalEndpoint Why = "NoLocalEndpoint" // Local, and none on this node
	WhyNodeDrains      Why = "NodeDrains"      // the node has given its routes up, and others have it
	WhyGateClosed      Why = "GateClosed"      // the node's dataplane isn't ready for it yet
	WhyRelayPending    Why = "RelayPending"    // the node's relay isn't ready for it yet
)

// Origins say which object a part of the Config comes from.
type Origins struct {
	// Peers by neighbor.
	Peers map[NeighborKey]string
	// Prefixes: the Services that need each, sorted.
	Prefixes bigmap.View[netip.Prefix, []Need]
}

// Need is that of a Service for a prefix.
type Need struct {
	Service types.NamespacedName
	// class that it alone would give the prefix.
	class *class
}

// NeighborKey names a neighbor on one node; the default VRF is empty.
type NeighborKey struct {
	VRF string
	frrtemplates.End
}

func (k NeighborKey) compare(other NeighborKey) int {
	return cmp.Or(cmp.Compare(k.VRF, other.VRF), k.Compare(other.End))
}
