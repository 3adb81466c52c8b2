package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CommunitySpec gives names to BGP communities. Nothing in it resets a session:
// the routes that carry an alias get its new value without being withdrawn.
type CommunitySpec struct {
	// communities are the aliases. Of two Communities that give different values
	// to one name the older one's holds. At least 1, at most 64.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Communities []CommunityAlias `json:"communities"`
}

// CommunityAlias is a name for a community.
type CommunityAlias struct {
	// name that BGPAdvertisements write in communities: a letter, then letters,
	// digits, "-", "_" and "."; not one of the well-known names.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9._-]*$')",message="must be a letter, then letters, digits, '-', '_' and '.'"
	// +kubebuilder:validation:XValidation:rule="!(self in ['no-export', 'no-advertise', 'local-AS', 'graceful-shutdown', 'blackhole', 'no-peer', 'internet', 'large'])",message="is a well-known name: choose another"
	Name string `json:"name"`

	// value of the community: as in a BGPAdvertisement's communities, but no
	// alias.
	// +required
	// +kubebuilder:validation:XValidation:rule="self in ['no-export', 'no-advertise', 'local-AS', 'graceful-shutdown', 'blackhole', 'no-peer'] || self.contains(':')",message="must be a community, not an alias"
	Value CommunityValue `json:"value"`
}

// CommunityStatus is what the manager knows of the aliases.
type CommunityStatus struct {
	// conditions: Accepted.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Community gives names to BGP communities, for BGPAdvertisements.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hcomm,categories=herald
// +kubebuilder:printcolumn:name="Aliases",type=string,JSONPath=`.spec.communities[*].name`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].reason`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Community struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the operator wants.
	// +required
	Spec CommunitySpec `json:"spec"`
	// status is what Herald found.
	// +optional
	Status CommunityStatus `json:"status,omitempty"`
}

// CommunityList is a list of Communities.
// +kubebuilder:object:root=true
type CommunityList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Community `json:"items"`
}
