package tunnel

import (
	"crypto/sha256"
	"net"
	"net/netip"
)

// Names of the devices.
const (
	Data  = "herald-data"
	Claim = "herald-claim"
)

// Senders of what a relay sends to its own node's Data, in the block Own, of which no
// MAC is: AskAgain is for the other nodes while a search lasts, Again for the local stack
// when it is over, and Finish for the client, where the local stack says nothing.
var (
	Own      = net.HardwareAddr{0x0a, 0x49}
	Again    = net.HardwareAddr{0x0a, 0x49, 0, 0, 0, 1}
	AskAgain = net.HardwareAddr{0x0a, 0x49, 0, 0, 0, 2}
	Finish   = net.HardwareAddr{0x0a, 0x49, 0, 0, 0, 3}
)

// MAC of a node's devices: locally administered, made of its tunnel address.
func MAC(node netip.Addr) net.HardwareAddr {
	h := hash(node)
	return net.HardwareAddr{0x0a, 0x48, h[0], h[1], h[2], h[3]}
}

// Via4 is the next hop that stands for a node in IPv4 packets' way into the
// tunnel. It is of the block that is reserved for ever (RFC 1112, section 4), has a
// host route of its own, and is never in a packet.
func Via4(node netip.Addr) netip.Addr {
	h := hash(node)
	return netip.AddrFrom4([4]byte{240 + h[4]%15, h[5], h[6], h[7]})
}

// Via6 is the same for IPv6: link-local, on the tunnel's devices only.
func Via6(node netip.Addr) netip.Addr {
	h := hash(node)
	via := [16]byte{0: 0xfe, 1: 0x80, 8: 0x0a, 9: 0x48}
	copy(via[10:], h[4:10])
	return netip.AddrFrom16(via)
}

func hash(node netip.Addr) [sha256.Size]byte { return sha256.Sum256(node.AsSlice()) }
