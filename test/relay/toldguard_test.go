package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/rules"
	"github.com/herald-lb/herald/relay/tell"
	"github.com/herald-lb/herald/relay/tunnel"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// Only a node's own processes may say "again", and only of what is searched there.
func TestWhoMayTell(t *testing.T) {
	s := newSite(t, 3)
	s.relays()
	p := newPuppeteer(s)
	n, peer := s.nodes[0], s.nodes[1]
	const netAdmin = "0000000000001000" // 1<<CAP_NET_ADMIN
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.relay.Pid()))
	must(t, err)
	if !strings.Contains(string(status), "CapEff:\t"+netAdmin) {
		t.Errorf("it doesn't tell by NET_ADMIN alone: %s", status)
	}
	given := p.client(1, false)
	p.toldOnce(given, 0)
	_, theirs := given.next()
	segment := tell.First{From: given.local, To: given.remote, Sequence: given.mine, Acknowledged: theirs, Window: 1024}
	stranger := segment
	stranger.From = p.client(2, false).local
	for _, c := range []struct {
		who           string
		from          *sandbox.Box
		mac           net.HardwareAddr
		vni           uint32
		segment       tell.First
		refused, told int
	}{
		{"a host of the nodes' network", s.router, tunnel.Again, tunnelVNI, segment, 1, 0},
		{"another node", peer.box, tunnel.Again, tunnelVNI, segment, 1, 0},
		{"the node, as another", n.box, tunnel.MAC(netip.MustParseAddr(peer.address4())), tunnelVNI, segment, 1, 0},
		{"the node, as an owner", n.box, tunnel.Again, tunnelVNI + 1, segment, 1, 0},
		{"the node, of what isn't searched", n.box, tunnel.Again, tunnelVNI, stranger, 0, 0},
		{"the node", n.box, tunnel.Again, tunnelVNI, segment, 0, 1},
	} {
		refused, told, unclaimed := n.count("refused"), n.count("told"), n.count("unclaimed")
		s.sendFrames(c.from, n, c.segment, frame{c.vni, c.mac}, frame{tunnelVNI + 1, tunnel.Again})
		// The second is refused, whoever sends it: when it is, the first has arrived.
		must(t, wait.Until(context.Background(), "what "+c.who+" sends has arrived", wait.Route, func(context.Context) (bool, error) {
			got := n.count("refused") - refused
			return got > c.refused, fmt.Errorf("refused %d", got)
		}))
		if r, to, u := n.count("refused")-refused-1, n.count("told")-told, n.count("unclaimed")-unclaimed; r != c.refused || to != c.told || u != c.told {
			t.Errorf("%s: refused %d, told %d, unclaimed %d, want %d, %d, %d", c.who, r, to, u, c.refused, c.told, c.told)
		}
	}
	must(t, given.gets(func(a reply) bool { return a.flags&flagRST != 0 }))
}

// The same where the tunnel is IPv6. Linux drops what comes from elsewhere with an own
// address as its source over IPv4, and doesn't over IPv6.
func TestToldThroughAnIPv6Tunnel(t *testing.T) {
	s := newSite(t, 2)
	for _, n := range s.nodes {
		n.start()
	}
	for _, n := range s.nodes {
		d := n.desired()
		d.Addresses = d.Addresses[1:]
		for i := range d.Peers {
			d.Peers[i].Addresses = d.Peers[i].Addresses[1:]
		}
		n.want(d)
	}
	p := newPuppeteer(s)
	alive := p.client(1, false)
	must(t, alive.handshake(1))
	must(t, alive.says(1, "before"))
	must(t, alive.says(0, "displaced"))
	given := p.client(2, false)
	p.toldOnce(given, 0)
	p.toldOnce(p.client(3, true), 0)
	must(t, alive.unreset())
	n := s.nodes[0]
	own := netip.MustParseAddr(n.address6())
	refused, told := n.count("refused"), n.count("told")
	segment := tell.First{From: given.local, To: given.remote, Sequence: given.mine, Acknowledged: given.theirs, Window: 1024}
	message := tell.Frame(tunnelVNI, tunnel.MAC(own), tunnel.Again, segment.Segment())
	datagram := binary.BigEndian.AppendUint16([]byte{0x80, 0, tunnelPort >> 8, tunnelPort & 0xff}, uint16(8+len(message)))
	p.send(0, own, own, unix.IPPROTO_UDP, 6, slices.Concat(datagram, []byte{0, 0}, message))
	must(t, wait.Until(context.Background(), "a spoofed frame is refused", wait.Route, func(context.Context) (bool, error) {
		return n.count("refused") == refused+1, fmt.Errorf("refused %d", n.count("refused")-refused)
	}))
	if got := n.count("told"); told != 2 || got != told {
		t.Errorf("told %d, and %d after a spoofed frame, want 2", told, got)
	}
}

// What strangers can have told is bounded by what they can have flooded.
func TestTellingIsBounded(t *testing.T) {
	const limit, acks = 50, 20000
	s := newSite(t, 3)
	s.limits.FloodsPerSecond = limit
	s.route(s.nodes...)
	s.relays()
	took := s.spoofACKs(acks)
	p := newPuppeteer(s)
	for i := range s.nodes {
		// These are told when what came before them is.
		p.toldByMore(p.client(i, false), i)
	}
	for _, n := range s.nodes {
		flooded, told, unclaimed := n.count("flooded"), n.count("told"), n.count("unclaimed")
		most := int(limit*(took.Seconds()+4)) + 20
		t.Logf("%s: %d ACKs to all in %s: flooded %d, told %d, unclaimed %d", n.name(), acks, took, flooded, told, unclaimed)
		if told == 0 || told > flooded || flooded > most || unclaimed > most {
			t.Errorf("%s: flooded %d, told %d, unclaimed %d: want at most %d", n.name(), flooded, told, unclaimed, most)
		}
		n.until("it has lost nothing", func(r exchange.Report) error {
			if r.Counters.NotTold != 0 || r.Counters.Told == 0 || len(r.Notes) > 0 {
				return fmt.Errorf("%+v", r)
			}
			return nil
		})
	}
}

// Another program that reads the log group keeps clients from being told early, and
// nothing else; the node says so, and goes on when it is gone.
func TestLogGroupOfAnother(t *testing.T) {
	s := newSite(t, 2)
	n := s.nodes[0]
	var other *tell.Teller
	must(t, n.box.InNetwork(func() (err error) {
		kernel, err := rules.Open()
		if err == nil {
			err = errors.Join(kernel.CanLog(), kernel.CanReset(rules.IPv4), kernel.CanReset(rules.IPv6))
		}
		if err != nil {
			return err
		}
		other, err = tell.Start(tell.Spec{Local: netip.MustParseAddr(n.address4()), Port: tunnelPort + 1, VNI: tunnelVNI, Ask: time.Hour, Tell: time.Hour}, slog.New(slog.DiscardHandler), new(atomic.Uint64))
		return err
	}))
	if left := n.run("nft", "list", "tables"); strings.Contains(left, "herald") {
		t.Errorf("asking the kernel what it can has left %s", left)
	}
	s.relays()
	p := newPuppeteer(s)
	n.until("it says so", func(r exchange.Report) error {
		if len(r.Notes) != 1 || len(r.Problems) > 0 || !r.Learning {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
	p.toldByMore(p.client(1, false), 0)
	other.Close()
	n.until("nobody reads it but the relay", func(r exchange.Report) error {
		if len(r.Notes) > 0 {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
	p.toldOnce(p.client(2, false), 0)
	if n.count("told") != 1 {
		t.Errorf("told %d, want 1", n.count("told"))
	}
}

// Who can't be asked for a second time, as the limit is reached, isn't told: the copy of
// his first packet may have been lost.
func TestNotAskedTwiceIsNotTold(t *testing.T) {
	const burst = 5 // of the smallest limit
	s := newSite(t, 2)
	s.limits.FloodsPerSecond = 1
	n := s.nodes[0]
	s.route(n)
	s.relays()
	p := newPuppeteer(s)
	var clients []*puppet
	for i := range burst {
		clients = append(clients, p.client(i, false))
	}
	for _, c := range clients {
		c.asks(0)
	}
	// Their second questions take what has come to the limit meanwhile: one, on a slow machine two.
	const most = 2
	must(t, wait.Until(context.Background(), "the second questions meet the limit", wait.Route, func(context.Context) (bool, error) {
		got := n.count("limited")
		return got >= burst-most, fmt.Errorf("limited %d", got)
	}))
	for _, c := range clients {
		mine, theirs := c.next()
		must(t, c.until(func() { c.tcp(0, flagACK, mine, theirs, nil) }, func(a reply) bool { return a.flags&flagRST != 0 }))
	}
	p.toldByMore(p.client(burst, false), 0) // longer than what is told takes
	if got := n.count("told"); got > most {
		t.Errorf("told %d of %d, want at most %d", got, burst, most)
	}
}

// frame is what tells one in the tunnel from another.
type frame struct {
	vni uint32
	mac net.HardwareAddr
}

// sendFrames sends a segment to a node's end of the tunnel, in these.
func (s *site) sendFrames(from *sandbox.Box, to *node, segment tell.First, frames ...frame) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	conn, err := from.Dial(ctx, "udp", fmt.Sprintf("%s:%d", to.address4(), tunnelPort))
	must(s.t, err)
	defer conn.Close()
	for _, f := range frames {
		_, err = conn.Write(tell.Frame(f.vni, tunnel.MAC(netip.MustParseAddr(to.address4())), f.mac, segment.Segment()))
		must(s.t, err)
	}
}

// A process that can't keep up loses packets, says so, and goes on.
func TestTellingAfterALoss(t *testing.T) {
	s := newSite(t, 2)
	s.limits.FloodsPerSecond = 100_000
	n := s.nodes[0]
	s.route(n)
	s.relays()
	n.relay.Signal(syscall.SIGSTOP)
	s.spoofACKs(20000)
	if dropped := n.droppedMessages(); dropped == 0 {
		t.Error("the kernel had room for everything")
	}
	n.relay.Signal(syscall.SIGCONT)
	n.until("it says that it lost some", func(r exchange.Report) error {
		if r.Counters.NotTold == 0 {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
	newPuppeteer(s).toldAgain(n)
	if !n.relay.Alive() {
		t.Error("the process has ended")
	}
}

// toldAgain waits until a client is told by one segment. Those that come while the process
// is busy with what came before them may be lost, or have to wait for long.
func (p *puppeteer) toldAgain(n *node) {
	p.t.Helper()
	before, number := n.count("told"), 0
	must(p.t, wait.Until(context.Background(), "a client is told by one segment", tryFor, func(context.Context) (bool, error) {
		number++
		err := p.client(number, false).isTold(n.number - 1)
		return err == nil, err
	}))
	if n.count("told") == before {
		p.t.Error("nobody was told")
	}
}

// tryFor is for several clients, of which each has its modelPatience.
const tryFor = 2 * time.Minute

// droppedMessages are those of netfilter's netlink (12) that its readers in the node's
// network had no room for.
func (n *node) droppedMessages() int {
	n.site.t.Helper()
	sum := 0
	for line := range strings.Lines(n.run("cat", "/proc/net/netlink")) {
		// sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
		columns := strings.Fields(line)
		if len(columns) > 8 && columns[1] == "12" {
			dropped, err := strconv.Atoi(columns[8])
			must(n.site.t, err)
			sum += dropped
		}
	}
	return sum
}
