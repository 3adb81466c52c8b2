package loop

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/herald-lb/herald/relay/exchange"
)

func at(last int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(last >> 8), byte(last)}) }

func six(last int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("fd00::%x", last)) }

func with(peers int) exchange.Desired {
	d := exchange.Desired{
		Addresses: []netip.Addr{at(1), six(1)},
		Learn:     []exchange.Frontend{{Address: netip.MustParseAddr("203.0.113.1"), Protocol: exchange.TCP, Port: 80}},
	}
	for i := range peers {
		d.Peers = append(d.Peers, exchange.Peer{Node: fmt.Sprintf("node%03d", i+2), Addresses: []netip.Addr{at(i + 2), six(i + 2)}})
	}
	return d
}

func TestWhatIsUsedLeavesSafely(t *testing.T) {
	old := exchange.Frontend{Address: netip.MustParseAddr("203.0.113.2"), Protocol: exchange.TCP, Port: 80}
	idle := exchange.Frontend{Address: netip.MustParseAddr("203.0.113.3"), Protocol: exchange.TCP, Port: 80}
	d := with(2)
	used := map[exchange.Frontend]bool{old: true, d.Learn[0]: true}
	before := []exchange.Frontend{old, idle, d.Learn[0], old}
	if w := decide(d, before, used, nil); !reflect.DeepEqual(w.leaving, []exchange.Frontend{old}) || !reflect.DeepEqual(w.learn, d.Learn) {
		t.Errorf("learn %v, leaving %v", w.learn, w.leaving)
	}
	if !leaves(before, d, nil) || leaves(d.Learn, d, nil) || !leaves(d.Learn, d, []exchange.Problem{{Learning: true}}) {
		t.Error("what leaves isn't told from what stays")
	}
	// A problem switches off as safely as a wish does.
	w := decide(d, before, used, []exchange.Problem{{Learning: true}})
	if w.learn != nil || !reflect.DeepEqual(w.leaving, []exchange.Frontend{old, d.Learn[0]}) || w.nothing() {
		t.Errorf("learn %v, leaving %v", w.learn, w.leaving)
	}
	if w := decide(exchange.Desired{Remove: true}, before, used, nil); !w.nothing() {
		t.Errorf("what is uninstalled leaves at once: %+v", w)
	}
	if w := decide(exchange.Desired{}, before, nil, nil); !w.nothing() {
		t.Errorf("%+v", w)
	}
}

func TestNodesThatAreTooMany(t *testing.T) {
	if p := checkNodes(with(MaxPeers)); p != nil {
		t.Errorf("%d peers: %v", MaxPeers, p)
	}
	p := checkNodes(with(MaxPeers + 1))
	if len(p) != 1 || p[0].Reason != exchange.ReasonPeers || !p[0].Learning || !p[0].PathMTU {
		t.Errorf("%v", p)
	}
}

// All nodes come to the same family: IPv4, unless only IPv6 is everywhere.
func TestFamilyOfTheTunnel(t *testing.T) {
	d := with(2)
	if local, peers := nodes(d); local != at(1) || len(peers) != 2 || peers[0].address != at(2) {
		t.Errorf("%v %v", local, peers)
	}
	d.Peers[0].Addresses = d.Peers[0].Addresses[1:]
	if local, peers := nodes(d); local != six(1) || len(peers) != 2 || peers[1].address != six(3) {
		t.Errorf("one without IPv4: %v %v", local, peers)
	}
	d.Peers[1].Addresses = d.Peers[1].Addresses[:1]
	if local, peers := nodes(d); local != at(1) || len(peers) != 1 {
		t.Errorf("one without either: %v %v", local, peers)
	}
	if p := checkNodes(d); len(p) != 1 || p[0].Learning {
		t.Errorf("one is left out: %v", p)
	}
	d.Addresses = nil
	if p := checkNodes(d); len(p) != 1 || !p[0].Learning {
		t.Errorf("no address: %v", p)
	}
}

func TestWhatNobodyAskedForIsNoProblem(t *testing.T) {
	problems := func() []exchange.Problem {
		return []exchange.Problem{{Reason: exchange.ReasonDataplane}, {Reason: exchange.ReasonFailed}, {Reason: exchange.ReasonMTU}}
	}
	byDefault := exchange.Desired{PathMTU: []netip.Addr{netip.MustParseAddr("203.0.113.1")}}
	if got := asked(byDefault, problems()); len(got) != 1 || got[0].Reason != exchange.ReasonFailed {
		t.Errorf("the path MTU relay alone: %v", got)
	}
	learning := byDefault
	learning.Learn = []exchange.Frontend{{Address: netip.MustParseAddr("203.0.113.1"), Protocol: exchange.TCP, Port: 80}}
	if got := asked(learning, problems()); len(got) != 3 {
		t.Errorf("with learning: %v", got)
	}
}
