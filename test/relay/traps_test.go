package relay

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// Each trap that the design names, on one site whose nodes have rp_filter 1 for all
// devices: connections that are displaced go on through all of it.
func TestTraps(t *testing.T) {
	s := newSite(t, 4)
	for _, n := range s.nodes {
		must(t, n.box.Sysctl(map[string]string{"net.ipv4.conf.all.rp_filter": "1"}))
		n.watchLoops()
	}
	s.route(s.nodes...)
	t.Run("a stray RST circles where nothing drops it", func(t *testing.T) {
		s.strayRST()
		if s.looped() == 0 {
			t.Error("control: no stray RST went back to the router")
		}
	})
	s.relays()
	crowd := s.connect(service4, 40)
	seed := 10
	unbroken := func(t *testing.T) {
		t.Helper()
		seed++
		s.rehash(seed)
		crowd.progress(5)
		if broken, why := crowd.broken(); broken != 0 {
			t.Fatalf("%d of 40 broke: %s", broken, why)
		}
	}
	t.Run("rp_filter 1 for all devices", unbroken)
	t.Run("a relay at rest changes nothing", func(t *testing.T) {
		// Longer than two of its looks. FRR and CNI plugins follow these messages, and so
		// does the relay: one that answers itself never rests.
		for _, n := range s.nodes[:1] {
			if said := n.run("sh", "-c", "timeout 6 ip monitor link address route; true"); said != "" {
				t.Errorf("the kernel was told: %s", said)
			}
		}
	})
	t.Run("the process is killed, and its table works on", func(t *testing.T) {
		for _, n := range s.nodes {
			n.relay.Kill()
		}
		before := s.counters("relayed")
		unbroken(t)
		if s.counters("relayed") == before {
			t.Error("nothing was relayed meanwhile")
		}
		for _, n := range s.nodes {
			n.start()
		}
		unbroken(t)
		if after := s.counters("relayed"); after <= before {
			t.Errorf("relayed %d before, %d after: the new processes made the tables anew", before, after)
		}
	})
	t.Run("the tables are made anew, and nothing is known", func(t *testing.T) {
		for _, n := range s.nodes {
			d := n.desired()
			d.Limits.LearnedFlows++
			n.want(d)
			if out := n.run("nft", "list", "set", "ip", "herald", "asked"); !strings.Contains(out, fmt.Sprint(d.Limits.LearnedFlows)) {
				t.Fatal(out)
			}
			crowd.progress(5)
		}
		unbroken(t)
		for _, n := range s.nodes {
			n.want(n.desired())
		}
		unbroken(t)
	})
	t.Run("a family that isn't relayed is guarded: copies of it reach nobody", func(t *testing.T) {
		n := s.nodes[0]
		only4 := n.desired()
		only4.Learn = slices.DeleteFunc(only4.Learn, func(f exchange.Frontend) bool { return f.Address.Is6() })
		only4.PathMTU = []netip.Addr{service4}
		n.want(only4)
		// What is still displaced there leaves first.
		n.until("IPv6 isn't relayed", func(r exchange.Report) error {
			if r.Leaving != 0 || !r.Learning {
				return fmt.Errorf("%+v", r)
			}
			return nil
		})
		out := n.run("nft", "list", "table", "ip6", "herald")
		for _, device := range []string{"herald-data", "herald-claim"} {
			if !strings.Contains(out, fmt.Sprintf("iif %q drop", device)) {
				t.Errorf("nothing drops what comes out of %s: %s", device, out)
			}
		}
		n.want(n.desired())
		n.until("both are relayed", func(r exchange.Report) error {
			if !r.Learning || len(r.Problems) > 0 {
				return fmt.Errorf("%+v", r)
			}
			return nil
		})
		if out := n.run("nft", "list", "table", "ip6", "herald"); !strings.Contains(out, "chain displaced") {
			t.Errorf("IPv6 isn't relayed: %s", out)
		}
	})
	t.Run("tables that somebody deleted come back", func(*testing.T) {
		s.nodes[0].nft("delete table ip6 herald\n")
		s.nodes[0].untilTable()
	})
	t.Run("a family that can't be made keeps nothing from the other", func(t *testing.T) {
		n := s.nodes[0]
		n.relay.Kill()
		// A table that has an owner is nobody else's, and goes with its owner.
		n.nft("delete table ip6 herald\n")
		said, say := io.Pipe()
		owner, err := n.box.Start(sandbox.Command{Args: []string{"nft", "-i"}, Stdin: said, Stdout: io.Discard, Stderr: io.Discard})
		must(t, err)
		defer owner.Kill()
		defer say.Close()
		_, err = io.WriteString(say, "add table ip6 herald { flags owner; }\n")
		must(t, err)
		n.untilTable()
		n.start()
		n.until("only IPv4 is relayed", func(r exchange.Report) error {
			if !r.Learning || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "IPv6") {
				return fmt.Errorf("%+v", r)
			}
			return nil
		})
		unbroken(t)
		say.Close()
		owner.Kill()
		n.until("both are relayed", func(r exchange.Report) error {
			if !r.Learning || len(r.Problems) > 0 {
				return fmt.Errorf("%+v", r)
			}
			return nil
		})
		n.untilTable()
	})
	t.Run("a device is made anew", func(t *testing.T) {
		for _, n := range s.nodes {
			link.Remove(n.box, "herald-data")
			n.untilDevice()
		}
		unbroken(t)
	})
	t.Run("a peer leaves and comes back", func(t *testing.T) {
		for _, n := range s.nodes[1:] {
			d := n.desired()
			d.Peers = append(d.Peers, exchange.Peer{Node: "node9", Addresses: []netip.Addr{netip.MustParseAddr("10.10.0.99"), netip.MustParseAddr("fd00:10::99")}})
			n.want(d)
		}
		unbroken(t)
		for _, n := range s.nodes[1:] {
			n.want(n.desired())
		}
		unbroken(t)
	})
	t.Run("a client uses its port again", func(t *testing.T) {
		for i := range 8 {
			if err := s.reusePort(40000, func() { seed++; s.rehash(seed) }); err != nil {
				t.Fatalf("connection %d from one port: %v", i+1, err)
			}
		}
	})
	t.Run("strangers may not send into the tunnel", func(t *testing.T) {
		before := s.counters("refused")
		s.sendUDP(s.router, s.nodes[0].address4(), tunnelPort)
		if got := s.counters("refused"); got == before {
			t.Errorf("refused %d before and after", got)
		}
	})
	t.Run("a flood of spoofed ACKs is bounded", func(t *testing.T) {
		for _, n := range s.nodes {
			d := n.desired()
			d.Limits.FloodsPerSecond = 50
			n.want(d)
		}
		unbroken(t)
		before := s.counters("flooded")
		took := s.spoofACKs(20000)
		flooded, limited := s.counters("flooded")-before, s.counters("limited")
		most := int(50*(took.Seconds()+2)+20) * len(s.nodes)
		t.Logf("20000 ACKs in %s: flooded %d, limited %d", took, flooded, limited)
		if flooded > most || limited < 20000/2 {
			t.Errorf("flooded %d (at most %d), limited %d", flooded, most, limited)
		}
		crowd.progress(5)
		if broken, why := crowd.broken(); broken != 0 {
			t.Errorf("%d of 40 broke: %s", broken, why)
		}
		for _, n := range s.nodes {
			n.want(n.desired())
		}
		unbroken(t)
	})
	t.Run("a stray RST is dropped", func(t *testing.T) {
		before := s.looped()
		s.strayRST()
		if got := s.looped() - before; got != 0 {
			t.Errorf("%d packets went back to the router", got)
		}
	})
	t.Run("what nobody has is told, and searched for a time only", func(t *testing.T) {
		s.strayACK()
		if s.counters("unclaimed") == 0 || s.counters("told") == 0 {
			t.Error("no packet went to the local stack, or none of the relay's")
		}
	})
	t.Run("the report says what is owned and learned", func(t *testing.T) {
		owned, preserved := 0, 0
		for _, n := range s.nodes {
			r := n.until("what it owns is counted", func(r exchange.Report) error {
				if r.Learned == nil || r.Owned == nil {
					return fmt.Errorf("%+v", r)
				}
				return nil
			})
			owned += r.Owned[service4]
			preserved += r.Preserved
		}
		if preserved < 40 || preserved > 60 {
			t.Errorf("%d connections are preserved, 40 are open", preserved)
		}
		if owned < 40 || owned > 60 {
			t.Errorf("%d connections are owned, 40 are open", owned)
		}
	})
	t.Run("switching off waits for what is displaced", func(t *testing.T) {
		leaving := 0
		for _, n := range s.nodes {
			d := n.desired()
			d.Learn, d.PathMTU = nil, nil
			n.want(d)
		}
		crowd.progress(20)
		owned := 0
		for _, n := range s.nodes {
			r := n.until("none that it owns counts as preserved", func(r exchange.Report) error {
				if r.Owned == nil || r.Preserved > 0 {
					return fmt.Errorf("%+v", r)
				}
				return nil
			})
			owned += r.Owned[service4]
		}
		if owned < 40 {
			t.Errorf("%d connections are owned, 40 are open", owned)
		}
		for _, n := range s.nodes {
			leaving += n.until("it leaves", func(r exchange.Report) error {
				if r.Learning {
					return fmt.Errorf("%+v", r)
				}
				return nil
			}).Leaving
		}
		if broken, why := crowd.broken(); broken != 0 || leaving == 0 {
			t.Errorf("%d of 40 broke: %s; leaving %d", broken, why, leaving)
		}
		// Uninstalling doesn't wait.
		first := s.nodes[0]
		first.nft("add table ip herald-probe\nadd table ip6 herald-probe\n") // a relay was killed on an older kernel
		first.want(exchange.Desired{Node: first.name(), Remove: true})
		if left := first.run("sh", "-c", "nft list tables; ip -br link"); strings.Contains(left, "herald") {
			t.Errorf("uninstalled, and there is still %s", left)
		}
		crowd.close()
		for _, n := range s.nodes {
			n.untilGone()
		}
	})
}

// watchLoops counts packets to the Service that the node sends back to the router.
func (n *node) watchLoops() {
	n.nft(fmt.Sprintf("table ip watch {\n counter looped { }\n chain forward { type filter hook forward priority 100\n ip daddr %s oifname eth0 counter name looped\n }\n}\n", service4))
}

func (s *site) looped() int {
	sum := 0
	for _, n := range s.nodes {
		sum += packets(s.t, n.run("nft", "list", "counter", "ip", "watch", "looped"))
	}
	return sum
}

func (n *node) untilTable() {
	must(n.site.t, wait.Until(context.Background(), n.name()+" has its table", wait.Route, func(ctx context.Context) (bool, error) {
		_, err := n.box.Run(ctx, "nft", "list", "table", "ip6", "herald")
		return err == nil, err
	}))
}

func (n *node) untilDevice() {
	must(n.site.t, wait.Until(context.Background(), n.name()+" has its device, and rules for it", wait.Route, func(ctx context.Context) (bool, error) {
		out, err := n.box.Run(ctx, "nft", "list", "chain", "ip", "herald", "relay")
		if err != nil || !strings.Contains(out, `iif "herald-data"`) {
			return false, fmt.Errorf("%w: %s", err, out)
		}
		_, err = n.box.Run(ctx, "ip", "link", "show", "up", "herald-data")
		return err == nil, err
	}))
}

func (n *node) untilGone() {
	must(n.site.t, wait.Until(context.Background(), n.name()+" has nothing left", 2*wait.Route, func(ctx context.Context) (bool, error) {
		out, err := n.box.Run(ctx, "sh", "-c", "nft list tables; ip -br link")
		return err == nil && !strings.Contains(out, "herald"), fmt.Errorf("%w: %s", err, out)
	}))
}
