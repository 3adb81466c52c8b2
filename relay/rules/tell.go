package rules

import (
	"net"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const (
	// LogGroup is netfilter's log group that the first packets of searched
	// connections go to. A group has one reader in a network namespace.
	LogGroup = 7472
	// LogLength is how much of each is logged, in bytes: IP's header, at most 60 (RFC
	// 791), and TCP's without options (RFC 9293, section 3.1).
	LogLength = 80
)

// Tell is what the rules need so that a client of a connection that nobody has is told
// by its first packet. The kernel can't hold that back; so a process is given its
// header, and sends an empty segment of the connection ("again") to this node's own end
// of the tunnel when the search is over, and another one ("finish") later. What becomes of
// those these rules decide alone.
type Tell struct {
	// Local is this node's address in the tunnel, VNI that of Data.
	Local netip.Addr
	VNI   uint32
	// Ask, MAC and Finish are the senders of these frames: of the question, of what is for
	// the local stack, and of what is answered where that says nothing. All that begin with
	// Own are refused from elsewhere.
	Ask, MAC, Finish, Own net.HardwareAddr
	// Reset are the families in which the kernel can reset a connection, see CanReset.
	// In others nothing becomes of Finish.
	Reset []Family
}

// Offsets in a datagram of VXLAN (RFC 7348, section 5), from UDP's header on.
const (
	vxlanVNI       = 12
	vxlanVNILength = 3
	innerMACSource = 22
)

// loopback is the index of lo in every network namespace.
const loopback = 1

// againGuard lets only this node's own processes send "again": what comes by lo has
// never been on a wire. Nodes' addresses may be spoofed, so a peer may not.
func (t *table) againGuard() {
	tell := t.plan.Tell
	if tell == nil {
		return
	}
	again := do(t.toTunnel(), []expr.Any{load(expr.PayloadBaseTransportHeader, innerMACSource, uint32(len(tell.Own)), word0), equals(tell.Own...)})
	if t.has(tell.Local) {
		t.rule(chainTunnel, again, fromDevice(loopback), t.source(), one(equals(tell.Local.AsSlice()...)),
			[]expr.Any{load(expr.PayloadBaseTransportHeader, vxlanVNI, vxlanVNILength, word0), equals(byte(tell.VNI>>16), byte(tell.VNI>>8), byte(tell.VNI))},
			accept())
	}
	t.rule(chainTunnel, again, count(counterRefused), drop())
}

// logFirst gives the process the first packet of a search; before the flow is in the
// sets. One without ACK can't be told: a reset's sequence number is what was acknowledged
// (RFC 9293, section 3.10.7.1). What conntrack calls invalid is never told.
func (t *table) logFirst() {
	if t.plan.Tell == nil {
		return
	}
	t.rule(chainFlood, t.flowKey(), notIn(t.sets[setFlooding]), change(t.sets[setAskedTwice], remove))
	t.rule(chainFlood, isProtocol(protoTCP), one(load(expr.PayloadBaseTransportHeader, tcpFlags, 1, word0)), masked(tellMask, tcpACK),
		inState(expr.CtStateBitNEW|established), t.flowKey(), notIn(t.sets[setFlooding]), log())
}

// tellMask: of SYN, RST and ACK only ACK.
const tellMask, tcpACK = 0x16, 0x10

func log() []expr.Any {
	return one(&expr.Log{Key: 1<<unix.NFTA_LOG_GROUP | 1<<unix.NFTA_LOG_SNAPLEN, Group: LogGroup, Snaplen: LogLength})
}

// againRules: half-way, or later, the others are asked once more, so that one lost packet ends
// no connection that is alive; when the search is over "again" is for the local stack, if
// they were. A flow that was claimed meanwhile is in no set, and one that isn't searched
// never was: a process that lags, or lies, does no more than the client's own second
// packet would.
func (t *table) againRules() {
	if t.plan.Tell == nil {
		return
	}
	t.rule(chainFromPeers, fromMAC(t.plan.Tell.Ask), goTo(chainAsk))
	t.rule(chainFromPeers, fromMAC(t.plan.Tell.MAC), goTo(chainAgain))
	t.rule(chainFromPeers, fromMAC(t.plan.Tell.Finish), goTo(chainFinish))
	for _, chain := range []string{chainAsk, chainAgain, chainFinish} {
		t.rule(chain, inState(expr.CtStateBitINVALID|expr.CtStateBitUNTRACKED), drop())
		// Its client has opened another one meanwhile, from the same port.
		t.rule(chain, inState(established), isAlive(), drop())
	}
	t.rule(chainAsk, t.flowKey(), notIn(t.sets[setFlooded]), drop())
	t.rule(chainAsk, jumpTo(chainLimit))
	// A question that comes late makes the search last longer: the others have as long to
	// answer it as one that comes half-way.
	t.rule(chainAsk, t.flowKey(), changeFor(t.plan.Timing.Flood/2, t.sets[setFlooding], add))
	t.rule(chainAsk, t.flowKey(), change(t.sets[setAskedTwice], add))
	for _, p := range t.plan.Peers {
		t.rule(chainAsk, t.copyTo(p, t.plan.Data))
	}
	t.rule(chainAsk, count(counterFlooded), drop())

	t.rule(chainAgain, t.flowKey(), notIn(t.sets[setAskedTwice]), drop())
	t.rule(chainAgain, t.flowKey(), notIn(t.sets[setFlooded]), drop())
	t.rule(chainAgain, t.flowKey(), in(t.sets[setFlooding]), drop()) // too early
	// A full set ends a rule: who doesn't fit in is told, and not reset.
	t.rule(chainAgain, t.flowKey(), change(t.sets[setTold], update))
	t.rule(chainAgain, count(counterTold), goTo(chainGiveUp))
}

// toTunnel is true for a datagram to the tunnel's port.
func (t *table) toTunnel() []expr.Any {
	return do(isProtocol(protoUDP), []expr.Any{
		load(expr.PayloadBaseTransportHeader, destPort, portLength, word0), equals(byte(t.plan.Port>>8), byte(t.plan.Port)),
	})
}

// forget takes sets away that are made anew in the same transaction: other peers or
// devices are another search, and older kernels keep the time-out that a set was made with.
func (t *table) forget(old contents) {
	for _, name := range []string{setFlooding, setFlooded, setAskedTwice, setTold} {
		if old.sets[name] {
			t.conn.DelSet(&nftables.Set{Table: t.table, Name: name})
		}
	}
}
