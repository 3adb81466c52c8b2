package v1alpha1

// FlowPreservation is what FlowPolicies have in common: it must be the same on all
// nodes, so that it is said once.
type FlowPreservation struct {
	// tunnel that packets are relayed in, from node to node.
	// +optional
	Tunnel FlowTunnel `json:"tunnel,omitempty"`
	// limits of what strangers can make the nodes do.
	// +optional
	Limits FlowLimits `json:"limits,omitempty"`
}

// FlowTunnelType is how packets are wrapped.
// +kubebuilder:validation:Enum=VXLAN
type FlowTunnelType string

// FlowTunnelVXLAN is VXLAN (RFC 7348).
const FlowTunnelVXLAN FlowTunnelType = "VXLAN"

// FlowTunnel goes from node address (InternalIP) to node address. Only nodes are
// heard; docs/flow-preservation.md says what a firewall must let pass.
type FlowTunnel struct {
	// type of the tunnel.
	// Default: VXLAN. Resets no session.
	// +optional
	// +kubebuilder:default=VXLAN
	Type FlowTunnelType `json:"type,omitempty"`

	// port is the UDP port that nodes send to and listen on. It must be one that
	// nothing else on the nodes uses, the cluster's network (8472, 4789) included.
	// Default: 14789. 1 to 65535. Resets no session; what is relayed at the moment of a
	// change may break.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`

	// mtu of what is inside of the tunnel, in bytes. A larger one than the network
	// between the nodes carries makes the nodes send fragments.
	// Default: what the network carries less VXLAN's header, as each node finds it.
	// 1280 to 65000. Resets no session.
	// +optional
	// +kubebuilder:validation:Minimum=1280
	// +kubebuilder:validation:Maximum=65000
	MTU *int32 `json:"mtu,omitempty"`
}

// FlowLimits bound each node.
type FlowLimits struct {
	// floodsPerSecond is how many packets a node copies to all others at most, of all
	// connections together: those whose owner isn't known. Each costs one packet for
	// every other node.
	// Default: 2000. 10 to 1000000. Resets no session.
	// +optional
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=1000000
	FloodsPerSecond *int32 `json:"floodsPerSecond,omitempty"`

	// learnedFlows is how many connections a node remembers the owner of at most, for
	// each other node and family. Those beyond are told by flooding.
	// Default: 65536. 1024 to 4194304. Resets no session.
	// +optional
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=4194304
	LearnedFlows *int32 `json:"learnedFlows,omitempty"`
}
