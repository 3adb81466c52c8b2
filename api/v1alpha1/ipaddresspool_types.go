package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// IPAddressPoolSpec says which addresses Services may get.
type IPAddressPoolSpec struct {
	// addresses are the blocks of the pool, each a CIDR in canonical form
	// ("203.0.113.0/24", "2001:db8:1::/120") or an inclusive range
	// ("203.0.113.10-203.0.113.20"). Both families may be mixed. Every address
	// of a block is handed out, the first and last of a CIDR included: they are
	// announced as host routes. Blocks must not overlap with each other or with
	// those of an older pool.
	// Required, 1 to 64 blocks. Changing it resets no BGP session. Services
	// whose address is no longer in any block get a new one.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Addresses []AddressBlock `json:"addresses"`

	// autoAssign says whether Services that do not ask for this pool may get
	// its addresses.
	// Default: true. Changing it moves no address that is already assigned and
	// resets no BGP session.
	// +optional
	// +kubebuilder:default=true
	AutoAssign *bool `json:"autoAssign,omitempty"`

	// exclude are blocks that are never handed out nor requestable although
	// they lie in addresses, written in the same way: those of gateways, say.
	// They don't count as the pool's, so that another pool may have them.
	// Default: none. At most 64 blocks. Changing it resets no BGP session.
	// Services that have an address which comes to be excluded get a new one.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Exclude []AddressBlock `json:"exclude,omitempty"`

	// avoidBuggyIPs keeps IPv4 addresses that end in .0 or .255 from being
	// handed out or requested: some old devices take them for a network's or
	// a broadcast address, whatever the prefix length. They count in no total.
	// Default: false. Changing it resets no BGP session. Services that have
	// such an address when it is switched on get a new one.
	// +optional
	AvoidBuggyIPs bool `json:"avoidBuggyIPs,omitempty"`

	// allowRequests says whether a Service may ask for this pool
	// (herald-lb.io/pool) or for one of its addresses (herald-lb.io/ips,
	// spec.loadBalancerIP).
	// Default: true. Changing it moves no address that is already assigned and
	// resets no BGP session.
	// +optional
	// +kubebuilder:default=true
	AllowRequests *bool `json:"allowRequests,omitempty"`

	// serviceAllocation says which Services may get addresses of this pool,
	// asked for or not, and in which order pools are tried.
	// Default: every Service, after all pools with a priority. Changing it
	// moves no address that is already assigned and resets no BGP session.
	// +optional
	ServiceAllocation *ServiceAllocation `json:"serviceAllocation,omitempty"`

	// disabled drains the pool: Services keep the addresses that they have, and
	// nobody gets another one, not even on request.
	// Default: false. Changing it moves no address that is already assigned and
	// resets no BGP session.
	// +optional
	Disabled bool `json:"disabled,omitempty"`
}

// ServiceAllocation binds a pool to Services. A Service must pass both the
// namespaces (namespaces and namespaceSelectors together: either will do) and
// the serviceSelectors. A list that is absent or empty restricts nothing; one
// that matches nothing lets nobody in.
type ServiceAllocation struct {
	// priority orders the pools that a Service may get an address of unasked:
	// the lowest first, pools of one priority by name.
	// Default: 0, which is none: after all pools that have one. 0 to
	// 2147483647. Resets no BGP session.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Priority int32 `json:"priority,omitempty"`

	// namespaces whose Services may have addresses of the pool, by name.
	// Default: no restriction. At most 64. Resets no BGP session.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Namespaces []NamespaceName `json:"namespaces,omitempty"`

	// namespaceSelectors: Services may have addresses of the pool if their
	// namespace's labels match at least one of these selectors. A malformed
	// selector matches nothing.
	// Default: no restriction. At most 64. Resets no BGP session.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	NamespaceSelectors []metav1.LabelSelector `json:"namespaceSelectors,omitempty"`

	// serviceSelectors: Services may have addresses of the pool if their labels
	// match at least one of these selectors. A malformed selector matches
	// nothing.
	// Default: no restriction. At most 64. Resets no BGP session.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	ServiceSelectors []metav1.LabelSelector `json:"serviceSelectors,omitempty"`
}

// NamespaceName is the name of a Namespace, an RFC 1123 label.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace: lower case letters, digits and '-' (RFC 1123); to choose by labels use namespaceSelectors"
type NamespaceName string

// AddressBlock is a CIDR in canonical form or an inclusive range "first-last".
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=90
// +kubebuilder:validation:XValidation:rule="isCIDR(self) || (self.split('-').size() == 2 && self.split('-').all(a, isIP(a.trim())))",message="must be a CIDR such as 203.0.113.0/24 or 2001:db8::/120, or a range such as 203.0.113.10-203.0.113.20"
// +kubebuilder:validation:XValidation:rule="!isCIDR(self) || cidr(self) == cidr(self).masked()",message="must be in canonical form: the address of a CIDR must have no bits set behind the prefix length (203.0.113.0/24, not 203.0.113.7/24)"
// +kubebuilder:validation:XValidation:rule="isCIDR(self) || !(self.split('-').size() == 2 && self.split('-').all(a, isIP(a.trim()))) || ip(self.split('-')[0].trim()).family() == ip(self.split('-')[1].trim()).family()",message="both ends of a range must be of the same family"
type AddressBlock string

// IPAddressPoolStatus is what the manager knows of the pool.
type IPAddressPoolStatus struct {
	// ipv4 counts the pool's IPv4 addresses.
	// +optional
	IPv4 *AddressCount `json:"ipv4,omitempty"`
	// ipv6 counts the pool's IPv6 addresses.
	// +optional
	IPv6 *AddressCount `json:"ipv6,omitempty"`
	// conditions: Accepted.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// AddressCount counts the addresses of one family. The values are decimal
// strings, because an IPv6 block can hold up to 2^128 addresses.
type AddressCount struct {
	// total is how many addresses the pool's blocks hold, without those that
	// exclude and avoidBuggyIPs leave out.
	Total string `json:"total"`
	// assigned is how many of them Services hold.
	Assigned string `json:"assigned"`
	// free is how many of them no Service holds.
	Free string `json:"free"`
}

// IPAddressPool is a set of addresses for Services of type LoadBalancer.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hpool,categories=herald
// +kubebuilder:printcolumn:name="Auto",type=boolean,JSONPath=`.spec.autoAssign`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].reason`
// +kubebuilder:printcolumn:name="Assigned4",type=string,JSONPath=`.status.ipv4.assigned`
// +kubebuilder:printcolumn:name="Free4",type=string,JSONPath=`.status.ipv4.free`
// +kubebuilder:printcolumn:name="Assigned6",type=string,JSONPath=`.status.ipv6.assigned`
// +kubebuilder:printcolumn:name="Free6",type=string,JSONPath=`.status.ipv6.free`
// +kubebuilder:printcolumn:name="Disabled",type=boolean,JSONPath=`.spec.disabled`,priority=1
// +kubebuilder:printcolumn:name="Priority",type=integer,JSONPath=`.spec.serviceAllocation.priority`,priority=1
// +kubebuilder:printcolumn:name="Addresses",type=string,JSONPath=`.spec.addresses`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IPAddressPool struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the operator wants.
	// +required
	Spec IPAddressPoolSpec `json:"spec"`
	// status is what Herald found.
	// +optional
	Status IPAddressPoolStatus `json:"status,omitempty"`
}

// IPAddressPoolList is a list of IPAddressPools.
// +kubebuilder:object:root=true
type IPAddressPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []IPAddressPool `json:"items"`
}
