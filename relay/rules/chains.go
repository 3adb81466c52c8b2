package rules

import (
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Priorities of the hooked chains: claims before conntrack, which has no use for
// them; the relay after conntrack and before destination NAT.
const (
	priorityClaims = -310
	priorityRelay  = -150
	priorityTunnel = -150
)

// established is the state of what this node has itself.
const established = expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED

// pureSYN: of FIN, SYN, RST and ACK only SYN.
const (
	synMask, synOnly = 0x17, 0x02
	longHeader       = 0x80
)

func (t *table) addChains() {
	t.hooked(chainTunnel, nftables.ChainHookInput, priorityTunnel)
	t.hooked(chainClaims, nftables.ChainHookPrerouting, priorityClaims)
	t.hooked(chainRelay, nftables.ChainHookPrerouting, priorityRelay)
	for _, name := range []string{chainFromPeers, chainDisplaced, chainKnown, chainFlood, chainLimit, chainForget, chainGiveUp, chainReset, chainCopiedReset, chainPathMTU} {
		t.chain(name)
	}
	if t.plan.Tell != nil {
		t.chain(chainAsk)
		t.chain(chainAgain)
		t.chain(chainFinish)
	}
	for _, p := range t.plan.Peers {
		t.chain(learnChain(p.Name))
		t.chain(relayChain(p.Name))
	}
}

func (t *table) addRules() {
	t.tunnelRules()
	t.claimRules()
	t.relayRules()
	t.againRules()
	t.finishRules()
	t.fromPeersRules()
	t.displacedRules()
	t.floodRules()
	t.resetRules()
	t.pathMTURules()
}

// tunnelRules: only nodes may send into the tunnel.
func (t *table) tunnelRules() {
	t.againGuard()
	t.rule(chainTunnel, t.toTunnel(), t.source(), notIn(t.sets[setSenders]), count(counterRefused), drop())
}

// claimRules teach who owns a flow.
func (t *table) claimRules() {
	t.rule(chainClaims, []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIF, Register: word0},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: word0, Data: native(uint32(t.plan.Claim))},
	}, accept())
	for _, p := range t.plan.Peers {
		t.rule(chainClaims, fromMAC(p.MAC), goTo(learnChain(p.Name)))
		learn := learnChain(p.Name)
		t.rule(learn, t.flowKey(), change(t.sets[learnedSet(p.Name)], update))
		// A rule each: removing what isn't there ends a rule.
		for _, set := range []string{setAsking, setAsked, setFlooding, setFlooded, setAskedTwice, setTold} {
			t.rule(learn, t.flowKey(), change(t.sets[set], remove))
		}
		t.rule(learn, drop())
	}
	t.rule(chainClaims, drop())
}

// relayRules sort the packets, the many that concern nobody else first.
func (t *table) relayRules() {
	t.rule(chainRelay, fromDevice(t.plan.Data), goTo(chainFromPeers))
	// One that was reset is no reason to keep a packet: its client may have opened
	// another from the same port, on another node.
	t.rule(chainRelay, inState(established), isAlive(), accept())
	if len(t.plan.Peers) == 0 {
		return // nobody to ask: no connection waits for an answer
	}
	t.rule(chainRelay, t.frontendKey(), in(t.sets[setLearn]), goTo(chainDisplaced))
	t.rule(chainRelay, t.frontendKey(), in(t.sets[setLeaving]), goTo(chainKnown))
	// Related, and yet not accepted above: of a connection here that was reset.
	t.rule(chainRelay, t.isTooBig(), t.destination(), in(t.sets[setPathMTU]), inState(expr.CtStateBitINVALID|expr.CtStateBitRELATED), goTo(chainPathMTU))
}

// fromPeersRules: the owner keeps what is its own and says so. A reset ends the
// connection, so there is nothing to claim; and a connection that was reset isn't
// owned, though conntrack remembers it: its client may have opened another one from
// the same port, elsewhere.
func (t *table) fromPeersRules() {
	t.rule(chainFromPeers, t.isTooBig(), inState(expr.CtStateBitRELATED), count(counterPathMTUAccepted), accept())
	t.rule(chainFromPeers, inState(expr.CtStateBitNEW|expr.CtStateBitINVALID|expr.CtStateBitRELATED|expr.CtStateBitUNTRACKED), drop())
	t.rule(chainFromPeers, fromClient(), isReset(), count(counterClaimed), accept())
	t.rule(chainFromPeers, isProtocol(protoTCP), isOver(), drop())
	t.rule(chainFromPeers, fromClient(), count(counterClaimed), t.flowOfKey(),
		change(t.sets[setClaims], update, over(perFlow, 2)), accept())
	for _, p := range t.plan.Peers {
		t.rule(chainFromPeers, fromClient(), fromMAC(p.MAC), t.copyTo(p, t.plan.Claim), accept())
	}
	t.rule(chainFromPeers, drop())
}

// displacedRules: what may belong to another node.
func (t *table) displacedRules() {
	for _, chain := range []string{chainDisplaced, chainKnown} {
		t.rule(chain, isProtocol(protoTCP), one(load(expr.PayloadBaseTransportHeader, tcpFlags, 1, word0)), masked(synMask, synOnly), accept())
		t.rule(chain, isProtocol(protoUDP), one(load(expr.PayloadBaseTransportHeader, udpPayload, 1, word0)), masked(longHeader, longHeader), accept())
	}
	t.rule(chainDisplaced, isReset(), goTo(chainReset))
	// Asked and not answered in time: whoever was the owner is it no more.
	t.rule(chainDisplaced, t.flowKey(), in(t.sets[setAsked]), notIn(t.sets[setAsking]), goTo(chainForget))
	for _, p := range t.plan.Peers {
		to := relayChain(p.Name)
		for _, chain := range []string{chainDisplaced, chainKnown} {
			t.rule(chain, t.flowKey(), in(t.sets[learnedSet(p.Name)]), goTo(to))
		}
		t.rule(to, count(counterRelayed), t.copyTo(p, t.plan.Data))
		// A full set ends a rule, so what mustn't fail stands in others.
		t.rule(to, t.flowKey(), change(t.sets[setAsking], add))
		t.rule(to, t.flowKey(), change(t.sets[setAsked], add))
		t.rule(to, drop())
		t.rule(chainForget, t.flowKey(), change(t.sets[learnedSet(p.Name)], remove))
	}
	t.rule(chainDisplaced, goTo(chainFlood))
	t.rule(chainKnown, goTo(chainGiveUp))
	t.rule(chainForget, t.flowKey(), change(t.sets[setAsked], remove))
	t.rule(chainForget, goTo(chainFlood))
}

// floodRules search the owner, for a time.
func (t *table) floodRules() {
	t.rule(chainFlood, t.flowKey(), in(t.sets[setFlooded]), notIn(t.sets[setFlooding]), goTo(chainGiveUp))
	// A flow's own rate first, so that one doesn't take the others' share; and only
	// of flows that the common rate let in, so that strangers can't fill the sets.
	t.rule(chainFlood, t.flowKey(), in(t.sets[setFlooding]),
		change(t.sets[setFloodRate], update, over(perFlow, 3)), count(counterLimited), drop())
	t.rule(chainFlood, jumpTo(chainLimit))
	t.logFirst()
	t.rule(chainFlood, t.flowKey(), change(t.sets[setFlooding], add))
	t.rule(chainFlood, t.flowKey(), change(t.sets[setFlooded], add))
	for _, p := range t.plan.Peers {
		t.rule(chainFlood, t.copyTo(p, t.plan.Data))
	}
	t.rule(chainFlood, count(counterFlooded), drop())
	flood := t.plan.Limits.FloodsPerSecond
	t.rule(chainLimit, one(over(flood, max(flood/10, 5))), count(counterLimited), drop())
	// kube-proxy in nftables mode has no rule for what conntrack calls invalid: a
	// stray RST would circle between node and router until its TTL ends.
	t.rule(chainGiveUp, count(counterUnclaimed), inState(expr.CtStateBitINVALID), drop())
}

// resetRules: a reset goes to whoever may have the connection, and leaves no memory:
// the next packet with these ports belongs to another connection.
func (t *table) resetRules() {
	for _, p := range t.plan.Peers {
		t.rule(chainReset, t.flowKey(), in(t.sets[learnedSet(p.Name)]), count(counterRelayed), t.copyTo(p, t.plan.Data), goTo(chainCopiedReset))
	}
	t.rule(chainReset, t.flowKey(), change(t.sets[setFloodRate], update, over(perFlow, 3)), count(counterUnclaimed), goTo(chainCopiedReset))
	flood := t.plan.Limits.FloodsPerSecond
	t.rule(chainReset, one(over(flood, max(flood/10, 5))), count(counterLimited), goTo(chainCopiedReset))
	for _, p := range t.plan.Peers {
		t.rule(chainReset, t.copyTo(p, t.plan.Data))
	}
	t.rule(chainReset, count(counterFlooded), goTo(chainCopiedReset))
	// Where conntrack has the connection it has counted it as reset before these rules
	// are asked: it may be this node's own, or one before it from the same port. So the
	// reset is for the local stack too; that of a connection it doesn't have is of no
	// use to it.
	t.rule(chainCopiedReset, inState(established), accept())
	t.rule(chainCopiedReset, drop())
}

// pathMTURules: no node is known for these, and one message is worth little.
func (t *table) pathMTURules() {
	flood := t.plan.Limits.FloodsPerSecond
	t.rule(chainPathMTU, one(over(flood, max(flood/10, 5))), count(counterLimited), drop())
	for _, p := range t.plan.Peers {
		t.rule(chainPathMTU, t.copyTo(p, t.plan.Data))
	}
	t.rule(chainPathMTU, count(counterPathMTUFlooded), drop())
}
