package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BFDProfileSpec is how BFD (RFC 5880) watches the path of a session. No change of
// it resets a BGP session: BFD agrees on new intervals while it runs.
type BFDProfileSpec struct {
	// receiveInterval is the least time between two control packets that the node
	// wants to receive, in milliseconds. The path counts as dead after
	// detectMultiplier times the larger of this and the router's transmitInterval.
	// Default: 300. 10 to 60000.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	ReceiveInterval *int32 `json:"receiveInterval,omitempty"`

	// transmitInterval is the least time between two control packets that the
	// node sends, in milliseconds; the router may ask for a longer one.
	// Default: 300. 10 to 60000.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	TransmitInterval *int32 `json:"transmitInterval,omitempty"`

	// detectMultiplier is how many packets must be missing before the router takes
	// the path for dead.
	// Default: 3. 2 to 255.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=255
	DetectMultiplier *int32 `json:"detectMultiplier,omitempty"`

	// echoMode sends packets that the router's forwarding plane sends back (RFC
	// 5880 section 6.4). Only for IPv4 over a single hop: peers over IPv6 or with
	// ebgpMultiHop are watched without it and say so (NoEffect), since FRR's echoes
	// would close their sessions. The router must forward such packets.
	// Default: false.
	// +optional
	EchoMode bool `json:"echoMode,omitempty"`

	// echoInterval is the least time between two echo packets that the node sends
	// and takes, in milliseconds. Used with echoMode, and told to the router
	// anyway.
	// Default: 50. 10 to 60000.
	// +optional
	// +kubebuilder:default=50
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	EchoInterval *int32 `json:"echoInterval,omitempty"`

	// passiveMode waits for the router's first packet before it sends any (RFC
	// 5880 section 6.1). One of the two ends must not be passive.
	// Default: false.
	// +optional
	PassiveMode bool `json:"passiveMode,omitempty"`

	// minimumTtl is the least TTL that a packet may arrive with, over several hops
	// (RFC 5883): 254 is one router in between. Over a single hop it is always 255
	// (RFC 5881 section 5).
	// Default: 254, which with a peer's ebgpMultiHop stands for any. 1 to 254. Another
	// value bounds the hops of the BGP sessions with ebgpMultiHop too, and changing it
	// resets these.
	// +optional
	// +kubebuilder:default=254
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=254
	MinimumTTL *int32 `json:"minimumTtl,omitempty"`
}

// BFDProfileStatus says whether the profile can be used.
type BFDProfileStatus struct {
	// conditions: Accepted.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// BFDProfile is a way to watch the path to a router, for BGPPeers to name.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hbfd,categories=herald
// +kubebuilder:printcolumn:name="Receive",type=integer,JSONPath=`.spec.receiveInterval`
// +kubebuilder:printcolumn:name="Transmit",type=integer,JSONPath=`.spec.transmitInterval`
// +kubebuilder:printcolumn:name="Multiplier",type=integer,JSONPath=`.spec.detectMultiplier`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BFDProfile struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the operator wants.
	// +optional
	Spec BFDProfileSpec `json:"spec,omitempty"`
	// status is what Herald found.
	// +optional
	Status BFDProfileStatus `json:"status,omitempty"`
}

// BFDProfileList is a list of BFDProfiles.
// +kubebuilder:object:root=true
type BFDProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BFDProfile `json:"items"`
}
