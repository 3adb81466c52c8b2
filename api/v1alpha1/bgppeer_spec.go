package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BGPPeerSpec is a router that the selected nodes open a BGP session with.
//
// +kubebuilder:validation:XValidation:rule="!has(self.keepaliveTime) || !has(self.holdTime) || !self.keepaliveTime.matches('^([0-9]{1,5}[hms])+$') || !self.holdTime.matches('^([0-9]{1,5}[hms])+$') || duration(self.keepaliveTime) <= duration(self.holdTime)",message="keepaliveTime must not be longer than holdTime: the session would expire between two keepalives; a third of holdTime is usual"
// +kubebuilder:validation:XValidation:rule="!has(self.keepaliveTime) || has(self.holdTime)",message="keepaliveTime needs holdTime: FRR takes both or neither; set holdTime too, three times keepaliveTime is usual"
// +kubebuilder:validation:XValidation:rule="has(self.peerASN) != has(self.dynamicASN)",message="exactly one of peerASN and dynamicASN must be set: the router's AS number, or internal or external to take any"
// +kubebuilder:validation:XValidation:rule="!has(self.ebgpMultiHop) || !self.ebgpMultiHop || (has(self.peerASN) ? !has(self.myASN) || self.myASN != self.peerASN : !has(self.dynamicASN) || self.dynamicASN != 'internal')",message="ebgpMultiHop is for eBGP only: leave it out where myASN equals peerASN or dynamicASN is internal, an iBGP session may be any number of hops long"
// +kubebuilder:validation:XValidation:rule="!has(self.ttlSecurityHops) || (has(self.peerASN) ? !has(self.myASN) || self.myASN != self.peerASN : !has(self.dynamicASN) || self.dynamicASN != 'internal')",message="ttlSecurityHops is for eBGP only: leave it out where myASN equals peerASN or dynamicASN is internal"
// +kubebuilder:validation:XValidation:rule="!has(self.ttlSecurityHops) || !has(self.ebgpMultiHop) || !self.ebgpMultiHop",message="ttlSecurityHops and ebgpMultiHop exclude each other: ttlSecurityHops says by itself how far away the router may be"
// +kubebuilder:validation:XValidation:rule="!has(self.localASN) || (!has(self.myASN) || self.localASN != self.myASN) && (!has(self.peerASN) || self.localASN != self.peerASN && (!has(self.myASN) || self.myASN != self.peerASN)) && (!has(self.dynamicASN) || self.dynamicASN != 'internal')",message="localASN is for eBGP only and must be neither myASN nor peerASN: it is the AS number that this router sees in place of myASN"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.peerAddress) || !isIP(self.sourceAddress) || !isIP(self.peerAddress) || ip(self.sourceAddress).family() == ip(self.peerAddress).family()",message="sourceAddress must be of the family of peerAddress: the session runs between the two"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.peerAddress) || self.sourceAddress != self.peerAddress",message="sourceAddress must not be peerAddress: it is an address of the node, the other one is the router's"
// +kubebuilder:validation:XValidation:rule="has(self.myASN) != has(self.myASNFrom)",message="exactly one of myASN and myASNFrom must be set: the nodes' AS number, or where each node says its own"
// +kubebuilder:validation:XValidation:rule="[has(self.peerAddress), has(self.peerAddressFrom), has(self.defaultGateway), has(self.interface)].filter(x, x).size() == 1",message="exactly one of peerAddress, peerAddressFrom, defaultGateway and interface must be set: the router's address, where each node has its router's, the family of the node's default gateway, or the interface that the router is behind"
// +kubebuilder:validation:XValidation:rule="!has(self.extendedNextHop) || !self.extendedNextHop || has(self.interface) || has(self.addressFamilies) && 'IPv4' in self.addressFamilies && (!has(self.peerAddress) || !isIP(self.peerAddress) || ip(self.peerAddress).family() == 6) && (!has(self.defaultGateway) || self.defaultGateway == 'ipv6')",message="extendedNextHop is for IPv4 routes over a session between IPv6 addresses: it needs IPv4 in addressFamilies and a router with an IPv6 address"
// +kubebuilder:validation:XValidation:rule="!has(self.extendedNextHop) || !self.extendedNextHop || !has(self.interface)",message="extendedNextHop must not be set with interface: such a session has it anyway"
// +kubebuilder:validation:XValidation:rule="!has(self.interface) || !has(self.sourceAddress) && !has(self.sourceAddressFrom)",message="sourceAddress and sourceAddressFrom must not be set with interface: such a session runs between link-local addresses"
// +kubebuilder:validation:XValidation:rule="!has(self.interface) || !has(self.ebgpMultiHop) || !self.ebgpMultiHop",message="ebgpMultiHop must not be set with interface: what is behind an interface is one hop away"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.defaultGateway) || !isIP(self.sourceAddress) || ip(self.sourceAddress).family() == (self.defaultGateway == 'ipv4' ? 4 : 6)",message="sourceAddress must be of the family of defaultGateway: the session runs between the two"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.sourceAddressFrom)",message="at most one of sourceAddress and sourceAddressFrom may be set"
// +kubebuilder:validation:XValidation:rule="!has(self.routerID) || !has(self.routerIDFrom)",message="at most one of routerID and routerIDFrom may be set"
// +kubebuilder:validation:XValidation:rule="!has(self.vrf) || !has(self.defaultGateway)",message="defaultGateway must not be set with vrf: it is that of the default VRF; name the router's address"
type BGPPeerSpec struct {
	// myASN is the nodes' own autonomous system number (RFC 4271, RFC 6793).
	// 1 to 4294967295; exactly one of myASN and myASNFrom must be set. All peers
	// of one node in one VRF must agree on it. Equal to peerASN: iBGP; otherwise eBGP.
	// Changing it resets the sessions of the selected nodes.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	MyASN int64 `json:"myASN,omitempty"`

	// myASNFrom says where each node has its own AS number, where they differ: a
	// label or annotation of the Node, 1 to 4294967295 in decimal. A node without
	// it, or with another value, has no session with this peer, and the peer's
	// condition Accepted says so. Default: none, myASN. Changing it, or a node's
	// value, resets the sessions of the nodes concerned.
	// +optional
	MyASNFrom *NodeValueSource `json:"myASNFrom,omitempty"`

	// peerASN is the router's autonomous system number.
	// 1 to 4294967295; exactly one of peerASN and dynamicASN must be set. Changing
	// it resets this peer's sessions.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	PeerASN int64 `json:"peerASN,omitempty"`

	// dynamicASN takes the AS number that the router's OPEN has (RFC 4271 section
	// 4.2): "internal" only myASN (iBGP), "external" any other (eBGP). For routers
	// whose number the nodes need not know; peerASN is safer, it refuses a wrong
	// router. Default: none. Changing it resets this peer's sessions.
	// +optional
	DynamicASN DynamicASN `json:"dynamicASN,omitempty"`

	// localASN is the AS number that this router sees in place of myASN, in the
	// session as in the AS path (FRR: local-as no-prepend replace-as). For eBGP
	// only, neither myASN nor peerASN. Default: myASN. 1 to 4294967295. Changing it
	// resets this peer's sessions.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	LocalASN int64 `json:"localASN,omitempty"`

	// peerAddress is the router's address, IPv4 or IPv6, in canonical form.
	// Exactly one of peerAddress, peerAddressFrom, defaultGateway and interface must be
	// set.
	// Changing it closes this peer's sessions and opens new ones.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip.isCanonical(self)",message="must be an IPv4 or IPv6 address in canonical form (RFC 5952), for example 192.0.2.1 or 2001:db8::1"
	// +kubebuilder:validation:XValidation:rule="!isIP(self) || !(ip(self).isUnspecified() || ip(self).isLoopback() || ip(self).isLinkLocalMulticast() || ip(self).isLinkLocalUnicast() || cidr(ip(self).family() == 4 ? '224.0.0.0/3' : 'ff00::/8').containsIP(self))",message="must be a global or private unicast address: an unspecified, loopback, link-local, multicast or broadcast address can't be a BGP peer here"
	PeerAddress string `json:"peerAddress,omitempty"`

	// peerAddressFrom says where each node has its router's address, where they
	// differ: a label or annotation of the Node, or the other end of a
	// point-to-point link. A node without it, or with something else than an
	// address, has no session with this peer, and the peer's condition Accepted
	// says so. Default: none, peerAddress. Changing it,
	// or a node's value, closes the sessions of the nodes concerned and opens new
	// ones.
	// +optional
	PeerAddressFrom *NodeAddressSource `json:"peerAddressFrom,omitempty"`

	// defaultGateway makes each node's own default gateway its router: the next hop
	// of the default route of that family in the node's main routing table, as the
	// kernel has it. It is followed: another gateway is another session. A node
	// without one, with several next hops at the lowest metric, or with a
	// link-local one, has no session with this peer, and the peer's condition
	// Accepted says so. A default route from FRR's own BGP doesn't count.
	// Default: none. Changing it closes this peer's sessions and opens new ones.
	// +optional
	DefaultGateway GatewayFamily `json:"defaultGateway,omitempty"`

	// interface is the name of the nodes' interface that the router is behind, for
	// sessions without addresses ("unnumbered"): the two ends find each other's
	// link-local address by router advertisements, which FRR sends there, never as a
	// default router. Point-to-point links only, with one router behind. IPv4
	// routes have the link-local address as next hop (RFC 8950), so that the link
	// needs no IPv4 addresses; the router must do the same. With vrf, the interface
	// must be in it. A node without the interface has no session with this peer, and
	// the peer's condition Accepted says so. 1 to 15 letters, digits, "-", "_" and
	// ".", a letter or digit first; neither an address nor a number.
	// Default: none. Changing it closes this peer's sessions and opens new ones.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][-A-Za-z0-9_.]*$') && !isIP(self) && !self.matches('^[0-9]+$')",message="must be the name of an interface, for example eth1: letters, digits, -, _ and ., a letter or digit first, and neither an address nor a number"
	Interface string `json:"interface,omitempty"`

	// vrf is the name of the VRF on the node that the session runs in: the name of
	// its device (ip link add NAME type vrf table N), which the nodes must have
	// themselves. Addresses of peers in different VRFs are independent of each
	// other; so are the nodes' AS number and router-id. Services are announced in
	// each VRF in which a peer lives that an advertisement selects. On a node
	// without the device the session stays Idle, and the BGPNode says so
	// (VRFNotFound); it comes up with the device. 1 to 15 letters, digits, "-",
	// "_" and ".", a letter or digit first; not "default" or "all".
	// Default: the default VRF. Changing it closes this peer's sessions and opens
	// new ones.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9._-]*$') && !(self in ['default', 'all'])",message="must be the name of a VRF device: letters, digits, -, _ and ., a letter or digit first, and neither default nor all; leave it out for the default VRF"
	VRF string `json:"vrf,omitempty"`

	// peerPort is the TCP port that the router listens on.
	// Default: 179. 1 to 65535. Changing it resets this peer's sessions.
	// +optional
	// +kubebuilder:default=179
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	PeerPort *int32 `json:"peerPort,omitempty"`

	// addressFamilies are the families of the routes that the session carries,
	// whatever family its addresses are of (RFC 4760). Next hop of routes of the
	// other family is an address of the node on the interface that the session
	// runs over, so that such routes need a node with an InternalIP of that
	// family; on a node without one they are left out, and it says so. See
	// extendedNextHop.
	// Default: the family of peerAddress; with interface both, and no address is
	// needed. Changing it resets this peer's sessions: families are agreed on in the
	// OPEN.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	AddressFamilies []AddressFamily `json:"addressFamilies,omitempty"`

	// extendedNextHop gives the IPv4 routes of a session between IPv6 addresses IPv6
	// next hops (RFC 8950), so that neither the node nor the link needs an IPv4
	// address. Needs IPv4 in addressFamilies. The router must do the same: where it
	// doesn't, the next hop is the node's IPv4 address on the link, and the routes are
	// of no use on a node without one; the peer's condition Accepted says so. With
	// interface that is so anyway. Default: false. Changing it resets this peer's
	// sessions.
	// +optional
	ExtendedNextHop bool `json:"extendedNextHop,omitempty"`

	// ebgpMultiHop says that the router is more than one hop away: packets of the
	// session are sent with a TTL of 254 and the router needn't be on a subnet of
	// the node. For eBGP only; iBGP may always be several hops long.
	// Default: false, the router is on a subnet of the node. Changing it resets
	// this peer's sessions.
	// +optional
	EBGPMultiHop bool `json:"ebgpMultiHop,omitempty"`

	// ttlSecurityHops is how many hops the router may be away, by the TTL of its
	// packets (GTSM, RFC 5082): packets of the session are sent with a TTL of 255,
	// and of the router's those with less than 256 minus ttlSecurityHops are
	// dropped. The router must do the same, else the session stays down. For eBGP
	// only, and not with ebgpMultiHop. Default: no such check. 1 to 254. Changing
	// it resets this peer's sessions.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=254
	TTLSecurityHops *int32 `json:"ttlSecurityHops,omitempty"`

	// sourceAddress is the address that the node opens the session from, of the
	// family of peerAddress, in canonical form. It must be an address of every
	// selected node, so that one without nodeSelectors fits only an address that
	// all nodes have. Herald knows a node's InternalIPs only and can't check
	// others: with an address that the node doesn't have the session stays down.
	// Default: the address of the interface that leads to the router. Changing
	// it resets this peer's sessions.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip.isCanonical(self)",message="must be an IPv4 or IPv6 address in canonical form (RFC 5952), for example 192.0.2.11 or 2001:db8::11"
	// +kubebuilder:validation:XValidation:rule="!isIP(self) || !(ip(self).isUnspecified() || ip(self).isLoopback() || ip(self).isLinkLocalMulticast() || ip(self).isLinkLocalUnicast() || cidr(ip(self).family() == 4 ? '224.0.0.0/3' : 'ff00::/8').containsIP(self))",message="must be a global or private unicast address of the node"
	SourceAddress string `json:"sourceAddress,omitempty"`

	// sourceAddressFrom says which of its addresses each node opens the session
	// from: a label or annotation of the Node, an interface or a CIDR. A node
	// without it, or with something else than an address of the family of the
	// router's, has no session
	// with this peer, and the peer's condition Accepted says so. Not together with
	// sourceAddress. Default: none. Changing it, or a node's value, resets this
	// peer's sessions on the nodes concerned.
	// +optional
	SourceAddressFrom *NodeAddressSource `json:"sourceAddressFrom,omitempty"`

	// holdTime is the longest silence before the session is given up (RFC 4271
	// section 4.2), in whole seconds, for example "90s". The smaller value of the
	// two ends is used. "0s" switches keepalives off.
	// Default: FRR's, 180s. 0s or 3s to 65535s. Changing it does not reset the session: it is
	// negotiated with the next OPEN.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}[hms])+$')",message="must be whole seconds in hours, minutes and seconds, such as 90s or 1m30s: BGP counts in seconds"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}[hms])+$') || (duration(self) == duration('0s') || (duration(self) >= duration('3s') && duration(self) <= duration('65535s')))",message="must be 0s (no keepalives) or from 3s to 65535s (RFC 4271 section 4.2)"
	HoldTime *metav1.Duration `json:"holdTime,omitempty"`

	// keepaliveTime is the interval of keepalives (RFC 4271 section 4.4), in
	// whole seconds. Needs holdTime.
	// Default: a third of holdTime, and never used longer than that. 1s to
	// 65535s, not more than holdTime.
	// Changing it does not reset the session: it is taken up with the next OPEN.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}[hms])+$')",message="must be whole seconds in hours, minutes and seconds, such as 90s or 1m30s: BGP counts in seconds"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}[hms])+$') || duration(self) >= duration('0s') && duration(self) <= duration('65535s')",message="must be from 0s to 65535s"
	KeepaliveTime *metav1.Duration `json:"keepaliveTime,omitempty"`

	// connectTime is the time between two attempts to connect (RFC 4271 section
	// 8, ConnectRetryTimer), in whole seconds.
	// Default: FRR's, 120s. 1s to 65535s. Changing it does not reset the session.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}[hms])+$')",message="must be whole seconds in hours, minutes and seconds, such as 90s or 1m30s: BGP counts in seconds"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}[hms])+$') || duration(self) >= duration('1s') && duration(self) <= duration('65535s')",message="must be from 1s to 65535s"
	ConnectTime *metav1.Duration `json:"connectTime,omitempty"`

	// receive is which of the router's routes the nodes take. Default: none of them.
	// What is taken is installed in the node's routing table, and never sent on to
	// another peer. Changing it does not reset the session: the router is asked to
	// send its routes again (RFC 2918).
	// +optional
	Receive *ReceivePolicy `json:"receive,omitempty"`

	// maximumPrefixes is how many routes of each family the nodes take from the
	// router, counted after receive. One more closes the session (RFC 4486 section
	// 3), and with it the node announces nothing to this router; it is tried again
	// after 5 minutes, also where maximumPrefixes is raised meanwhile.
	// Default: any number. 1 to 4294967295. Changing it does not reset the session,
	// unless it has more than that.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	MaximumPrefixes int64 `json:"maximumPrefixes,omitempty"`

	// routerID is the BGP identifier of the selected nodes (RFC 6286), written
	// as an IPv4 address. All peers of one node in one VRF must agree on it: one that
	// names none follows those that do.
	// Default: the node's IPv4 InternalIP; on a node without one, a stable hash
	// of its name. Changing it resets all sessions of the node.
	// +optional
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip(self).family() == 4 && !ip(self).isUnspecified()",message="must be a non-zero IPv4 address in dotted form: the BGP identifier has 32 bits (RFC 6286)"
	RouterID string `json:"routerID,omitempty"`

	// routerIDFrom says where each node has its BGP identifier: a label or
	// annotation of the Node with an IPv4 address, or that of an interface or in a
	// CIDR. A node without it, or with
	// something else, has no session with this peer, and the peer's condition
	// Accepted says so. Not together with routerID. Default: none. Changing it, or
	// a node's value, resets all sessions of the nodes concerned.
	// +optional
	RouterIDFrom *NodeAddressSource `json:"routerIDFrom,omitempty"`

	// passwordSecret names the Secret with the TCP MD5 password (RFC 2385) of
	// the session: type kubernetes.io/basic-auth, key "password", in the
	// namespace of Herald's secrets (herald-secrets by default). While it is
	// missing or malformed the peer is withheld, never brought up without its
	// password. A password has 1 to 80 printable ASCII characters without space,
	// and doesn't end with "?".
	// Default: no password. Changing the password resets this peer's sessions:
	// FRR closes a session whose key changes.
	// +optional
	PasswordSecret *SecretReference `json:"passwordSecret,omitempty"`

	// bfdProfile names the BFDProfile by which BFD watches the path to the router,
	// so that the session goes down within its detection time and not after
	// holdTime only. The router must run BFD too; until it does the session runs
	// unwatched, and so it does while there is no such BFDProfile.
	// Default: no BFD. Adding it or another profile does not reset the session.
	// Removing it does: whichever end stops first, the other one takes its silence
	// for a failure and closes the session.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	BFDProfile string `json:"bfdProfile,omitempty"`

	// enableGracefulRestart asks the router to keep the node's routes while FRR
	// restarts (RFC 4724), for at most 120 s: connections then survive an upgrade
	// or a crash of FRR. The router must support it, as a helper at least. It
	// can't tell a restart of FRR from the end of the node: after a crash of the
	// node it sends packets there for up to 120 s, unless the node's link goes
	// down with it.
	// Default: false. Changing it resets this peer's sessions on FRR 10; on FRR 8
	// it doesn't, and is negotiated with the next OPEN.
	// +optional
	EnableGracefulRestart bool `json:"enableGracefulRestart,omitempty"`

	// nodeSelectors say which nodes have this peer: those that match at least
	// one selector. Default: all nodes. At most 64. Changing it opens or closes
	// the sessions of the nodes concerned, no other.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	NodeSelectors []metav1.LabelSelector `json:"nodeSelectors,omitempty"`
}
