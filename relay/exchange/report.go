package exchange

import (
	"net/netip"
	"time"
)

// Report is what the relay does and sees.
type Report struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	// Applied is the SHA-256, in hex, of the relay.json in force.
	Applied string `json:"applied"`
	// Problems are why something of it isn't done on this node, each with its
	// remedy. What they don't concern goes on.
	Problems []Problem `json:"problems,omitempty"`
	// Notes are what isn't as good as it could be on this node, each with what it means
	// and its remedy. What is desired is done all the same.
	Notes []string `json:"notes,omitempty"`
	// Learning and PathMTU say what is on.
	Learning bool `json:"learning"`
	PathMTU  bool `json:"pathMTU"`
	// Leaving counts the frontends that are switched off but still relayed.
	Leaving  int      `json:"leaving,omitempty"`
	Counters Counters `json:"counters"`
	// Owned are the established connections (TCP, and QUIC's UDP) that this node
	// has state of, by the address of Desired.Count.
	Owned map[netip.Addr]int `json:"owned,omitempty"`
	// Preserved are those of Owned to a frontend of Desired.Learn: others are lost to
	// this node where the routers take them elsewhere.
	Preserved int `json:"preserved,omitempty"`
	// Learned are the flows known to be owned by each peer, by its name.
	Learned map[string]int `json:"learned,omitempty"`
}

// Counters count packets since the relay's table was made.
type Counters struct {
	// Relayed went to their known owner.
	Relayed uint64 `json:"relayed"`
	// Flooded were copied to every peer, because no owner was known.
	Flooded uint64 `json:"flooded"`
	// Claimed are the packets of other nodes that this node owns the connection of.
	Claimed uint64 `json:"claimed"`
	// Unclaimed went to the local stack, as nobody had the connection.
	Unclaimed uint64 `json:"unclaimed"`
	// Told are those of Unclaimed that this node's relay sent itself, so that a client is
	// told by its first packet.
	Told uint64 `json:"told"`
	// Reset are the clients of Told that the rules reset themselves a little later, as nothing
	// but perhaps a reset had answered.
	Reset uint64 `json:"reset"`
	// NotTold are first packets that the process lost, since it started: their clients
	// are told by the second.
	NotTold uint64 `json:"notTold"`
	// Limited were neither relayed nor flooded because of Limits.
	Limited uint64 `json:"limited"`
	// PathMTUFlooded and PathMTUAccepted are the ICMP messages sent to all peers,
	// and those of other nodes that belonged to a connection of this one.
	PathMTUFlooded  uint64 `json:"pathMTUFlooded"`
	PathMTUAccepted uint64 `json:"pathMTUAccepted"`
}

// Reasons of a Problem.
const (
	ReasonKernel    = "KernelFeatureMissing"
	ReasonRPFilter  = "ReversePathFilter"
	ReasonDataplane = "ForeignDataplane"
	ReasonPort      = "TunnelPortInUse"
	ReasonMTU       = "TunnelMTUTooSmall"
	ReasonPeers     = "TooManyNodes"
	ReasonFailed    = "Failed"
)

// Problem is something that keeps the relay from doing what is desired.
type Problem struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Learning and PathMTU say which of the two it keeps off.
	Learning bool `json:"learning"`
	PathMTU  bool `json:"pathMTU"`
}
