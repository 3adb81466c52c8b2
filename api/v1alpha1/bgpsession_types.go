package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BGPSessionSpec says whose session it is. It never changes.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a BGPSession's node and peer never change: it is written by Herald's agents"
type BGPSessionSpec struct {
	// node is the name of the Node that has the session.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node"`
	// peer is the name of the BGPPeer.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Peer string `json:"peer"`
}

// SessionState is a state of the BGP finite state machine (RFC 4271 section
// 8.2.2), or Unknown while FRR does not answer.
// +kubebuilder:validation:Enum=Idle;Connect;Active;OpenSent;OpenConfirm;Established;Unknown
type SessionState string

// The states of a session.
const (
	SessionIdle        SessionState = "Idle"
	SessionConnect     SessionState = "Connect"
	SessionActive      SessionState = "Active"
	SessionOpenSent    SessionState = "OpenSent"
	SessionOpenConfirm SessionState = "OpenConfirm"
	SessionEstablished SessionState = "Established"
	SessionUnknown     SessionState = "Unknown"
)

// BGPSessionStatus is what FRR says of the session.
type BGPSessionStatus struct {
	// address is the router's address; for a peer behind an interface the link-local
	// one that FRR found there, absent until it has.
	// +optional
	Address string `json:"address,omitempty"`
	// interface of the node that the router is behind; absent where the BGPPeer has an
	// address.
	// +optional
	Interface string `json:"interface,omitempty"`
	// vrf that the session runs in; absent in the default VRF.
	// +optional
	VRF string `json:"vrf,omitempty"`
	// localASN is the AS number that the node uses on this session.
	// +optional
	LocalASN int64 `json:"localASN,omitempty"`
	// remoteASN is the router's AS number.
	// +optional
	RemoteASN int64 `json:"remoteASN,omitempty"`
	// state of the session.
	// +optional
	State SessionState `json:"state,omitempty"`
	// since is when the session last became Established or ceased to be.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// lastReset says why the session last went down.
	// +optional
	LastReset *SessionReset `json:"lastReset,omitempty"`
	// flaps is how often the session left Established since FRR started; absent
	// while FRR has not shown the session.
	// +optional
	Flaps *int64 `json:"flaps,omitempty"`
	// bfd is what BFD says of the path; absent where it doesn't watch it.
	// +optional
	BFD *SessionBFD `json:"bfd,omitempty"`
	// gracefulRestart says whether the router keeps the node's routes while FRR
	// restarts: Negotiated where both ends said in the OPEN that they take part.
	// Absent while the session is not Established.
	// +optional
	GracefulRestart GracefulRestart `json:"gracefulRestart,omitempty"`
	// restartNeeded are the fields of the BGPPeer whose value holds only from the
	// next OPEN on: until then the session runs with the one before. Absent where
	// there is none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	RestartNeeded []SessionParameter `json:"restartNeeded,omitempty"`
	// prefixes counts routes per family. Updated at most once a minute.
	// +optional
	Prefixes SessionPrefixes `json:"prefixes,omitempty"`
}

// GracefulRestart says whether graceful restart was negotiated (RFC 4724).
// +kubebuilder:validation:Enum=Negotiated;NotNegotiated
type GracefulRestart string

// The outcomes of the negotiation.
const (
	GracefulRestartNegotiated    GracefulRestart = "Negotiated"
	GracefulRestartNotNegotiated GracefulRestart = "NotNegotiated"
)

// SessionParameter is a field of a BGPPeer that is negotiated in the OPEN.
// +kubebuilder:validation:Enum=holdTime;keepaliveTime;enableGracefulRestart
type SessionParameter string

// The parameters that FRR changes without closing the session.
const (
	ParameterHoldTime        SessionParameter = "holdTime"
	ParameterKeepaliveTime   SessionParameter = "keepaliveTime"
	ParameterGracefulRestart SessionParameter = "enableGracefulRestart"
)

// BFDState is a state of BFD (RFC 5880 section 6.2).
// +kubebuilder:validation:Enum=AdminDown;Down;Init;Up
type BFDState string

// The states of BFD.
const (
	BFDAdminDown BFDState = "AdminDown"
	BFDDown      BFDState = "Down"
	BFDInit      BFDState = "Init"
	BFDUp        BFDState = "Up"
)

// SessionBFD is what BFD says of the path of a session.
type SessionBFD struct {
	// state of the path.
	State BFDState `json:"state"`
	// diagnostic says why the node last took the path for dead, remoteDiagnostic
	// why the router did, in FRR's words; absent where neither did.
	// +optional
	Diagnostic string `json:"diagnostic,omitempty"`
	// remoteDiagnostic: see diagnostic.
	// +optional
	RemoteDiagnostic string `json:"remoteDiagnostic,omitempty"`
}

// SessionReset is the last time a session went down.
type SessionReset struct {
	// reason in FRR's words, for example "Hold Timer Expired"; where FRR is not
	// running, or the node has no device of the VRF, it says that.
	Reason string `json:"reason"`
	// time of the reset.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// SessionPrefixes counts routes per family; a family that the session does not
// carry is absent.
type SessionPrefixes struct {
	// ipv4 unicast.
	// +optional
	IPv4 *PrefixCount `json:"ipv4,omitempty"`
	// ipv6 unicast.
	// +optional
	IPv6 *PrefixCount `json:"ipv6,omitempty"`
}

// PrefixCount counts the routes of one family on one session.
type PrefixCount struct {
	// sent to the router.
	Sent int64 `json:"sent"`
	// accepted from the router.
	Accepted int64 `json:"accepted"`
}

// BGPSession is the session of one node with one peer, written by the node's
// agent within 2 s of a change of state.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hsess,categories=herald
// +kubebuilder:selectablefield:JSONPath=`.spec.node`
// +kubebuilder:selectablefield:JSONPath=`.spec.peer`
// +kubebuilder:printcolumn:name="Node",type=string,JSONPath=`.spec.node`
// +kubebuilder:printcolumn:name="Peer",type=string,JSONPath=`.spec.peer`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.status.address`
// +kubebuilder:printcolumn:name="Interface",type=string,JSONPath=`.status.interface`,priority=1
// +kubebuilder:printcolumn:name="VRF",type=string,JSONPath=`.status.vrf`,priority=1
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.since`
// +kubebuilder:printcolumn:name="Flaps",type=integer,JSONPath=`.status.flaps`
// +kubebuilder:printcolumn:name="Sent4",type=integer,JSONPath=`.status.prefixes.ipv4.sent`
// +kubebuilder:printcolumn:name="Sent6",type=integer,JSONPath=`.status.prefixes.ipv6.sent`
// +kubebuilder:printcolumn:name="BFD",type=string,JSONPath=`.status.bfd.state`,priority=1
// +kubebuilder:printcolumn:name="GracefulRestart",type=string,JSONPath=`.status.gracefulRestart`,priority=1
// +kubebuilder:printcolumn:name="RestartNeeded",type=string,JSONPath=`.status.restartNeeded`,priority=1
// +kubebuilder:printcolumn:name="LastReset",type=string,JSONPath=`.status.lastReset.reason`,priority=1
type BGPSession struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says whose session it is.
	// +required
	Spec BGPSessionSpec `json:"spec"`
	// status is what FRR says of it.
	// +optional
	Status BGPSessionStatus `json:"status,omitempty"`
}

// BGPSessionList is a list of BGPSessions.
// +kubebuilder:object:root=true
type BGPSessionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BGPSession `json:"items"`
}
