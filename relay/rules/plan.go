package rules

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/herald-lb/herald/relay/exchange"
)

// Plan is everything that the tables are made of.
type Plan struct {
	// Data and Claim are the indices of the tunnel's devices: dup binds to the
	// index, so another device needs another Apply.
	Data, Claim int
	// Port of the tunnel, which only Senders may send to.
	Port    uint16
	Senders []netip.Addr
	Peers   []Peer
	// Learn are the frontends whose connections are preserved, Leaving those that
	// are only relayed as far as they are learned.
	Learn, Leaving []exchange.Frontend
	PathMTU        []netip.Addr
	Limits         exchange.Limits
	Timing         Timing
	// Tell is nil where a client of a connection that nobody has isn't told before its
	// second packet.
	Tell *Tell
}

// needs says whether a family's packets are relayed, or carry the tunnel, which its
// table guards.
func (p *Plan) needs(f *family) bool {
	return len(frontendsOf(p.Learn, f))+len(frontendsOf(p.Leaving, f))+len(addressesOf(p.PathMTU, f))+len(addressesOf(p.Senders, f)) > 0
}

// Less is the plan without what these families relay.
func (p *Plan) Less(lacks map[Family]bool) *Plan {
	less := *p
	for name, lacking := range lacks {
		if f := families[name]; lacking {
			mine := func(x exchange.Frontend) bool { return f.has(x.Address) }
			less.Learn = slices.DeleteFunc(slices.Clone(less.Learn), mine)
			less.Leaving = slices.DeleteFunc(slices.Clone(less.Leaving), mine)
			less.PathMTU = slices.DeleteFunc(slices.Clone(less.PathMTU), f.has)
		}
	}
	return &less
}

// Peer is another node as the rules see it.
type Peer struct {
	Name string
	// MAC of its devices, Via4 and Via6 the next hops that lead to it.
	MAC        net.HardwareAddr
	Via4, Via6 netip.Addr
}

// Timing of learning. Changing it makes the tables anew.
type Timing struct {
	// Learned is how long a claim holds.
	Learned time.Duration
	// Doubt is how long an owner may leave a relayed flow unclaimed, Silence how
	// long that is remembered.
	Doubt, Silence time.Duration
	// Flood is how long an owner is searched, GaveUp how long it is then not. An owner
	// that can't handle packets for as long as Flood loses what others search it for: so
	// long may a machine, or the way to it, stand still. A client is told when it is over,
	// and that is to be within a second, also where the machine is busy.
	Flood, GaveUp time.Duration
}

// DefaultTiming is that of production.
func DefaultTiming() Timing {
	return Timing{
		Learned: 2 * time.Minute, Doubt: 500 * time.Millisecond, Silence: 5 * time.Second,
		Flood: 750 * time.Millisecond, GaveUp: time.Minute,
	}
}

// perFlow bounds, in packets a second, the floods and the claims of one flow.
const perFlow = 10

// claimsLast is how long a claim is remembered beyond Timing.Learned: while there
// is one, somebody relays to this node.
const claimsLast = 3 * time.Second

// setNames are at most 255 bytes long, and so may be the names of nodes.
const maxName = 200

// learnedSet is the name of the set of flows that a peer owns, and learnChain that
// of the chain that fills it.
func learnedSet(peer string) string { return "learned-" + shorten(peer) }
func learnChain(peer string) string { return "learn-" + shorten(peer) }
func relayChain(peer string) string { return "relay-" + shorten(peer) }

func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	return name[:maxName-hashLength] + exchange.Hash([]byte(name))[:hashLength]
}

const hashLength = 16

// protocol is a frontend's number of its IP protocol.
func protocol(f exchange.Frontend) byte {
	if f.Protocol == exchange.QUIC {
		return protoUDP
	}
	return protoTCP
}

// of is a plan's part of one family, sorted.
func frontendsOf(all []exchange.Frontend, f *family) []exchange.Frontend {
	var mine []exchange.Frontend
	for _, frontend := range all {
		if f.has(frontend.Address) {
			mine = append(mine, frontend)
		}
	}
	slices.SortFunc(mine, func(a, b exchange.Frontend) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port))
	})
	return slices.Compact(mine)
}

func addressesOf(all []netip.Addr, f *family) []netip.Addr {
	var mine []netip.Addr
	for _, a := range all {
		if f.has(a) {
			mine = append(mine, a)
		}
	}
	slices.SortFunc(mine, netip.Addr.Compare)
	return slices.Compact(mine)
}
