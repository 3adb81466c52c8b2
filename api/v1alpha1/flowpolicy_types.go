package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FlowPolicySpec says which Services' established connections survive a change of
// the set of nodes: where the routers then send a packet to a node that doesn't
// know its connection, it is relayed to the node that does. No field of it ever
// resets a session or changes a route.
type FlowPolicySpec struct {
	// mode is Learn: the connections of the selected Services are preserved; or Off:
	// they are not, also where a younger FlowPolicy says Learn. Switching it off
	// breaks nothing: nothing new is learned, and what is relayed already goes on
	// until it ends.
	// Default: Learn. Without any FlowPolicy nothing is learned. Resets no session.
	// +optional
	// +kubebuilder:default=Learn
	Mode FlowMode `json:"mode,omitempty"`

	// ipAddressPools are the names of the pools whose addresses are meant, beside
	// those that ipAddressPoolSelectors match.
	// Default: all pools, unless ipAddressPoolSelectors are set. At most 64. Resets
	// no session.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	IPAddressPools []string `json:"ipAddressPools,omitempty"`

	// ipAddressPoolSelectors say by their labels which pools' addresses are meant:
	// of those that match at least one selector, and of those in ipAddressPools.
	// Selectors that match nothing, and malformed ones, select nothing.
	// Default: all pools, unless ipAddressPools are set. At most 64. Resets no
	// session.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	IPAddressPoolSelectors []metav1.LabelSelector `json:"ipAddressPoolSelectors,omitempty"`

	// serviceSelectors say by their labels which Services are meant: those that match
	// at least one selector, of those that pass the namespaces and the pools. A
	// malformed selector matches nothing.
	// Default: all Services. At most 64. Resets no session.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	ServiceSelectors []metav1.LabelSelector `json:"serviceSelectors,omitempty"`

	// namespaces whose Services are meant, by name, beside those that
	// namespaceSelectors match.
	// Default: all namespaces, unless namespaceSelectors are set. At most 64. Resets
	// no session.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Namespaces []NamespaceName `json:"namespaces,omitempty"`

	// namespaceSelectors say by their namespace's labels which Services are meant:
	// those whose namespace matches at least one selector, and those in namespaces.
	// A malformed selector matches nothing.
	// Default: all namespaces, unless namespaces are set. At most 64. Resets no
	// session.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	NamespaceSelectors []metav1.LabelSelector `json:"namespaceSelectors,omitempty"`

	// protocols whose connections are preserved: TCP, and QUIC, which is every UDP port
	// of the Services; of a UDP port that speaks no QUIC leave it out, as only QUIC's
	// packets tell by their form whether they begin a connection (RFC 9000).
	// Default: TCP. Resets no session.
	// +optional
	// +listType=set
	// +kubebuilder:default={TCP}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	Protocols []FlowProtocol `json:"protocols,omitempty"`
}

// FlowMode is what is done about connections.
// +kubebuilder:validation:Enum=Off;Learn
type FlowMode string

// What is done about connections.
const (
	FlowModeOff   FlowMode = "Off"
	FlowModeLearn FlowMode = "Learn"
)

// FlowProtocol is a protocol whose connections can be preserved.
// +kubebuilder:validation:Enum=TCP;QUIC
type FlowProtocol string

// The protocols.
const (
	FlowProtocolTCP  FlowProtocol = "TCP"
	FlowProtocolQUIC FlowProtocol = "QUIC"
)

// FlowPolicyStatus says where the policy is in force.
type FlowPolicyStatus struct {
	// nodes counts those that Herald runs on.
	// +optional
	Nodes int32 `json:"nodes"`
	// nodesLearning counts those of them that preserve connections.
	// +optional
	NodesLearning int32 `json:"nodesLearning"`
	// conditions: Accepted, Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// FlowPolicy keeps established connections of Services alive while nodes come and
// go. Of several that select one Service the oldest holds.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=flowpolicies,shortName=hflow,categories=herald
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Protocols",type=string,JSONPath=`.spec.protocols`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes`
// +kubebuilder:printcolumn:name="Learning",type=integer,JSONPath=`.status.nodesLearning`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type FlowPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the operator wants.
	// +optional
	Spec FlowPolicySpec `json:"spec,omitempty"`
	// status is what Herald found.
	// +optional
	Status FlowPolicyStatus `json:"status,omitempty"`
}

// FlowPolicyList is a list of FlowPolicies.
// +kubebuilder:object:root=true
type FlowPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []FlowPolicy `json:"items"`
}
