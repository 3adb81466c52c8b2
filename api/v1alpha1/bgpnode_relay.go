package v1alpha1

// NodeRelay is what a node's relay does and has seen. Counts are of packets since its
// rules were made, and are written at most once a minute.
type NodeRelay struct {
	// learning: connections of the FlowPolicies' Services are preserved here.
	Learning bool `json:"learning"`
	// pathMTU: ICMP messages about the path MTU are relayed.
	PathMTU bool `json:"pathMTU"`
	// leaving counts the Services' ports that are switched off and still relayed.
	// +optional
	Leaving int32 `json:"leaving,omitempty"`
	// ownedConnections are the established ones, of all Services' addresses, that this
	// node has the state of.
	OwnedConnections int64 `json:"ownedConnections"`
	// preservedConnections are those of ownedConnections that a FlowPolicy preserves: the
	// node goes on serving them when routers send their packets to another node.
	// +optional
	PreservedConnections int64 `json:"preservedConnections,omitempty"`
	// learnedFlows are those that this node knows another owner of.
	LearnedFlows int64 `json:"learnedFlows"`
	// relayed went to their known owner.
	Relayed int64 `json:"relayed"`
	// flooded were copied to every other node.
	Flooded int64 `json:"flooded"`
	// claimed came from other nodes, and this node has their connection.
	Claimed int64 `json:"claimed"`
	// unclaimed went to the local stack, as nobody had their connection.
	Unclaimed int64 `json:"unclaimed"`
	// told are those of unclaimed that the relay sent itself, so that a client learned by
	// its first packet that nobody has its connection.
	// +optional
	Told int64 `json:"told,omitempty"`
	// limited were not relayed because of spec.flowPreservation.limits.
	Limited int64 `json:"limited"`
	// pathMTUFlooded are the ICMP messages that were copied to every other node.
	PathMTUFlooded int64 `json:"pathMTUFlooded"`
	// pathMTUAccepted are those of other nodes that belonged to a connection of this one.
	PathMTUAccepted int64 `json:"pathMTUAccepted"`
}
