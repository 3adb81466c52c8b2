// Package rules is the relay's behaviour: two nftables tables, "ip herald" and
// "ip6 herald", programmed by netlink, each in one transaction of its own.
//
// Input: a Plan. Output: the tables, and what they counted and learned (Observe).
// All state is in the kernel: the tables work while no process does, and Apply
// keeps the sets that hold learned flows when it replaces the rules.
//
// A packet that comes from elsewhere than the tunnel, in prerouting after conntrack
// and before the DNAT of kube-proxy (priority mangle):
//
//	established or related here → local
//	to a learned frontend:
//	  begins a connection (TCP: pure SYN; QUIC: long header) → local
//	  its owner is learned → one copy there, original dropped
//	  else one copy to each peer, original dropped (at most 10/s per flow, and
//	    Limits.FloodsPerSecond together); TCP's first is logged to LogGroup
//	  nobody claimed it for Timing.Flood → local, for Timing.GaveUp
//	ICMP "too big" of an unknown connection → one copy to each peer
//
// A packet from Data is accepted where conntrack has it established (or related,
// for ICMP), and answered by one copy on Claim, at most 10/s per flow and peer.
// All others are dropped. A packet from Claim teaches its sender as the owner.
//
// A process that reads LogGroup asks again on Data, see Tell: of a flow that is
// searched, or was and wasn't claimed, one copy goes to each peer. When the search is over it says "again": of a
// flow that was asked for twice, and that nobody claimed, → local. A little later it
// says "finish": of one that "again" was let through of, and that conntrack has seen no
// answer for, the client is reset.
//
// An owner that stops claiming what it is sent is in doubt after Timing.Doubt: the
// flow is flooded again, so a stale entry can't swallow a connection.
package rules
