package exchange

import "net/netip"

// Version of the files' format; a file of another version is refused.
const Version = 1

// Protocols of a Frontend.
const (
	TCP = "TCP"
	// QUIC is UDP whose packets tell by their form whether they begin a
	// connection (RFC 9000, section 17: long header).
	QUIC = "QUIC"
)

// Desired is what the relay of one node shall do. The zero value is "nothing":
// no learning, no path MTU relay, nothing counted.
type Desired struct {
	Version int `json:"version"`
	// Node is this node's name, for logs.
	Node string `json:"node"`
	// Remove takes tables and devices away at once, with what is relayed at that
	// moment: Herald is being uninstalled. Nothing else is desired then.
	Remove bool `json:"remove,omitempty"`
	// Addresses are this node's own, at most one of each family: packets to the
	// other nodes are sent from there.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Peers are all other nodes of the cluster that run a relay, sorted by name.
	// A node that only drains is one of them; a node whose object is gone is not.
	Peers []Peer `json:"peers,omitempty"`
	// Learn are the frontends whose connections are preserved, sorted. One that
	// vanishes from here is switched off safely: nothing new is learned, and what
	// is relayed goes on until nothing is relayed any more.
	Learn []Frontend `json:"learn,omitempty"`
	// PathMTU are the Services' addresses for which ICMP "fragmentation needed"
	// (RFC 792) and "packet too big" (RFC 4443) is brought to the owner, sorted.
	PathMTU []netip.Addr `json:"pathMTU,omitempty"`
	// Count are the Services' addresses whose connections the report counts.
	Count  []netip.Addr `json:"count,omitempty"`
	Tunnel Tunnel       `json:"tunnel"`
	Limits Limits       `json:"limits"`
}

// Peer is another node.
type Peer struct {
	Node string `json:"node"`
	// Addresses, at most one of each family.
	Addresses []netip.Addr `json:"addresses"`
}

// Frontend is one port of a Service at one address.
type Frontend struct {
	Address netip.Addr `json:"address"`
	// Protocol is TCP or QUIC.
	Protocol string `json:"protocol"`
	Port     uint16 `json:"port"`
}

// Tunnel is how packets get from node to node.
type Tunnel struct {
	// Port is VXLAN's UDP port (RFC 7348) on every node.
	Port uint16 `json:"port"`
	// VNI is that of relayed packets; VNI+1 carries the owners' claims.
	VNI uint32 `json:"vni"`
	// MTU of the tunnel in bytes; 0: the underlay's MTU less VXLAN's header.
	MTU int `json:"mtu,omitempty"`
}

// Limits bound what strangers can make the nodes do.
type Limits struct {
	// FloodsPerSecond bounds the packets that this node copies to all its peers,
	// of all flows together.
	FloodsPerSecond int `json:"floodsPerSecond"`
	// LearnedFlows bounds what is learned, for each peer and family.
	LearnedFlows int `json:"learnedFlows"`
}
