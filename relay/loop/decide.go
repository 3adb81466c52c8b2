package loop

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/rules"
	"github.com/herald-lb/herald/relay/tunnel"
)

// MaxPeers is how many nodes a packet is copied to at most.
const MaxPeers = 64

// wish is what Desired means on this machine.
type wish struct {
	learn, leaving []exchange.Frontend
	pathMTU        []netip.Addr
	peers          []node
	local          netip.Addr
	desired        exchange.Desired
}

// node is a peer by the address that the tunnel uses.
type node struct {
	name    string
	address netip.Addr
}

// nothing says that neither tables nor devices are needed.
func (w *wish) nothing() bool {
	return len(w.learn) == 0 && len(w.leaving) == 0 && len(w.pathMTU) == 0
}

// decide is pure: what is desired, less what problems keep off; leaving is what was
// on before and is still used.
func decide(d exchange.Desired, before []exchange.Frontend, used map[exchange.Frontend]bool, problems []exchange.Problem) *wish {
	w := &wish{desired: d, learn: d.Learn, pathMTU: d.PathMTU}
	for _, p := range problems {
		if p.Learning {
			w.learn = nil
		}
		if p.PathMTU {
			w.pathMTU = nil
		}
	}
	for _, f := range before {
		if !d.Remove && used[f] && !slices.Contains(w.learn, f) && !slices.Contains(w.leaving, f) {
			w.leaving = append(w.leaving, f)
		}
	}
	w.local, w.peers = nodes(d)
	if len(w.peers) > MaxPeers {
		w.peers = w.peers[:MaxPeers]
	}
	return w
}

// leaves says whether anything is on that shall not be: then it matters what is used.
func leaves(before []exchange.Frontend, d exchange.Desired, problems []exchange.Problem) bool {
	learn := d.Learn
	if slices.ContainsFunc(problems, func(p exchange.Problem) bool { return p.Learning }) {
		learn = nil
	}
	return slices.ContainsFunc(before, func(f exchange.Frontend) bool { return !slices.Contains(learn, f) })
}

// asked leaves out what nobody has asked for: the path MTU relay is on by default, and
// where the machine isn't made for it, it is off, which is no problem of anybody's.
// Learning was asked for.
func asked(d exchange.Desired, problems []exchange.Problem) []exchange.Problem {
	if len(d.Learn) > 0 {
		return problems
	}
	return slices.DeleteFunc(problems, func(p exchange.Problem) bool {
		return p.Reason == exchange.ReasonDataplane || p.Reason == exchange.ReasonMTU || p.Reason == exchange.ReasonPeers
	})
}

// nodes chooses the family that all nodes have, IPv4 first, so that all come to the
// same. Nodes that lack it are left out: see checkNodes.
func nodes(d exchange.Desired) (netip.Addr, []node) {
	four, six := pick(d.Addresses, netip.Addr.Is4), pick(d.Addresses, netip.Addr.Is6)
	peers4, peers6 := peersBy(d.Peers, netip.Addr.Is4), peersBy(d.Peers, netip.Addr.Is6)
	if !four.IsValid() || (six.IsValid() && len(peers4) < len(d.Peers) && len(peers6) == len(d.Peers)) {
		return six, peers6
	}
	return four, peers4
}

func pick(from []netip.Addr, is func(netip.Addr) bool) netip.Addr {
	for _, a := range from {
		if is(a) {
			return a
		}
	}
	return netip.Addr{}
}

func peersBy(peers []exchange.Peer, is func(netip.Addr) bool) []node {
	var all []node
	for _, p := range peers {
		if a := pick(p.Addresses, is); a.IsValid() {
			all = append(all, node{p.Node, a})
		}
	}
	return all
}

// checkNodes says what keeps the node set from being served.
func checkNodes(d exchange.Desired) []exchange.Problem {
	both := func(reason, format string, args ...any) exchange.Problem {
		return exchange.Problem{Reason: reason, Message: fmt.Sprintf(format, args...), Learning: true, PathMTU: true}
	}
	local, peers := nodes(d)
	if !local.IsValid() {
		return []exchange.Problem{both(exchange.ReasonFailed, "this node has no address: give its Node an InternalIP")}
	}
	if len(d.Peers) > MaxPeers {
		return []exchange.Problem{both(exchange.ReasonPeers,
			"%d other nodes, and a packet whose owner is unknown would be copied to each: at most %d are served; run Herald on fewer nodes (spec.nodeSelector of the Herald object)", len(d.Peers), MaxPeers)}
	}
	if len(peers) == len(d.Peers) {
		return nil
	}
	var missing []string
	for _, p := range d.Peers {
		if !slices.ContainsFunc(peers, func(n node) bool { return n.name == p.Node }) {
			missing = append(missing, p.Node)
		}
	}
	left := both(exchange.ReasonFailed, "no address of the family of %s, which the tunnel uses: %s; connections that they own are not found: give every Node an InternalIP of one family", local, strings.Join(missing, ", "))
	left.Learning, left.PathMTU = false, false
	return []exchange.Problem{left}
}

// ipv6 says whether IPv6 packets are relayed.
func (w *wish) ipv6() bool {
	is6 := func(f exchange.Frontend) bool { return f.Address.Is6() }
	return slices.ContainsFunc(w.learn, is6) || slices.ContainsFunc(w.leaving, is6) || slices.ContainsFunc(w.pathMTU, netip.Addr.Is6)
}

func (w *wish) tunnel(mtu int) tunnel.Spec {
	t := w.desired.Tunnel
	spec := tunnel.Spec{Local: w.local, Port: t.Port, VNI: t.VNI, MTU: mtu, IPv6: w.ipv6()}
	for _, p := range w.peers {
		spec.Peers = append(spec.Peers, p.address)
	}
	return spec
}

func (w *wish) plan(devices tunnel.Devices, timing rules.Timing) *rules.Plan {
	p := &rules.Plan{
		Data: devices.Data, Claim: devices.Claim, Port: w.desired.Tunnel.Port,
		Learn: w.learn, Leaving: w.leaving, PathMTU: w.pathMTU, Limits: w.desired.Limits, Timing: timing,
	}
	for _, n := range w.peers {
		p.Senders = append(p.Senders, n.address)
		p.Peers = append(p.Peers, rules.Peer{
			Name: n.name, MAC: tunnel.MAC(n.address), Via4: tunnel.Via4(n.address), Via6: tunnel.Via6(n.address),
		})
	}
	return p
}
