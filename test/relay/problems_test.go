package relay

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/sandbox"
)

// obstacle is something that is wrong with a node's machine.
type obstacle struct {
	name   string
	arise  func(*node)
	reason string
	// says are the cause and the remedy, parts of the message.
	says   []string
	vanish func(*node)
}

// What is wrong with one node's machine is told with cause and remedy, breaks no
// connection, and is over when its cause is: then the node preserves connections again.
func TestProblems(t *testing.T) {
	s := newSite(t, 3)
	s.route(s.nodes...)
	s.relays()
	first := s.nodes[0]
	four, six := s.connect(service4, 24), s.connect(service6, 12)
	s.rehash(s.nextSeed()) // some are displaced when the obstacle arises
	unbroken(t, "no obstacle", four, six)
	for _, o := range obstacles() {
		t.Run(o.name, func(part *testing.T) {
			s.t = part // what fails here, in helpers too, fails this part
			defer func() { s.t = t }()
			o.arise(first)
			first.says(o, false)
			unbroken(part, "the obstacle is there", four, six)
			o.vanish(first)
			first.preservesAgain(four, six)
		})
	}
}

// says waits until the report has the obstacle, and nothing else.
func (n *node) says(o obstacle, learning bool) {
	n.site.t.Helper()
	n.until("it says "+o.reason, func(r exchange.Report) error {
		if len(r.Problems) != 1 || r.Problems[0].Reason != o.reason || r.Learning != learning || r.Problems[0].Learning == learning {
			return fmt.Errorf("%+v", r)
		}
		for _, part := range o.says {
			if !strings.Contains(r.Problems[0].Message, part) {
				return fmt.Errorf("%q isn't in %q", part, r.Problems[0].Message)
			}
		}
		return nil
	})
}

// preservesAgain waits until nothing is wrong, and has the router hash anew.
func (n *node) preservesAgain(crowds ...*crowd) {
	t := n.site.t
	t.Helper()
	n.learns()
	before := n.counter("relayed")
	for range 2 {
		n.site.rehash(n.site.nextSeed())
		unbroken(t, "the obstacle is gone", crowds...)
	}
	if got := n.counter("relayed"); got <= before {
		t.Errorf("%s relayed %d packets before the router hashed anew, %d after", n.name(), before, got)
	}
}

func unbroken(t testing.TB, when string, crowds ...*crowd) {
	t.Helper()
	for _, crowd := range crowds {
		crowd.progress(5)
		if broken, why := crowd.broken(); broken != 0 {
			t.Fatalf("%s: %d of %d broke: %s", when, broken, len(crowd.conns), why)
		}
	}
}

// Another program has the port before a node's relay: connections that aren't displaced
// go on, and all are preserved when the port is free.
func TestTunnelPortInUse(t *testing.T) {
	s := newSite(t, 2)
	s.route(s.nodes...)
	first := s.nodes[0]
	var held net.PacketConn
	must(t, first.box.InNetwork(func() (err error) {
		held, err = net.ListenPacket("udp", fmt.Sprintf(":%d", tunnelPort))
		return err
	}))
	defer held.Close()
	for _, n := range s.nodes {
		n.start()
		n.want(n.desired())
	}
	first.says(obstacle{reason: exchange.ReasonPort, says: []string{"UDP port 4790 is in use on this node (see ss -ulnp)", "give the tunnel another port"}}, false)
	s.nodes[1].learns()
	four := s.connect(service4, 24)
	unbroken(t, "the port is in use", four)
	must(t, held.Close())
	first.preservesAgain(four)
}

// The device's rp_filter is set to 1 once, and the relay mends it and says nothing; by
// something that does it again and again, and the relay says so.
func TestReversePathFilterIsSetBack(t *testing.T) {
	s := newSite(t, 2)
	s.route(s.nodes...)
	s.relays()
	four := s.connect(service4, 24) // none is displaced
	first := s.nodes[0]
	const file = "/proc/sys/net/ipv4/conf/herald-data/rp_filter"
	first.run("sh", "-c", "echo 1 > "+file)
	var mended time.Time
	first.until("it has mended it, and reported since", func(r exchange.Report) error {
		if len(r.Problems) > 0 {
			t.Errorf("it says %v", r.Problems)
		}
		got := strings.TrimSpace(first.run("cat", file))
		if got == "2" && mended.IsZero() {
			mended = time.Now()
		}
		if mended.IsZero() || !r.Time.After(mended) {
			return fmt.Errorf("rp_filter is %s, the report of %s", got, r.Time)
		}
		return nil
	})
	daemon, err := first.box.Start(sandbox.Command{
		Args: []string{"sh", "-c", "while echo 1 > " + file + "; do sleep 0.2; done"}, Stdout: first.log, Stderr: first.log,
	})
	must(t, err)
	defer daemon.Kill()
	first.says(obstacle{reason: exchange.ReasonRPFilter, says: []string{
		"net.ipv4.conf.all.rp_filter is 0 and that of herald-data 1", "sets it back again and again", "have it set net.ipv4.conf.herald-data.rp_filter to 2",
	}}, true)
	unbroken(t, "rp_filter is set back", four)
	daemon.Kill()
	first.preservesAgain(four)
}

func obstacles() []obstacle {
	without := func(args ...string) func(*node) {
		return func(n *node) { must(n.site.t, link.Batch(n.box, args...)) }
	}
	cilium := obstacle{
		arise:  without("link add cilium_host type veth peer name cilium_net"),
		reason: exchange.ReasonDataplane, says: []string{"Cilium (device cilium_host)", "switch the FlowPolicies off"},
		vanish: without("link del cilium_host"),
	}
	// beside: it is none where kube-proxy's rules are there too.
	beside := func(name, table, chain string) obstacle {
		o := cilium
		o.name = "a foreign dataplane, until " + name + " comes"
		o.vanish = func(n *node) { n.nft(fmt.Sprintf("table %s {\n chain %s { }\n}\n", table, chain)) }
		after := o.arise
		o.arise = func(n *node) {
			// What is like kube-proxy's and isn't.
			n.nft("table ip kube-proxies {\n chain services { }\n chain MY-KUBE-SERVICES { }\n}\ntable ip kube-proxy { }\ndelete table ip kube-proxy\n")
			after(n)
		}
		return o
	}
	clean := func(o obstacle, table string) obstacle {
		before := o.vanish
		o.vanish = func(n *node) {
			before(n)
			n.learns()
			must(n.site.t, link.Batch(n.box, "link del cilium_host"))
			n.nft("delete table " + table + "\ndelete table ip kube-proxies\n")
		}
		return o
	}
	cilium.name = "a foreign dataplane"
	return []obstacle{
		cilium,
		clean(beside("kube-proxy in nftables mode", "ip kube-proxy", "services"), "ip kube-proxy"),
		clean(beside("kube-proxy in iptables mode", "ip6 nat", "KUBE-SERVICES"), "ip6 nat"),
		{
			name:   "the underlay's MTU is too small",
			arise:  without("link set eth0 mtu 1320"),
			reason: exchange.ReasonMTU, says: []string{"leaves the tunnel 1270 bytes, IPv6 needs 1280", "raise the MTU of the nodes' devices"},
			vanish: without("link set eth0 mtu 1500"),
		},
		{
			name:   "the MTU of a route to one node is too small",
			arise:  without("route add 10.10.0.13/32 dev eth0 mtu lock 1300"),
			reason: exchange.ReasonMTU, says: []string{"leaves the tunnel 1250 bytes", "give the tunnel an MTU"},
			// The other remedy of the message; the route stays as it is.
			vanish: func(n *node) {
				d := n.desired()
				d.Tunnel.MTU = 1400
				n.want(d)
				n.learns()
				n.want(n.desired())
				must(n.site.t, link.Batch(n.box, "route del 10.10.0.13/32 dev eth0"))
			},
		},
		{
			name:   "more nodes than a packet can be copied to",
			arise:  func(n *node) { n.want(n.crowded(65)) },
			reason: exchange.ReasonPeers, says: []string{"65 other nodes", "at most 64 are served", "spec.nodeSelector of the Herald object"},
			vanish: func(n *node) { n.want(n.crowded(64)); n.learns(); n.want(n.desired()) },
		},
		{
			name:   "without NET_ADMIN",
			arise:  func(n *node) { n.relay.Kill(); n.startWith("-all") },
			reason: exchange.ReasonFailed, says: []string{"not permitted", "the relay's container needs the capability NET_ADMIN"},
			vanish: func(n *node) { n.relay.Kill(); n.start() },
		},
	}
}

// crowded is desired with so many other nodes.
func (n *node) crowded(peers int) exchange.Desired {
	d := n.desired()
	for i := 1; len(d.Peers) < peers; i++ {
		d.Peers = append(d.Peers, exchange.Peer{Node: fmt.Sprintf("other%02d", i), Addresses: []netip.Addr{
			netip.MustParseAddr(fmt.Sprintf("10.10.0.%d", 100+i)), netip.MustParseAddr(fmt.Sprintf("fd00:10::%d", 100+i)),
		}})
	}
	return d
}
