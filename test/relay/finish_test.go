package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/herald-lb/herald/relay/tell"
	"github.com/herald-lb/herald/relay/tunnel"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// inBoth is rules of both families: %[1]s is the family, %[2]s the Service, %[3]s what it
// is translated to.
func inBoth(rules, pod4, pod6 string) string {
	return fmt.Sprintf(rules, "ip", service4, pod4) + fmt.Sprintf(rules, "ip6", service6, pod6)
}

// toPod is what kube-proxy does of a Service with one pod.
const toPod = `table %[1]s proxy {
 chain nat { type nat hook prerouting priority dstnat
  %[1]s daddr %[2]s tcp dport 80 dnat to %[3]s
 }
 chain port { type nat hook postrouting priority srcnat
  oifname { eth0, pod } ct status dnat masquerade
 }
}
`

// proxy replaces what the node does with the Service.
func (n *node) proxy(rules string) {
	n.site.t.Helper()
	n.nft("add table ip proxy\nadd table ip6 proxy\ndelete table ip proxy\ndelete table ip6 proxy\n" + rules)
}

// The local stack may say nothing of a connection that nobody has: its client is reset all
// the same, by its first packet.
func TestNeverSilent(t *testing.T) {
	s := newSite(t, 4)
	s.relays()
	p := newPuppeteer(s)
	owner, n, control := s.nodes[0], s.nodes[1], s.nodes[2]
	for _, node := range s.nodes {
		must(t, link.Batch(node.box, "route add unreachable 10.244.99.0/24", "route add unreachable fd00:244:99::/64"))
	}
	deadPod := inBoth(toPod, "10.244.1.2", "fd00:244:1::2")
	livePod := inBoth(toPod, "10.244.4.2", "fd00:244:4::2")
	cases := map[string]string{
		"a pod that died with its node":     deadPod,
		"a pod whose address leads nowhere": inBoth(toPod, "10.244.99.2", "fd00:244:99::2"),
		// What kube-proxy does of Local without endpoints, in its two modes, and of Cluster.
		"dropped before it is translated": inBoth("table %[1]s proxy {\n chain c { type filter hook prerouting priority -110\n  %[1]s daddr %[2]s drop\n }\n}\n", "", ""),
		"dropped as it is forwarded":      livePod + inBoth("table %[1]s proxy {\n chain c { type filter hook forward priority 0\n  ct original %[1]s daddr %[2]s drop\n }\n}\n", "", ""),
		"rejected by ICMP":                livePod + inBoth("table %[1]s proxy {\n chain c { type filter hook forward priority 0\n  ct original %[1]s daddr %[2]s ct state new reject\n }\n}\n", "", ""),
	}
	s.route(owner)
	conns := map[string][]net.Conn{}
	for what := range cases {
		for _, to := range []netip.Addr{service4, service6} {
			conns[what] = append(conns[what], s.open(to))
		}
	}
	s.crash(owner)
	s.route(n)
	number := 0
	for what, rules := range cases {
		t.Run(what, func(t *testing.T) {
			n.proxy(rules)
			before := n.count("finished")
			for _, conn := range conns[what] {
				began := time.Now()
				_, err := conn.Write([]byte("is anybody there"))
				must(t, err)
				must(t, conn.SetReadDeadline(deadline(patience)))
				_, err = conn.Read(make([]byte, 1))
				if took := time.Since(began); !errors.Is(err, syscall.ECONNRESET) || took > toldWithin {
					t.Errorf("%s: %v after %s, want a reset", conn.RemoteAddr(), err, took)
				}
			}
			// And those that have no stack, so that nothing is sent a second time.
			for _, over6 := range []bool{false, true} {
				number++
				p.toldOnce(p.client(number, over6), 1)
			}
			if got := n.count("finished") - before; got != 4 {
				t.Errorf("reset %d, want 4", got)
			}
		})
	}
	t.Run("control: without the rule that resets it is silent", func(t *testing.T) {
		control.proxy(deadPod)
		silent := map[string]*puppet{"ip": p.client(50, false), "ip6": p.client(51, true)}
		for family, c := range silent {
			control.nft(fmt.Sprintf("table %[1]s herald {\n counter control { }\n}\nflush chain %[1]s herald finish\nadd rule %[1]s herald finish counter name control drop\n", family))
			c.asks(2)
		}
		for family, c := range silent {
			must(t, wait.Until(context.Background(), "the last segment came", wait.Route, func(context.Context) (bool, error) {
				got := packets(t, control.run("nft", "list", "counter", family, "herald", "control"))
				return got == 1, fmt.Errorf("%d came", got)
			}))
			if told := packets(t, control.run("nft", "list", "counter", family, "herald", "told")); told != 1 {
				t.Errorf("%s: told %d, want 1", family, told)
			}
			must(t, c.unreset())
		}
	})
}

// open opens a connection to the Service that has said something.
func (s *site) open(to netip.Addr) net.Conn {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	conn, err := s.client.Dial(ctx, "tcp", netip.AddrPortFrom(to, servicePort).String())
	must(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	must(s.t, conn.SetDeadline(deadline(patience)))
	_, err = conn.Write([]byte("x"))
	must(s.t, err)
	_, err = conn.Read(make([]byte, 1))
	must(s.t, err)
	must(s.t, conn.SetDeadline(time.Time{}))
	return conn
}

// The state of a connection is lost, and its pod has it still: it says so to what it is
// told, and the client isn't reset.
func TestAPodHasTheFirstSay(t *testing.T) {
	s := newSite(t, 2)
	s.relays()
	p := newPuppeteer(s)
	n := s.nodes[0]
	// As with Local: the pod sees the client's own address. IPv6's is dead.
	n.proxy(strings.ReplaceAll(inBoth(toPod, "10.244.1.2", "fd00:244:99::2"), "masquerade", "accept"))
	c := p.client(1, false)
	must(t, c.handshake(0))
	must(t, c.says(0, "before"))
	must(t, n.box.InNetwork(func() error { return netlink.ConntrackTableFlush(netlink.ConntrackTable) }))
	c.asks(0)
	must(t, c.gets(func(a reply) bool { return a.flags == flagACK }))
	p.toldOnce(p.client(2, true), 0) // after what came before it
	must(t, c.unreset())
	if told, reset := n.count("told"), n.count("finished"); told != 2 || reset != 1 {
		t.Errorf("told %d, reset %d, want both told and the other one reset", told, reset)
	}
	must(t, c.says(0, "and on it goes"))
}

// What may happen between "again" and "finish": each step is sent by hand.
func TestWhoIsReset(t *testing.T) {
	s := newSite(t, 2)
	s.relays()
	p := newPuppeteer(s)
	n, peer := s.nodes[0], s.nodes[1]
	n.relay.Kill()
	dead, live := inBoth(toPod, "10.244.99.2", "fd00:244:99::2"), inBoth(toPod, "10.244.2.2", "fd00:244:2::2")
	again, last := frame{tunnelVNI, tunnel.Again}, frame{tunnelVNI, tunnel.Finish}
	for i, c := range []struct {
		what, proxy string
		// told says that "again" comes before.
		told    bool
		between func(*puppet, tell.First)
		from    *sandbox.Box
		refused int
		reset   int
	}{
		{"nothing answers", dead, true, func(*puppet, tell.First) {}, n.box, 0, 1},
		{"it was reset", dead, true, func(_ *puppet, f tell.First) { n.hears(n.box, f, last) }, n.box, 0, 0},
		{"it wasn't told", dead, false, func(*puppet, tell.First) {}, n.box, 0, 0},
		{"a host of the nodes' network says so", dead, true, func(*puppet, tell.First) {}, s.router, 1, 0},
		{"another node says so", dead, true, func(*puppet, tell.First) {}, peer.box, 1, 0},
		{"an owner claims it", dead, true, func(_ *puppet, f tell.First) {
			s.sendFrames(peer.box, n, f, frame{tunnelVNI + 1, tunnel.MAC(netip.MustParseAddr(peer.address4()))})
			n.untilSet("learned-node2", true)
		}, n.box, 0, 0},
		{"its pod resets it, and its client has another one open", live, true, func(c *puppet, _ tell.First) {
			must(t, c.gets(func(a reply) bool { return a.flags&flagRST != 0 }))
			must(t, c.handshake(0))
		}, n.box, 0, 0},
		{"its pod resets it, and its client opens another one", live, true, func(c *puppet, _ tell.First) {
			must(t, c.gets(func(a reply) bool { return a.flags&flagRST != 0 }))
			n.proxy(dead)
			looks := n.looks()
			c.tcp(0, flagSYN, c.mine+1000, 0, nil)
			must(t, wait.Until(context.Background(), "conntrack has its SYN", wait.Route, func(context.Context) (bool, error) {
				return n.looks() > looks, fmt.Errorf("%d", looks)
			}))
		}, n.box, 0, 0},
		{"the others have changed", dead, true, func(*puppet, tell.First) {
			d := n.desired()
			d.Peers = nil
			n.start()
			n.want(d)
			n.want(n.desired())
			n.relay.Kill()
		}, n.box, 0, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			n.proxy(c.proxy)
			client := p.client(i, false)
			expected := n.searches(client)
			f := tell.First{From: client.local, To: client.remote, Sequence: client.mine, Acknowledged: expected, Window: 1024}
			n.hears(n.box, f, frame{tunnelVNI, tunnel.AskAgain})
			n.untilSet("flooding", false)
			told := n.count("told")
			if c.told {
				n.hears(n.box, f, again)
				if got := n.count("told") - told; got != 1 {
					t.Fatalf("told %d, want 1", got)
				}
			}
			c.between(client, f)
			client.drain()
			reset, refused := n.count("finished"), n.count("refused")
			n.hears(c.from, f, last)
			if r, refused := n.count("finished")-reset, n.count("refused")-refused-1; r != c.reset || refused != c.refused {
				t.Errorf("reset %d, refused %d, want %d and %d", r, refused, c.reset, c.refused)
			}
			if c.reset == 0 {
				must(t, client.unreset())
				return
			}
			must(t, client.gets(func(a reply) bool { return a.flags == flagRST && a.sequence == expected }))
		})
	}
}

// searches has a client ask once by the node, which asks the others then.
func (n *node) searches(c *puppet) (expected uint32) {
	n.site.t.Helper()
	before := n.count("flooded")
	expected = c.asks(n.number - 1)
	must(n.site.t, wait.Until(context.Background(), "it is searched", wait.Route, func(context.Context) (bool, error) {
		got := n.count("flooded") - before
		return got == 1, fmt.Errorf("flooded %d", got)
	}))
	return expected
}

// hears has a node get a segment, and what follows it refused: then it has come.
func (n *node) hears(from *sandbox.Box, f tell.First, what frame) {
	n.site.t.Helper()
	before := n.count("refused")
	most := 1
	if from != n.box {
		most = 2
	}
	n.site.sendFrames(from, n, f, what, frame{tunnelVNI + 1, tunnel.Again})
	must(n.site.t, wait.Until(context.Background(), "what is sent has come", wait.Route, func(context.Context) (bool, error) {
		got := n.count("refused") - before
		return got == most, fmt.Errorf("refused %d, want %d", got, most)
	}))
}

// untilSet waits until a set of IPv4's table holds something, or nothing.
func (n *node) untilSet(set string, something bool) {
	n.site.t.Helper()
	must(n.site.t, wait.Until(context.Background(), "the set "+set, wait.Route, func(context.Context) (bool, error) {
		out := n.run("nft", "list", "set", "ip", "herald", set)
		return strings.Contains(out, "elements") == something, errors.New(out)
	}))
}

// looks counts conntrack's entries of TCP to the Service.
func (n *node) looks() int {
	n.site.t.Helper()
	count := 0
	must(n.site.t, n.box.InNetwork(func() error {
		flows, err := netlink.ConntrackTableList(netlink.ConntrackTable, netlink.FAMILY_V4)
		for _, f := range flows {
			if f.Forward.Protocol == 6 && f.Forward.DstIP.Equal(net.IP(service4.AsSlice())) {
				count++
			}
		}
		return err
	}))
	return count
}

// A question that comes late makes the search last longer: an owner has as long to answer it
// as one in time.
func TestALateQuestion(t *testing.T) {
	s := newSite(t, 2)
	s.relays()
	p := newPuppeteer(s)
	n, owner := s.nodes[0], s.nodes[1]
	n.proxy(inBoth(toPod, "10.244.2.2", "fd00:244:2::2"))
	c := p.client(1, false)
	must(t, c.handshake(1))
	must(t, c.says(1, "before"))
	n.relay.Kill()
	ask, again, last := frame{tunnelVNI, tunnel.AskAgain}, frame{tunnelVNI, tunnel.Again}, frame{tunnelVNI, tunnel.Finish}
	segment := func(c *puppet) tell.First {
		expected := n.searches(c)
		n.untilSet("flooding", false)
		return tell.First{From: c.local, To: c.remote, Sequence: c.mine, Acknowledged: expected, Window: 1024}
	}
	t.Run("an owner that lost the first one", func(t *testing.T) {
		owner.nft(fmt.Sprintf("table ip lossy {\n chain input { type filter hook input priority -300\n  ip saddr %s udp dport %d limit rate 1/day burst 1 packets drop\n }\n}\n", n.address4(), tunnelPort))
		f := segment(c)
		told := n.count("told")
		n.hears(n.box, f, ask)
		n.untilSet("learned-node2", true)
		n.hears(n.box, f, again)
		n.hears(n.box, f, last)
		if got := n.count("told"); got != told {
			t.Errorf("told %d of a connection that is claimed", got-told)
		}
		must(t, c.unreset())
		must(t, c.says(0, "and on it goes"))
	})
	t.Run("nobody has it", func(t *testing.T) {
		c := p.client(2, false)
		f := segment(c)
		told := n.count("told")
		n.hears(n.box, f, ask)
		n.untilSet("flooding", false)
		n.hears(n.box, f, again)
		if got := n.count("told"); got != told+1 {
			t.Errorf("told %d, want 1", got-told)
		}
		must(t, c.gets(func(a reply) bool { return a.flags&flagRST != 0 && a.sequence == f.Acknowledged }))
	})
}
