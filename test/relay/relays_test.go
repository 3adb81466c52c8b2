package relay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// desired is what a node's relay shall do: everything, for both addresses.
func (n *node) desired() exchange.Desired {
	d := exchange.Desired{
		Node: n.name(), Addresses: n.addresses(),
		Learn: []exchange.Frontend{
			{Address: service4, Protocol: exchange.TCP, Port: servicePort}, {Address: service6, Protocol: exchange.TCP, Port: servicePort},
			{Address: service4, Protocol: exchange.QUIC, Port: servicePort}, {Address: service6, Protocol: exchange.QUIC, Port: servicePort},
		},
		PathMTU: []netip.Addr{service4, service6}, Count: []netip.Addr{service4, service6},
		Tunnel: exchange.Tunnel{Port: tunnelPort, VNI: tunnelVNI}, Limits: n.site.limits,
	}
	for _, other := range n.site.nodes {
		if other != n {
			d.Peers = append(d.Peers, exchange.Peer{Node: other.name(), Addresses: other.addresses()})
		}
	}
	return d
}

func (n *node) addresses() []netip.Addr {
	return []netip.Addr{netip.MustParseAddr(n.address4()), netip.MustParseAddr(n.address6())}
}

// want writes relay.json and waits until the relay has it.
func (n *node) want(d exchange.Desired) {
	n.site.t.Helper()
	hash, err := exchange.WriteDesired(n.dir, d)
	must(n.site.t, err)
	n.until("the relay has its wish", func(r exchange.Report) error {
		if r.Applied != hash {
			return fmt.Errorf("applied %s, want %s; problems %v", r.Applied, hash, r.Problems)
		}
		return nil
	})
}

// learnedTimeout is short, so that switching off is seen to its end.
const learnedTimeout = "4s"

// start starts the node's relay with the one capability that its container has.
func (n *node) start() { n.site.t.Helper(); n.startWith("-all,+net_admin") }

// startWith starts it with these capabilities, in setpriv's words.
func (n *node) startWith(capabilities string) {
	n.site.t.Helper()
	var err error
	if n.log == nil {
		n.log, err = os.Create(filepath.Join(n.site.dir, n.name()+".log"))
		must(n.site.t, err)
	}
	// What one before it said isn't taken for its answer.
	if err := os.Remove(filepath.Join(n.dir, exchange.ReportFile)); !errors.Is(err, fs.ErrNotExist) {
		must(n.site.t, err)
	}
	n.relay, err = n.box.Start(sandbox.Command{
		Args: []string{
			"setpriv", "--bounding-set=" + capabilities,
			filepath.Join(n.site.dir, "bin", "herald"), "relay", "--relay-dir", n.dir, "--learned-timeout=" + n.site.learned,
		}, Stdout: n.log, Stderr: n.log,
	})
	must(n.site.t, err)
}

// relays starts every node's relay with everything on.
func (s *site) relays() {
	s.t.Helper()
	for _, n := range s.nodes {
		n.start()
	}
	for _, n := range s.nodes {
		n.want(n.desired())
	}
	for _, n := range s.nodes {
		n.learns()
	}
}

// learns waits until everything is on, and nothing is wrong.
func (n *node) learns() {
	n.site.t.Helper()
	n.until("learning is on", func(r exchange.Report) error {
		if len(r.Problems) > 0 || !r.Learning || !r.PathMTU {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
}

func (n *node) until(what string, met func(exchange.Report) error) exchange.Report {
	n.site.t.Helper()
	var got exchange.Report
	must(n.site.t, wait.Until(context.Background(), n.name()+": "+what, 6*wait.Route, func(context.Context) (bool, error) {
		var err error
		if got, err = exchange.ReadReport(n.dir); err == nil {
			err = met(got)
		}
		return err == nil, err
	}))
	return got
}

// run is a command's output in the node's network.
func (n *node) run(args ...string) string {
	n.site.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	out, err := n.box.Run(ctx, args...)
	must(n.site.t, err)
	return out
}

// counters are what all nodes' kernels counted by now, read from the tables.
func (s *site) counters(name string) int {
	s.t.Helper()
	sum := 0
	for _, n := range s.nodes {
		sum += n.counter(name)
	}
	return sum
}

// counter of one node, of both families.
func (n *node) counter(name string) int {
	n.site.t.Helper()
	sum := 0
	for _, family := range []string{"ip", "ip6"} {
		sum += packets(n.site.t, n.run("nft", "list", "counter", family, "herald", name))
	}
	return sum
}

func (n *node) logIfFailed() {
	if !n.site.t.Failed() || n.log == nil {
		return
	}
	if text, err := os.ReadFile(n.log.Name()); err == nil {
		n.site.t.Logf("%s:\n%s", n.name(), text)
	}
	if report, err := os.ReadFile(filepath.Join(n.dir, exchange.ReportFile)); err == nil {
		n.site.t.Logf("%s: %s", n.name(), report)
	}
}
