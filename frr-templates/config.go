package frrtemplates

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Config is one node's whole FRR configuration. All slices are in the order in
// which they are rendered.
type Config struct {
	// Forwarding are the host's forwarding sysctls as the node had them: they
	// are rendered so that frr-reload never changes them.
	Forwarding Forwarding
	// Routers are the BGP instances, by VRF; the default VRF ("") comes first.
	Routers []Router
	// BFDProfiles by name; every one that a Neighbor names is here.
	BFDProfiles []BFDProfile
	// PrefixLists by name. Every list that a RouteMapEntry names is here.
	PrefixLists []PrefixList
	// Interfaces of the node that a Neighbor is behind, sorted.
	Interfaces []string
	// RouteMaps by name. Every map that a Network or a NeighborFamily names is here.
	RouteMaps []RouteMap
	// Snippets are what users add, in their order. They stand behind all else, and
	// the reloader tries each before FRR gets what it means.
	Snippets []Snippet
}

// Snippet is extra configuration: the lines of a user, checked.
type Snippet struct {
	// Name of the FRRSnippet.
	Name string
	// Lines hold no control character, and no comment but "!".
	Lines []string
}

// Forwarding says whether the host forwards packets of each family.
type Forwarding struct {
	IPv4, IPv6 bool
}

// ASN is an autonomous system number, 1 to 4294967295 (RFC 6793).
type ASN uint32

// Tag marks the class of a prefix between origination and the outbound maps,
// 1 to 4294967295. It is never sent.
type Tag uint32

// Family is an address family with SAFI unicast.
type Family uint8

// The families, in rendering order.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// FamilyOf is the family of an address.
func FamilyOf(a netip.Addr) Family {
	if a.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// String is FRR's name of the family: "ipv4" or "ipv6".
func (f Family) String() string {
	if f == IPv4 {
		return "ipv4"
	}
	return "ipv6"
}

// Router is "router bgp" in one VRF.
type Router struct {
	// VRF is empty for the default VRF.
	VRF string
	ASN ASN
	// RouterID is the BGP identifier, always explicit.
	RouterID netip.Addr
	// PreservesForwarding says that packets are forwarded while FRR restarts
	// (RFC 4724, the forwarding-state bit).
	PreservesForwarding bool
	// Neighbors by End.
	Neighbors []Neighbor
	// Families that at least one neighbor carries: IPv4 first.
	Families []RouterFamily
	// Discards are prefixes to which the node drops every packet that no longer
	// prefix of its routing table takes: IPv4 first, then by prefix.
	Discards []netip.Prefix
}

// End is the router's end of a session: its address, or the interface of the node
// that it is behind ("unnumbered": FRR finds its link-local address by itself).
type End struct {
	Address   netip.Addr
	Interface string
}

// String is FRR's name of the neighbor.
func (e End) String() string {
	if e.Interface != "" {
		return e.Interface
	}
	return e.Address.String()
}

// IsKnown says whether there is either.
func (e End) IsKnown() bool { return e.Interface != "" || e.Address.IsValid() }

// Compare orders ends as FRR does: interfaces before addresses.
func (e End) Compare(other End) int {
	return cmp.Or(e.Address.Compare(other.Address), strings.Compare(e.Interface, other.Interface))
}

// Neighbor is one BGP neighbor with the parameters of its session.
type Neighbor struct {
	End
	// RemoteASN of the router, or 0 and which ones it may have.
	RemoteASN ASN
	Dynamic   DynamicASN
	// LocalASN is what the router sees in place of the Router's; 0: the same.
	LocalASN ASN
	// Port of the router; 179 is not rendered.
	Port uint16
	// HoldTime and KeepaliveTime in whole seconds; rendered when HasTimers.
	HasTimers               bool
	HoldTime, KeepaliveTime time.Duration
	// ConnectTime between attempts, whole seconds; 0 is not rendered (FRR's default).
	ConnectTime time.Duration
	// Password for TCP MD5 (RFC 2385); zero: none.
	Password Secret
	// MultihopTTL of an eBGP neighbor that is more than one hop away; 0: one hop.
	MultihopTTL uint8
	// TTLSecurityHops that the router may be away (RFC 5082); 0: not checked.
	TTLSecurityHops uint8
	// Source address of the session; invalid: the interface's.
	Source netip.Addr
	// BFDProfile that BFD watches the path by; empty: no BFD.
	BFDProfile string
	// GracefulRestart asks the router to keep the routes while FRR restarts (RFC 4724);
	// without, the session has no such capability at all.
	GracefulRestart bool
	// ExtendedNextHop asks the router to take IPv6 next hops for IPv4 routes (RFC 8950).
	// FRR does so unasked, and doesn't print it, of a neighbor behind an interface.
	ExtendedNextHop bool
	// DisableConnectedCheck is wanted for single-hop eBGP over IPv6.
	DisableConnectedCheck bool
}

// DynamicASN is which AS numbers a neighbor may have, in FRR's words.
type DynamicASN string

// What a neighbor's AS number may be.
const (
	AnyInternal DynamicASN = "internal" // the router's own
	AnyExternal DynamicASN = "external" // any other
)

// RemoteAS is what the remote-as command says.
func (n Neighbor) RemoteAS() string {
	if n.Dynamic != "" {
		return string(n.Dynamic)
	}
	return fmt.Sprint(n.RemoteASN)
}

// Internal says whether the session is iBGP for a router of this AS number.
func (n Neighbor) Internal(own ASN) bool {
	return n.Dynamic == AnyInternal || n.Dynamic == "" && n.RemoteASN == own
}

// BFDProfile is how BFD watches a path. 0 is FRR's value and not rendered.
type BFDProfile struct {
	// Name by BFDProfileName.
	Name string
	// Intervals in milliseconds.
	ReceiveInterval, TransmitInterval, EchoInterval int32
	DetectMultiplier, MinimumTTL                    int32
	EchoMode, PassiveMode                           bool
}

// RouterFamily is one address family of a Router.
type RouterFamily struct {
	Family Family
	// Networks by prefix.
	Networks []Network
	// Neighbors that carry the family, by End.
	Neighbors []NeighborFamily
}

// NeighborFamily activates a family on a neighbor. It always has both maps
// (RFC 8212): a half-applied file announces less, never more.
type NeighborFamily struct {
	End
	InMap, OutMap string
	// MaximumPrefixes that are accepted; more close the session; 0: any number.
	MaximumPrefixes uint32
}

// PrefixList is a named set of prefixes of one family.
type PrefixList struct {
	Name   string
	Family Family
	// Entries by sequence, at least one.
	Entries []PrefixListEntry
}

// PrefixListEntry permits a prefix, or those within it whose length is from GE to
// LE; a 0 is not rendered.
type PrefixListEntry struct {
	// Sequence 1 to 2147483647: FRR 8.4 sorts larger ones as negative.
	Sequence uint32
	Prefix   netip.Prefix
	GE, LE   uint8
}

// Command is the beginning of the list's lines.
func (l PrefixList) Command() string {
	if l.Family == IPv4 {
		return "ip"
	}
	return "ipv6"
}

// Network originates one prefix. It is comparable: the renderer takes the lines of
// equal ones over from the Config before.
type Network struct {
	Prefix   netip.Prefix
	RouteMap string
}

// RouteMap is a named list of entries by sequence.
type RouteMap struct {
	Name    string
	Entries []RouteMapEntry
}

// RouteMapEntry is one entry; zero fields are not rendered.
type RouteMapEntry struct {
	Permit bool
	// Sequence 1 to 65535.
	Sequence uint16
	MatchTag Tag
	// MatchList is the prefix-list of MatchFamily that a prefix must be in.
	MatchList   string
	MatchFamily Family
	SetTag      Tag
	// Communities in FRR's order and spelling (standard, RFC 1997), at most
	// MaxCommunities.
	Communities []string
	// LargeCommunities by value (RFC 8092), at most MaxLargeCommunities.
	LargeCommunities []string
	// Bandwidth in Mbit/s of the link bandwidth extended community, 1 to
	// MaxBandwidth; 0 is not rendered. NoExtCommunities takes all away.
	Bandwidth        int
	NoExtCommunities bool
	// LocalPref is LOCAL_PREF, MED MULTI_EXIT_DISC; nil is not rendered.
	LocalPref, MED *uint32
	// Prepend is put before the AS path.
	Prepend []ASN
	// NextHop of the routes; invalid is not rendered.
	NextHop netip.Addr
}
