package rules

import (
	"net/netip"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Table is the name of the tables.
const Table = "herald"

const (
	protoTCP    = unix.IPPROTO_TCP
	protoUDP    = unix.IPPROTO_UDP
	protoICMP   = unix.IPPROTO_ICMP
	protoICMPv6 = unix.IPPROTO_ICMPV6
)

// family is what IPv4 and IPv6 differ in. dup isn't available in the table family
// inet, so there is a table for each.
type family struct {
	table nftables.TableFamily
	// saddr and daddr are offsets in the network header, length that of an address.
	saddr, daddr, length uint32
	address              nftables.SetDatatype
	// icmp is the protocol, tooBig the type and code of the message whose size
	// counts (RFC 792; RFC 4443, section 3.2).
	icmp   byte
	tooBig []byte
	has    func(netip.Addr) bool
	via    func(Peer) netip.Addr
}

// Family names one of the two.
type Family string

// The families. Each has its table, so that a kernel that lacks a part of one doesn't
// lose the other.
const (
	IPv4 Family = "IPv4"
	IPv6 Family = "IPv6"
)

// Families are all there are.
var Families = []Family{IPv4, IPv6}

var families = map[Family]*family{
	IPv4: {
		table: nftables.TableFamilyIPv4, saddr: 12, daddr: 16, length: 4, address: nftables.TypeIPAddr,
		icmp: protoICMP, tooBig: []byte{3, 4},
		has: netip.Addr.Is4, via: func(p Peer) netip.Addr { return p.Via4 },
	},
	IPv6: {
		table: nftables.TableFamilyIPv6, saddr: 8, daddr: 24, length: 16, address: nftables.TypeIP6Addr,
		icmp: protoICMPv6, tooBig: []byte{2, 0},
		has: netip.Addr.Is6, via: func(p Peer) netip.Addr { return p.Via6 },
	},
}

// Types of the sets' keys.

// flow is client, port, frontend, port, protocol.
func (f *family) flow() nftables.SetDatatype {
	return nftables.MustConcatSetType(f.address, nftables.TypeInetService, f.address, nftables.TypeInetService, nftables.TypeInetProto)
}

// flowOf is the sender's MAC and a flow. The protocol is left out: nft has no type
// of six parts, and all that could be shared is a rate.
func (f *family) flowOf() nftables.SetDatatype {
	return nftables.MustConcatSetType(nftables.TypeEtherAddr, f.address, nftables.TypeInetService, f.address, nftables.TypeInetService)
}

func (f *family) frontend() nftables.SetDatatype {
	return nftables.MustConcatSetType(f.address, nftables.TypeInetProto, nftables.TypeInetService)
}
