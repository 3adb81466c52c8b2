package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BGPNodeStatus is what a node's agent and reloader say of the node.
type BGPNodeStatus struct {
	// desiredHash is the SHA-256 of the configuration that the agent wants.
	// +optional
	DesiredHash string `json:"desiredHash,omitempty"`
	// appliedHash is the SHA-256 of the configuration that FRR runs.
	// +optional
	AppliedHash string `json:"appliedHash,omitempty"`
	// lastApply is the last attempt to give FRR a configuration.
	// +optional
	LastApply *ApplyStatus `json:"lastApply,omitempty"`
	// frrVersion is the version that FRR answers with.
	// +optional
	FRRVersion string `json:"frrVersion,omitempty"`
	// routes counts the prefixes that the node announces.
	// +optional
	Routes *RouteCount `json:"routes,omitempty"`
	// issues are the objects that this node refuses, wholly or in part.
	// At most 64 are listed: first those of the node as a whole, then refused objects,
	// objects of which something has no effect, and single Services.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Issues []NodeIssue `json:"issues,omitempty"`
	// issuesLeftOut counts by reason those that are beyond the 64. Absent where there
	// is none. A change of the counts alone is written at most once a minute.
	// +optional
	// +listType=map
	// +listMapKey=reason
	// +kubebuilder:validation:MaxItems=64
	IssuesLeftOut []IssueCount `json:"issuesLeftOut,omitempty"`
	// snippets are the FRRSnippets that the node has, in their order. Why one is
	// refused is among the issues.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Snippets []NodeSnippet `json:"snippets,omitempty"`
	// heldBack are the Services that the node announces as soon as its dataplane
	// serves them: kube-proxy answers, for the first time since the node's boot.
	// Absent while none has waited for 5 s. Updated at most once a minute.
	// +optional
	HeldBack *HeldBack `json:"heldBack,omitempty"`
	// drain is how far the node's drain is; absent while it doesn't drain.
	// +optional
	Drain *DrainStatus `json:"drain,omitempty"`
	// relay is what the node does for connections that are displaced. Absent while the
	// relay doesn't report.
	// +optional
	Relay *NodeRelay `json:"relay,omitempty"`
	// conditions: Programmed, Ready, Draining, SafeToShutdown, RelayReady.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DrainStage is how far a node's drain is.
// +kubebuilder:validation:Enum=GracefulShutdown;Withdrawing;Serving;Drained
type DrainStage string

// The stages of a drain, in their order.
const (
	// DrainGracefulShutdown: the routes say GRACEFUL_SHUTDOWN (RFC 8326), and the
	// routers get time to prefer others.
	DrainGracefulShutdown DrainStage = "GracefulShutdown"
	// DrainWithdrawing: the routes are withdrawn, and the routers get time to see it.
	DrainWithdrawing DrainStage = "Withdrawing"
	// DrainServing: nothing new comes; the node serves the connections that it owns,
	// or Services that no other node is known to announce.
	DrainServing DrainStage = "Serving"
	// DrainDrained: nothing is lost any more when the node goes.
	DrainDrained DrainStage = "Drained"
)

// DrainStatus is how far a node's drain is.
type DrainStatus struct {
	// stage: GracefulShutdown, Withdrawing, Serving or Drained.
	Stage DrainStage `json:"stage"`
	// since is when the drain began.
	Since metav1.Time `json:"since"`
	// trigger: what drains the node, for example "annotation herald-lb.io/drain".
	Trigger string `json:"trigger"`
	// reason that the trigger gives, in words.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// connections that the node still owns; absent where they aren't counted. Updated
	// at most once a minute, and at once when none is left.
	// +optional
	Connections *int64 `json:"connections,omitempty"`
	// lastHolderOf are Services that the node goes on announcing, as no other node
	// is known to.
	// +optional
	LastHolderOf *HeldServices `json:"lastHolderOf,omitempty"`
}

// HeldServices are Services that a draining node goes on announcing.
type HeldServices struct {
	// total number of them.
	Total int32 `json:"total"`
	// services by namespace and name ("shop/web"). At most 64 are named.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Services []string `json:"services,omitempty"`
}

// HeldBack are Services that wait for a node's dataplane.
type HeldBack struct {
	// total number of them.
	Total int32 `json:"total"`
	// services by namespace and name ("shop/web"). At most 64 are named.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Services []string `json:"services,omitempty"`
}

// RouteCount counts prefixes per family.
type RouteCount struct {
	// ipv4 prefixes.
	// +optional
	IPv4 int64 `json:"ipv4"`
	// ipv6 prefixes.
	// +optional
	IPv6 int64 `json:"ipv6"`
}

// ApplyStatus is one attempt to give FRR a configuration.
type ApplyStatus struct {
	// method: the steps that were taken, for example "vty", "vty+frr-reload".
	// +optional
	Method string `json:"method,omitempty"`
	// durationMilliseconds is how long it took.
	// +optional
	DurationMilliseconds int64 `json:"durationMilliseconds"`
	// outcome: Applied or Failed.
	Outcome ApplyOutcome `json:"outcome"`
	// error in FRR's own words, when it failed.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Error string `json:"error,omitempty"`
	// time of the attempt.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// ApplyOutcome is how an attempt to apply a configuration ended.
// +kubebuilder:validation:Enum=Applied;Failed
type ApplyOutcome string

// The outcomes of an apply.
const (
	ApplyApplied ApplyOutcome = "Applied"
	ApplyFailed  ApplyOutcome = "Failed"
)

// NodeIssue is an object, or a part of one, that a node refuses.
type NodeIssue struct {
	// kind of the object.
	Kind string `json:"kind"`
	// namespace of the object, empty for cluster-scoped Kinds.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// name of the object.
	Name string `json:"name"`
	// reason, one of the closed list of condition reasons.
	Reason string `json:"reason"`
	// message: cause and remedy.
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// IssueCount counts issues of one reason.
type IssueCount struct {
	// reason of them all.
	Reason string `json:"reason"`
	// count of issues, at least 1.
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count"`
}

// NodeSnippet says what became of a FRRSnippet on a node.
type NodeSnippet struct {
	// name of the FRRSnippet.
	Name string `json:"name"`
	// generation of it that this is about.
	Generation int64 `json:"generation"`
	// state: Accepted, Refused, or Pending while it is tried; what an earlier
	// generation did stays meanwhile.
	State NodeSnippetState `json:"state"`
}

// NodeSnippetState is what became of a FRRSnippet on a node.
// +kubebuilder:validation:Enum=Accepted;Refused;Pending
type NodeSnippetState string

// The states of a FRRSnippet on a node.
const (
	NodeSnippetAccepted NodeSnippetState = "Accepted"
	NodeSnippetRefused  NodeSnippetState = "Refused"
	NodeSnippetPending  NodeSnippetState = "Pending"
)

// BGPNode is the state of Herald on one node; it has the Node's name.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hnode,categories=herald
// +kubebuilder:printcolumn:name="Programmed",type=string,JSONPath=`.status.conditions[?(@.type=="Programmed")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Routes4",type=integer,JSONPath=`.status.routes.ipv4`
// +kubebuilder:printcolumn:name="Routes6",type=integer,JSONPath=`.status.routes.ipv6`
// +kubebuilder:printcolumn:name="FRR",type=string,JSONPath=`.status.frrVersion`
// +kubebuilder:printcolumn:name="Drain",type=string,JSONPath=`.status.drain.stage`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Programmed")].reason`
// +kubebuilder:printcolumn:name="Hash",type=string,JSONPath=`.status.appliedHash`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BGPNode struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// status is what the agent and the reloader say.
	// +optional
	Status BGPNodeStatus `json:"status,omitempty"`
}

// BGPNodeList is a list of BGPNodes.
// +kubebuilder:object:root=true
type BGPNodeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BGPNode `json:"items"`
}
