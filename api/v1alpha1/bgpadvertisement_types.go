package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BGPAdvertisementSpec says which addresses are announced from which nodes to
// which peers, and with which attributes. No field of it ever resets a session,
// and changing an attribute updates the routes without withdrawing them.
type BGPAdvertisementSpec struct {
	// ipAddressPools are the names of the pools whose addresses are announced,
	// beside those that ipAddressPoolSelectors match.
	// Default: all pools, unless ipAddressPoolSelectors are set. At most 64.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	IPAddressPools []string `json:"ipAddressPools,omitempty"`

	// ipAddressPoolSelectors say by their labels which pools' addresses are
	// announced: of those that match at least one selector, and of those in
	// ipAddressPools. Editing a pool's labels moves its routes at once. Selectors
	// that match nothing select nothing.
	// Default: all pools, unless ipAddressPools are set. At most 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	IPAddressPoolSelectors []metav1.LabelSelector `json:"ipAddressPoolSelectors,omitempty"`

	// serviceSelectors say by their labels which Services' addresses are
	// announced: those that match at least one selector, of those that pass
	// namespaceSelectors and the pools. Editing a Service's labels moves its
	// routes at once. An address that Services share has what applies to any of
	// them. A malformed selector matches nothing.
	// Default: all Services. At most 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	ServiceSelectors []metav1.LabelSelector `json:"serviceSelectors,omitempty"`

	// namespaceSelectors say by their namespace's labels which Services'
	// addresses are announced: those whose namespace matches at least one
	// selector, of those that pass serviceSelectors and the pools. To select by
	// name use the label kubernetes.io/metadata.name. Editing a namespace's
	// labels moves the routes at once. A malformed selector matches nothing.
	// Default: all namespaces. At most 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	NamespaceSelectors []metav1.LabelSelector `json:"namespaceSelectors,omitempty"`

	// nodeSelectors say which nodes announce: those that match at least one
	// selector. Default: all nodes. At most 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	NodeSelectors []metav1.LabelSelector `json:"nodeSelectors,omitempty"`

	// peers are the names of the BGPPeers that the addresses are announced to,
	// beside those that peerSelectors match.
	// Default: all peers of the node, unless peerSelectors are set. At most 64.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Peers []string `json:"peers,omitempty"`

	// peerSelectors say by their labels which BGPPeers the addresses are announced
	// to: those that match at least one selector, and those in peers. Editing a
	// BGPPeer's labels moves the routes at once and resets no session. Selectors
	// that match nothing, and malformed ones, select nothing.
	// Default: all peers of the node, unless peers are set. At most 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	PeerSelectors []metav1.LabelSelector `json:"peerSelectors,omitempty"`

	// aggregationLength is the prefix length of the IPv4 routes: 32 announces each
	// address by itself, a shorter one the aggregate of that length that holds it,
	// for as long as an address in it is announced. Packets to an address of the
	// aggregate that no Service has are dropped at the node, by a discard route;
	// for that, processes in the node's own network (hostNetwork) can't connect to
	// any address of the aggregate, while pods can.
	// For Services with externalTrafficPolicy: Local each address is announced by
	// itself, whatever the length: an aggregate would attract packets that the
	// node must not serve. An aggregate must lie within the block of the pool that
	// holds the address: a shorter length than the block's is refused there. For
	// the aggregate and its addresses use two advertisements.
	// Default: 32. 1 to 32. Changing it resets no session: new routes are
	// announced, and those that it replaces withdrawn.
	// +optional
	// +kubebuilder:default=32
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	AggregationLength *int32 `json:"aggregationLength,omitempty"`

	// aggregationLengthV6 is the same of IPv6 routes.
	// Default: 128. 1 to 128. Changing it resets no session.
	// +optional
	// +kubebuilder:default=128
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	AggregationLengthV6 *int32 `json:"aggregationLengthV6,omitempty"`

	// communities are sent with the routes: standard ones as "ASN:VALUE", each
	// half 0 to 65535 but not 0:0 (RFC 1997), large ones as "ASN:DATA1:DATA2" or
	// "large:ASN:DATA1:DATA2", each part 0 to 4294967295 (RFC 8092), a well-known
	// name (no-export, no-advertise, local-AS, graceful-shutdown, blackhole,
	// no-peer), or the name of an alias in a Community. Those of several
	// advertisements on one route and peer are united.
	// Default: none. At most 64.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Communities []CommunityValue `json:"communities,omitempty"`

	// localPref is the LOCAL_PREF of the routes, 0 to 4294967295: within the own
	// AS a router prefers the higher one (RFC 4271 section 5.1.5). It is sent to
	// iBGP peers only and has no effect on eBGP ones. Of several advertisements
	// that set it on one route and peer the oldest wins.
	// Default: FRR's, 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	LocalPref *int64 `json:"localPref,omitempty"`

	// med is the MULTI_EXIT_DISC of the routes, 0 to 4294967295: of routes from
	// one neighboring AS a router prefers the lower one (RFC 4271 section 5.1.4).
	// Of several advertisements that set it on one route and peer the oldest wins.
	// Default: FRR's, 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MED *int64 `json:"med,omitempty"`

	// asPathPrepend is how many times more the own AS number stands in the routes'
	// AS path, 0 to 10: routers prefer shorter paths. It has no effect on iBGP
	// peers. Of several advertisements that set it on one route and peer the oldest
	// wins; 0 is a value too.
	// Default: none.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	ASPathPrepend *int32 `json:"asPathPrepend,omitempty"`

	// nextHop is the next hop of the routes, for routers that are to send the
	// traffic elsewhere than to the node, such as an anycast address of all nodes.
	// Of several advertisements that set it on one route and peer the oldest wins.
	// Default: the node's address on the session's interface.
	// +optional
	NextHop *NextHop `json:"nextHop,omitempty"`

	// weight lets routers that weigh next hops send a node as much traffic as it has
	// endpoints for: LocalEndpoints gives each address's route the link bandwidth
	// (extended community, draft-ietf-idr-link-bandwidth) of 100 Mbit/s for each
	// ready endpoint of its Services on the node, at most 256 of them and at least
	// one. Aggregates have none. Of several advertisements on one route and peer one
	// is enough. With None a route has it only by another advertisement.
	// Default: None.
	// +optional
	// +kubebuilder:default=None
	Weight Weight `json:"weight,omitempty"`
}

// Weight is what routers are to weigh a node's routes by.
// +kubebuilder:validation:Enum=None;LocalEndpoints
type Weight string

// The weights.
const (
	WeightNone           Weight = "None"
	WeightLocalEndpoints Weight = "LocalEndpoints"
)

// NextHop is the next hop of routes, for each family.
//
// +kubebuilder:validation:XValidation:rule="has(self.ipv4) || has(self.ipv6)",message="at least one of ipv4 and ipv6 must be set"
type NextHop struct {
	// ipv4 is the next hop of IPv4 routes, in canonical form. Default: the node's.
	// +optional
	// +kubebuilder:validation:MinLength=7
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip(self).family() == 4 && !(ip(self).isUnspecified() || ip(self).isLoopback() || ip(self).isLinkLocalUnicast() || cidr('224.0.0.0/3').containsIP(self))",message="must be a global or private IPv4 unicast address, for example 192.0.2.11"
	IPv4 string `json:"ipv4,omitempty"`
	// ipv6 is the next hop of IPv6 routes, in canonical form. Default: the node's.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=39
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip(self).family() == 6 && ip.isCanonical(self) && !(ip(self).isUnspecified() || ip(self).isLoopback() || ip(self).isLinkLocalUnicast() || cidr('ff00::/8').containsIP(self))",message="must be a global or private IPv6 unicast address in canonical form (RFC 5952), for example 2001:db8::11"
	IPv6 string `json:"ipv6,omitempty"`
}

// CommunityValue is a BGP community, standard or large, or an alias for one.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=90
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9._-]*$') || self.matches('^(0|[1-9][0-9]{0,4}):(0|[1-9][0-9]{0,4})$') && self.split(':').all(h, int(h) <= 65535) || self.matches('^(large:)?(0|[1-9][0-9]{0,9}):(0|[1-9][0-9]{0,9}):(0|[1-9][0-9]{0,9})$') && self.split(':').all(h, h == 'large' || int(h) <= 4294967295)",message="must be ASN:VALUE with each half from 0 to 65535 (RFC 1997), ASN:DATA1:DATA2 with each part from 0 to 4294967295 (RFC 8092), both without leading zeros, or a name: one of no-export, no-advertise, local-AS, graceful-shutdown, blackhole, no-peer, or an alias in a Community"
// +kubebuilder:validation:XValidation:rule="self != '0:0'",message="0:0 is reserved (RFC 1997) and FRR's versions read it differently: use another value"
type CommunityValue string

// BGPAdvertisementStatus is what the manager knows of the advertisement.
type BGPAdvertisementStatus struct {
	// conditions: Accepted.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// BGPAdvertisement announces the addresses of pools to peers.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hadv,categories=herald
// +kubebuilder:printcolumn:name="Pools",type=string,JSONPath=`.spec.ipAddressPools`
// +kubebuilder:printcolumn:name="Peers",type=string,JSONPath=`.spec.peers`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Communities",type=string,JSONPath=`.spec.communities`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].reason`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BGPAdvertisement struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the operator wants.
	// +optional
	Spec BGPAdvertisementSpec `json:"spec,omitempty"`
	// status is what Herald found.
	// +optional
	Status BGPAdvertisementStatus `json:"status,omitempty"`
}

// BGPAdvertisementList is a list of BGPAdvertisements.
// +kubebuilder:object:root=true
type BGPAdvertisementList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BGPAdvertisement `json:"items"`
}
