package relay

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/workdir"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Addresses of the site. Node i is 10.10.0.(10+i) and has the pods 10.244.i.0/24.
var (
	service4 = netip.MustParseAddr("203.0.113.1")
	service6 = netip.MustParseAddr("2001:db8:113::1")
)

const (
	servicePort = 80
	tunnelPort  = 4790
	tunnelVNI   = 7472
)

// site is a client behind a router, and nodes with a pod each.
type site struct {
	t              testing.TB
	dir            string
	router, client *sandbox.Box
	nodes          []*node
	limits         exchange.Limits
	// learned is how long the relays remember an owner.
	learned string
	seed    int
}

type node struct {
	site   *site
	number int
	box    *sandbox.Box
	pod    *sandbox.Box
	dir    string
	relay  *sandbox.Process
	log    *os.File
	// more learned flows than the site's limit: another number makes the tables anew.
	more int
}

// newSite brings up the namespaces. Nodes forward the Service by rules like those of
// kube-proxy: to any pod (masqueraded), as with externalTrafficPolicy Cluster.
func newSite(t testing.TB, nodes int) *site {
	t.Helper()
	thirdparty.Need(t)
	dir := workdir.For(t, "relay")
	s := &site{t: t, dir: dir, learned: learnedTimeout, limits: exchange.Limits{FloodsPerSecond: 2000, LearnedFlows: 10000}}
	t.Cleanup(func() {
		for _, n := range s.nodes {
			n.logIfFailed()
		}
		for _, b := range slices.Concat(s.boxes(), []*sandbox.Box{s.client, s.router}) {
			if b != nil {
				b.Kill()
			}
		}
	})
	must(t, binaries.Install(filepath.Join(dir, "bin")))
	s.router, s.client = s.host("router"), s.host("client")
	must(t, link.Bridge(s.router, "nodes"))
	// An address of its own: else it has its ports' least, and another one when the port of
	// a node that crashes is gone.
	must(t, link.Batch(s.router, "link set nodes address 02:00:00:00:00:01", "addr add 10.10.0.1/24 dev nodes"))
	must(t, link.Batch6(s.router, "addr add fd00:10::1/64 dev nodes nodad"))
	must(t, link.Connect(
		link.End{Box: s.router, Name: "client", Addresses: prefixes("198.51.100.1/24", "2001:db8:51::1/64")},
		link.End{Box: s.client, Name: "eth0", Addresses: prefixes("198.51.100.2/24", "2001:db8:51::2/64")}))
	must(t, link.Batch(s.client, "route add default via 198.51.100.1", "route add default via 2001:db8:51::1"))
	// By addresses, protocol and ports, computed for each packet. Policy 1 would take
	// the hash that the sender's socket left on the packet, and no seed changes that.
	must(t, s.router.Sysctl(map[string]string{
		"net.ipv4.fib_multipath_hash_policy": "3", "net.ipv4.fib_multipath_hash_fields": "0x37",
		"net.ipv6.fib_multipath_hash_policy": "3", "net.ipv6.fib_multipath_hash_fields": "0x37",
	}))
	for i := 1; i <= nodes; i++ {
		s.addNode(i)
	}
	for _, n := range s.nodes {
		n.forwardService()
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func (s *site) boxes() []*sandbox.Box {
	var all []*sandbox.Box
	for _, n := range s.nodes {
		all = append(all, n.pod, n.box)
	}
	return all
}

func (s *site) host(name string) *sandbox.Box {
	box, err := sandbox.Start(sandbox.Spec{Name: name, Dir: filepath.Join(s.dir, name)})
	must(s.t, err)
	must(s.t, box.Sysctl(map[string]string{
		"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1", "net.ipv6.conf.default.forwarding": "1",
		"net.ipv6.conf.all.accept_dad": "0", "net.ipv6.conf.default.accept_dad": "0",
	}))
	return box
}

func (s *site) addNode(i int) {
	n := &node{site: s, number: i, box: s.host(fmt.Sprintf("node%d", i)), pod: s.host(fmt.Sprintf("pod%d", i))}
	n.dir = filepath.Join(s.dir, fmt.Sprintf("exchange%d", i))
	must(s.t, os.MkdirAll(n.dir, 0o700))
	s.nodes = append(s.nodes, n)
	must(s.t, link.Connect(
		link.End{Box: n.box, Name: "eth0", Addresses: prefixes(fmt.Sprintf("10.10.0.%d/24", 10+i), fmt.Sprintf("fd00:10::%d/64", 10+i))},
		link.End{Box: s.router, Name: fmt.Sprintf("node%d", i), Master: "nodes"}))
	must(s.t, link.Connect(
		link.End{Box: n.box, Name: "pod", Addresses: prefixes(fmt.Sprintf("10.244.%d.1/24", i), fmt.Sprintf("fd00:244:%d::1/64", i))},
		link.End{Box: n.pod, Name: "eth0", Addresses: prefixes(fmt.Sprintf("10.244.%d.2/24", i), fmt.Sprintf("fd00:244:%d::2/64", i))}))
	must(s.t, link.Batch(n.pod, fmt.Sprintf("route add default via 10.244.%d.1", i), fmt.Sprintf("route add default via fd00:244:%d::1", i)))
	routes := []string{"route add default via 10.10.0.1", "route add default via fd00:10::1"}
	for _, other := range s.nodes {
		if other == n {
			continue
		}
		j := other.number
		routes = append(routes, fmt.Sprintf("route add 10.244.%d.0/24 via 10.10.0.%d", j, 10+j), fmt.Sprintf("route add fd00:244:%d::/64 via fd00:10::%d", j, 10+j))
		must(s.t, link.Batch(other.box, fmt.Sprintf("route add 10.244.%d.0/24 via 10.10.0.%d", i, 10+i), fmt.Sprintf("route add fd00:244:%d::/64 via fd00:10::%d", i, 10+i)))
	}
	must(s.t, link.Batch(n.box, routes...))
	s.serve(n.pod)
}

// forwardService is what kube-proxy in nftables mode does for a Service with all pods.
func (n *node) forwardService() {
	n.nft(proxyRules(n.site.nodes))
}

// proxyRules send to the pods of these nodes.
func proxyRules(with []*node) string {
	var rules strings.Builder
	for _, f := range []struct{ family, match, service, pod string }{
		{"ip", "ip", service4.String(), "10.244.%d.2 : %d"}, {"ip6", "ip6", service6.String(), "[fd00:244:%d::2]:%d"},
	} {
		var pods []string
		for i, other := range with {
			host := fmt.Sprintf("10.244.%d.2", other.number)
			if f.family == "ip6" {
				host = fmt.Sprintf("fd00:244:%d::2", other.number)
			}
			pods = append(pods, fmt.Sprintf("%d : %s", i, host))
		}
		fmt.Fprintf(&rules, `table %[1]s proxy {
 chain nat { type nat hook prerouting priority dstnat
  %[1]s daddr %[2]s meta l4proto { tcp, udp } th dport %[3]d dnat to numgen random mod %[4]d map { %[5]s }
 }
 chain port { type nat hook postrouting priority srcnat
  oifname { eth0, pod } ct status dnat masquerade
 }
}
`, f.family, f.service, servicePort, len(pods), strings.Join(pods, ", "))
	}
	return rules.String()
}

func (n *node) nft(rules string) {
	n.site.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	_, err := n.box.RunInput(ctx, rules, "nft", "-f", "-")
	must(n.site.t, err)
}

func (n *node) name() string { return fmt.Sprintf("node%d", n.number) }

func (n *node) address4() string { return fmt.Sprintf("10.10.0.%d", 10+n.number) }
func (n *node) address6() string { return fmt.Sprintf("fd00:10::%d", 10+n.number) }

// route makes the router spread the Service over nodes.
func (s *site) route(nodes ...*node) {
	s.t.Helper()
	four, six := "route replace "+service4.String()+"/32", "route replace "+service6.String()+"/128"
	for _, n := range nodes {
		four += " nexthop via " + n.address4()
		six += " nexthop via " + n.address6()
	}
	must(s.t, link.Batch(s.router, four, six))
}

// nextSeed is one that was not used before.
func (s *site) nextSeed() int {
	s.seed++
	return s.seed
}

func deadline(after time.Duration) time.Time { return time.Now().Add(after) }

// rehash gives the router's hash another seed: nearly every connection goes elsewhere.
func (s *site) rehash(seed int) {
	s.t.Helper()
	must(s.t, s.router.Sysctl(map[string]string{"net.ipv4.fib_multipath_hash_seed": fmt.Sprint(seed)}))
}
