package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FRRSnippetSpec is FRR configuration that no field covers. It can do to a node's
// routing whatever FRR can: who may write FRRSnippets decides where packets go.
type FRRSnippetSpec struct {
	// config is FRR configuration as one would type it, one command a line; blank
	// lines and comments ("!" or "#") are left out. It only adds: each node tries it
	// in scratch daemons first, and refuses it, with its line and FRR's words, where
	// FRR does, where it would change or remove any other line, and where it touches
	// what is Herald's own. The kinds of commands that it may hold are listed in
	// docs/kinds/frrsnippet.md.
	// At most 16384 characters. What it adds to a session of a BGPPeer may reset
	// that session, as the command does in FRR; nothing else does.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	Config string `json:"config"`

	// nodeSelectors are the nodes that get it: those that match at least one.
	// Default: all nodes. No session is reset by a change of it, but for what config
	// does.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	NodeSelectors []metav1.LabelSelector `json:"nodeSelectors,omitempty"`

	// priority orders the snippets of a node: the lowest first, those of one priority
	// by name. A later one must not change what an earlier one says.
	// Default: 100. 0 to 65535. No session is reset by a change of it.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	Priority *int32 `json:"priority,omitempty"`
}

// FRRSnippetStatus says where the snippet is in force.
type FRRSnippetStatus struct {
	// nodesSelected counts the nodes that spec.nodeSelectors match.
	// +optional
	NodesSelected int32 `json:"nodesSelected"`
	// nodesAccepted counts those of them whose FRR takes the snippet as it is now.
	// +optional
	NodesAccepted int32 `json:"nodesAccepted"`
	// conditions: Accepted.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// FRRSnippet is extra FRR configuration for nodes.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hsnip,categories=herald
// +kubebuilder:printcolumn:name="Priority",type=integer,JSONPath=`.spec.priority`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodesSelected`
// +kubebuilder:printcolumn:name="Taking",type=integer,JSONPath=`.status.nodesAccepted`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type FRRSnippet struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the operator wants.
	Spec FRRSnippetSpec `json:"spec"`
	// status is what Herald found.
	// +optional
	Status FRRSnippetStatus `json:"status,omitempty"`
}

// FRRSnippetList is a list of FRRSnippets.
// +kubebuilder:object:root=true
type FRRSnippetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []FRRSnippet `json:"items"`
}
