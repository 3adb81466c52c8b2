package router

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/herald-lb/herald/test/lab/frr"
)

// frrRouter is FRR as a router: bgpd receives, zebra installs.
type frrRouter struct {
	*base
	frr *frr.Instance
}

func startFRR(b *base) (Router, error) {
	r := &frrRouter{base: b}
	var err error
	r.frr, err = frr.Run(b.cfg.FRRVersion, b.dir,
		frr.Name(b.cfg.Name), frr.Within(b.host), frr.Startup(frrConfig(b.cfg)),
		frr.DaemonArgs("bgpd", "-p", fmt.Sprint(b.cfg.port())))
	if err != nil {
		return nil, fmt.Errorf("router %q: %w", b.cfg.Name, err)
	}
	return r, nil
}

// frrConfig is a top-of-rack router's: it takes what its neighbors send, for
// both families, and uses all equal paths.
func frrConfig(c Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "frr defaults traditional\nhostname %s\n", c.Name)
	if c.BFD {
		fmt.Fprintf(&b, "bfd\n profile lab\n  detect-multiplier %d\n exit\nexit\n", BFDMultiplier)
	}
	fmt.Fprintf(&b, "router bgp %d\n bgp router-id %s\n", c.ASN, c.RouterID)
	b.WriteString(" no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n no bgp network import-check\n" +
		" bgp bestpath as-path multipath-relax\n")
	for _, n := range c.Neighbors {
		name, behind := n.frrName(), ""
		if n.Interface != "" {
			behind = " interface"
		}
		fmt.Fprintf(&b, " neighbor %s%s remote-as %d\n neighbor %s timers connect 1\n", name, behind, n.ASN, name)
		if c.Passive {
			fmt.Fprintf(&b, " neighbor %s passive\n", name)
		}
		if c.isFar(n) {
			fmt.Fprintf(&b, " neighbor %s ebgp-multihop 254\n neighbor %s update-source %s\n", n.Address, n.Address, c.Far)
		}
		if c.BFD {
			fmt.Fprintf(&b, " neighbor %s bfd\n neighbor %s bfd profile lab\n", name, name)
		}
		if n.Password != "" {
			fmt.Fprintf(&b, " neighbor %s password %s\n", name, n.Password)
		}
		if n.ExtendedNextHop {
			fmt.Fprintf(&b, " neighbor %s capability extended-nexthop\n", name)
		}
		if n.TTLSecurity {
			fmt.Fprintf(&b, " neighbor %s ttl-security hops 1\n", name)
		}
	}
	for _, family := range []Family{IPv4, IPv6} {
		fmt.Fprintf(&b, " address-family %s unicast\n  maximum-paths 64\n  maximum-paths ibgp 64\n", family)
		for _, p := range c.Announce {
			if FamilyOf(p) == family {
				fmt.Fprintf(&b, "  network %s\n", p)
			}
		}
		for _, n := range c.Neighbors {
			fmt.Fprintf(&b, "  neighbor %s activate\n", n.frrName())
			if family == IPv6 && n.Interface == "" {
				// Else packets go to the link-local address, which the test can't tell
				// from another node's.
				fmt.Fprintf(&b, "  neighbor %s route-map GLOBAL in\n", n.Address)
			}
		}
		b.WriteString(" exit-address-family\n")
	}
	b.WriteString("exit\nroute-map GLOBAL permit 1\n set ipv6 next-hop prefer-global\nexit\n")
	return b.String()
}

// frrName is what FRR calls a neighbor.
func (n Neighbor) frrName() string {
	if n.Interface != "" {
		return n.Interface
	}
	return n.Address.String()
}

// Configure implements Router.
func (r *frrRouter) Configure(c Config) error {
	if err := os.WriteFile(filepath.Join(r.frr.EtcDir(), "wanted.conf"), []byte(frrConfig(c)), 0o644); err != nil {
		return err
	}
	if _, err := r.frr.Exec("/usr/lib/frr/frr-reload.py", "--reload", "/etc/frr/wanted.conf"); err != nil {
		return fmt.Errorf("router %q: %w", c.Name, err)
	}
	r.setConfig(c)
	return nil
}

// frrPath is one path in `show bgp FAMILY unicast json detail`. FRR 8.4 lists
// the paths of a prefix after an element about the prefix itself; from 10 on
// they can be in an object.
type frrPath struct {
	ASPath struct {
		Segments []struct {
			List []uint32 `json:"list"`
		} `json:"segments"`
	} `json:"aspath"`
	Community      frrWords `json:"community"`
	LargeCommunity frrWords `json:"largeCommunity"`
	Extended       frrWords `json:"extendedCommunity"`
	LocalPref      uint32   `json:"locPrf"`
	MED            uint32   `json:"metric"`
	NextHops       []struct {
		IP    string `json:"ip"`
		Scope string `json:"scope"`
	} `json:"nexthops"`
	Peer struct {
		ID string `json:"peerId"`
	} `json:"peer"`
}

type frrWords struct {
	String string `json:"string"`
}

// Routes implements Router.
func (r *frrRouter) Routes(_ context.Context, family Family) (Routes, error) {
	r.count.Add()
	out, err := r.frr.Show("bgpd", fmt.Sprintf("show bgp %s unicast json detail", family))
	if err != nil {
		return nil, fmt.Errorf("router %q: %w", r.Config().Name, err)
	}
	var table struct {
		Routes map[netip.Prefix]json.RawMessage `json:"routes"`
	}
	if err := json.Unmarshal([]byte(out), &table); err != nil {
		return nil, fmt.Errorf("router %q: table: %w", r.Config().Name, err)
	}
	routes := Routes{}
	for prefix, raw := range table.Routes {
		paths, err := frrPaths(raw)
		if err != nil {
			return nil, fmt.Errorf("router %q: %s: %w", r.Config().Name, prefix, err)
		}
		for _, p := range paths {
			if route, ok := p.route(); ok {
				routes[prefix] = append(routes[prefix], route)
			}
		}
	}
	return routes.sorted(), nil
}

func frrPaths(raw json.RawMessage) ([]frrPath, error) {
	var paths []frrPath
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		return paths, json.Unmarshal(raw, &paths)
	}
	var object struct {
		Paths []frrPath `json:"paths"`
	}
	err := json.Unmarshal(raw, &object)
	return object.Paths, err
}

// route is false for what isn't a path from a neighbor.
func (p *frrPath) route() (Route, bool) {
	peer, err := netip.ParseAddr(p.Peer.ID)
	if err != nil || peer.IsUnspecified() || len(p.NextHops) == 0 {
		return Route{}, false
	}
	route := Route{
		Peer: peer, LocalPref: p.LocalPref, MED: p.MED,
		Communities: strings.Fields(p.Community.String), LargeCommunities: strings.Fields(p.LargeCommunity.String),
		Bandwidth: frrBandwidth(p.Extended.String),
	}
	for _, segment := range p.ASPath.Segments {
		route.ASPath = append(route.ASPath, segment.List...)
	}
	for _, hop := range p.NextHops {
		addr, err := netip.ParseAddr(hop.IP)
		if err == nil && (!route.NextHop.IsValid() || hop.Scope == "global") {
			route.NextHop = addr
		}
	}
	return route, route.NextHop.IsValid()
}

// Sessions implements Router.
func (r *frrRouter) Sessions(context.Context) (map[netip.Addr]Session, error) {
	r.count.Add()
	out, err := r.frr.Show("bgpd", "show bgp neighbors json")
	if err != nil {
		return nil, fmt.Errorf("router %q: %w", r.Config().Name, err)
	}
	var neighbors map[string]struct {
		Address     string `json:"bgpNeighborAddr"`
		State       string `json:"bgpState"`
		Since       int64  `json:"bgpTimerUpEstablishedEpoch"`
		Transitions int    `json:"connectionsEstablished"`
		RemoteASN   uint32 `json:"remoteAs"`
		RemoteID    string `json:"remoteRouterId"`
	}
	if err := json.Unmarshal([]byte(out), &neighbors); err != nil {
		return nil, fmt.Errorf("router %q: neighbors: %w", r.Config().Name, err)
	}
	sessions := map[netip.Addr]Session{}
	for name, n := range neighbors {
		addr, err := netip.ParseAddr(name)
		if err != nil { // the name of an interface: what was found behind it
			addr, err = netip.ParseAddr(n.Address)
		}
		if err != nil {
			continue
		}
		s := Session{State: n.State, Transitions: n.Transitions, RemoteASN: n.RemoteASN}
		if n.State == Established {
			s.Since = time.Unix(n.Since, 0)
			s.RemoteID, _ = netip.ParseAddr(n.RemoteID)
		}
		sessions[addr] = s
	}
	return sessions, nil
}

// BFDPaths implements Router.
func (r *frrRouter) BFDPaths(context.Context) (map[netip.Addr]string, error) {
	r.count.Add()
	out, err := r.frr.Show("bfdd", "show bfd peers json")
	if err != nil {
		return nil, fmt.Errorf("router %q: %w", r.Config().Name, err)
	}
	var peers []struct {
		Peer   string `json:"peer"`
		Status string `json:"status"`
	}
	if err := json.Unmarshal([]byte(out), &peers); err != nil {
		return nil, fmt.Errorf("router %q: BFD peers: %w", r.Config().Name, err)
	}
	paths := map[netip.Addr]string{}
	for _, p := range peers {
		if addr, err := netip.ParseAddr(p.Peer); err == nil {
			paths[addr] = p.Status
		}
	}
	return paths, nil
}

// Disable implements Router.
func (r *frrRouter) Disable(_ context.Context, neighbor netip.Addr) error {
	return r.shutdown(neighbor, "")
}

// Enable implements Router.
func (r *frrRouter) Enable(_ context.Context, neighbor netip.Addr) error {
	return r.shutdown(neighbor, "no ")
}

func (r *frrRouter) shutdown(neighbor netip.Addr, no string) error {
	name := neighbor.String()
	for _, n := range r.Config().Neighbors {
		if n.Address == neighbor {
			name = n.frrName()
		}
	}
	_, err := r.frr.Vtysh("-c", "configure terminal", "-c", "router bgp "+strconv.FormatUint(uint64(r.Config().ASN), 10),
		"-c", fmt.Sprintf("%sneighbor %s shutdown", no, name))
	return err
}

// Shell implements Router.
func (r *frrRouter) Shell() []string { return append(r.frr.Box().Enter(), "vtysh") }

// Logs implements Router.
func (r *frrRouter) Logs(lines int) string { return r.frr.Logs(lines) }

// Stop implements Router.
func (r *frrRouter) Stop() { r.frr.Stop() }

// Instance is the FRR behind a Router of make FRR, nil for other makes.
func Instance(r Router) *frr.Instance {
	if f, ok := r.(*frrRouter); ok {
		return f.frr
	}
	return nil
}
