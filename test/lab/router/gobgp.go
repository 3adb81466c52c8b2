package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// goBGPRouter is GoBGP, from the older FRR's root filesystem. It has no zebra:
// its table is evidence, but it forwards nothing.
type goBGPRouter struct {
	*base
	box     *sandbox.Box
	process *sandbox.Process
}

func startGoBGP(b *base) (Router, error) {
	r := &goBGPRouter{base: b}
	if err := r.writeConfig(b.cfg); err != nil {
		return nil, err
	}
	box, err := daemonBox(r.base)
	if err != nil {
		return nil, err
	}
	r.box = box
	r.process, err = startLogged(box, filepath.Join(r.dir, "gobgpd.log"), "/usr/bin/gobgpd", "-f", "/lab/gobgpd.toml", "-p", "--log-level=debug")
	if err == nil {
		err = waitAnswer(box, r.process, "gobgp", "global")
	}
	if err == nil {
		err = r.announce(nil, b.cfg.Announce)
	}
	if err != nil {
		r.Stop()
		return nil, fmt.Errorf("router %q: %w\n%s", b.cfg.Name, err, r.Logs(20))
	}
	return r, nil
}

func (r *goBGPRouter) writeConfig(c Config) error {
	if c.BFD {
		return fmt.Errorf("router %q: %w", c.Name, ErrNoBFD)
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, "gobgpd.toml"), []byte(goBGPConfig(c)), 0o644)
}

func goBGPConfig(c Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[global.config]\n  as = %d\n  router-id = %q\n  port = %d\n", c.ASN, c.RouterID, c.port())
	for _, n := range c.Neighbors {
		fmt.Fprintf(&b, "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = %q\n    peer-as = %d\n", n.Address, n.ASN)
		if n.Password != "" {
			fmt.Fprintf(&b, "    auth-password = %q\n", n.Password)
		}
		// Where both ends connect, GoBGP takes five seconds more to settle on one.
		b.WriteString("  [neighbors.transport.config]\n    passive-mode = true\n")
		if n.TTLSecurity {
			b.WriteString("  [neighbors.ttl-security.config]\n    enabled = true\n    ttl-min = 255\n")
		}
		b.WriteString("  [neighbors.timers.config]\n    connect-retry = 1\n    idle-hold-time-after-reset = 1\n")
		b.WriteString("  [neighbors.graceful-restart.config]\n    enabled = true\n    helper-only = true\n    restart-time = 120\n")
		for _, family := range []Family{IPv4, IPv6} {
			fmt.Fprintf(&b, "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"%s-unicast\"\n", family)
			b.WriteString("    [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true\n")
		}
	}
	return b.String()
}

// Configure implements Router.
func (r *goBGPRouter) Configure(c Config) error {
	if err := r.writeConfig(c); err != nil {
		return err
	}
	old := r.Config().Announce
	r.process.Signal(unix.SIGHUP)
	r.setConfig(c)
	err := wait.Until(context.Background(), fmt.Sprintf("router %q has its new neighbors", c.Name), wait.Process, func(ctx context.Context) (bool, error) {
		have, err := r.neighbors(ctx)
		if err != nil {
			return false, err
		}
		for _, n := range c.Neighbors {
			if _, ok := have[n.Address]; !ok {
				return false, fmt.Errorf("no neighbor %s", n.Address)
			}
		}
		return len(have) == len(c.Neighbors), nil
	})
	if err != nil {
		return err
	}
	return r.announce(old, c.Announce)
}

// announce changes what the router sends from one set of prefixes to another.
func (r *goBGPRouter) announce(from, to []netip.Prefix) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	change := func(verb string, prefixes, but []netip.Prefix) error {
		for _, p := range prefixes {
			if slices.Contains(but, p) {
				continue
			}
			if _, err := r.gobgp(ctx, "global", "rib", "-a", string(FamilyOf(p)), verb, p.String()); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.Join(change("del", from, to), change("add", to, from))
}

func (r *goBGPRouter) gobgp(ctx context.Context, args ...string) (string, error) {
	out, err := r.box.Run(ctx, append([]string{"gobgp", "-j"}, args...)...)
	if err != nil {
		return "", fmt.Errorf("router %q: %w", r.Config().Name, err)
	}
	return out, nil
}

// Types of path attributes (IANA, BGP Path Attributes).
const (
	attrASPath         = 2
	attrNextHop        = 3
	attrMED            = 4
	attrLocalPref      = 5
	attrCommunities    = 8
	attrMPReach        = 14
	attrExtended       = 16
	attrLargeCommunity = 32
)

type goBGPPath struct {
	Attributes []json.RawMessage `json:"attrs"`
	Neighbor   string            `json:"neighbor-ip"`
}

type goBGPAttribute struct {
	Type    int    `json:"type"`
	NextHop string `json:"nexthop"`
	ASPaths []struct {
		ASNs []uint32 `json:"asns"`
	} `json:"as_paths"`
	Communities []uint32        `json:"communities"`
	Metric      uint32          `json:"metric"`
	Value       json.RawMessage `json:"value"`
}

// Routes implements Router.
func (r *goBGPRouter) Routes(ctx context.Context, family Family) (Routes, error) {
	r.count.Add()
	out, err := r.gobgp(ctx, "global", "rib", "-a", string(family))
	if err != nil {
		return nil, err
	}
	var table map[netip.Prefix][]goBGPPath
	if text := strings.TrimSpace(out); text != "" {
		if err := json.Unmarshal([]byte(text), &table); err != nil {
			return nil, fmt.Errorf("router %q: table: %w", r.Config().Name, err)
		}
	}
	routes := Routes{}
	for prefix, paths := range table {
		for _, p := range paths {
			route, err := p.route()
			if err != nil {
				return nil, fmt.Errorf("router %q: %s: %w", r.Config().Name, prefix, err)
			}
			if route.Peer.IsValid() && !route.Peer.IsUnspecified() {
				routes[prefix] = append(routes[prefix], route)
			}
		}
	}
	return routes.sorted(), nil
}

func (p *goBGPPath) route() (Route, error) {
	var route Route
	route.Peer, _ = netip.ParseAddr(p.Neighbor) // "<nil>" for its own
	for _, raw := range p.Attributes {
		var a goBGPAttribute
		if err := json.Unmarshal(raw, &a); err != nil {
			return route, err
		}
		if err := route.setGoBGP(&a); err != nil {
			return route, err
		}
	}
	return route, nil
}

// setGoBGP takes over one path attribute.
func (route *Route) setGoBGP(a *goBGPAttribute) error {
	var err error
	switch a.Type {
	case attrASPath:
		for _, segment := range a.ASPaths {
			route.ASPath = append(route.ASPath, segment.ASNs...)
		}
	case attrNextHop, attrMPReach:
		route.NextHop, err = netip.ParseAddr(a.NextHop)
	case attrMED:
		route.MED = a.Metric
	case attrLocalPref:
		err = json.Unmarshal(a.Value, &route.LocalPref)
	case attrCommunities:
		for _, c := range a.Communities {
			route.Communities = append(route.Communities, communityName(fmt.Sprintf("%d:%d", c>>16, c&0xffff)))
		}
	case attrExtended:
		err = route.setGoBGPBandwidth(a.Value)
	case attrLargeCommunity:
		var values []struct {
			ASN uint32 `json:"ASN"`
			L1  uint32 `json:"LocalData1"`
			L2  uint32 `json:"LocalData2"`
		}
		err = json.Unmarshal(a.Value, &values)
		for _, v := range values {
			route.LargeCommunities = append(route.LargeCommunities, fmt.Sprintf("%d:%d:%d", v.ASN, v.L1, v.L2))
		}
	}
	return err
}

type goBGPNeighbor struct {
	State struct {
		Address string `json:"neighbor_address"`
		Session int    `json:"session_state"`
		PeerASN uint32 `json:"peer_asn"`
		// RouterID is the neighbor's.
		RouterID string `json:"router_id"`
		Flops    int    `json:"flops"`
	} `json:"state"`
	Timers struct {
		State struct {
			Uptime struct {
				Seconds int64 `json:"seconds"`
			} `json:"uptime"`
		} `json:"state"`
	} `json:"timers"`
}

// goBGPStates are the numbers of GoBGP's API (PeerState.SessionState).
var goBGPStates = []string{"Unknown", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", Established}

// Sessions implements Router.
func (r *goBGPRouter) Sessions(ctx context.Context) (map[netip.Addr]Session, error) {
	r.count.Add()
	return r.neighbors(ctx)
}

func (r *goBGPRouter) neighbors(ctx context.Context) (map[netip.Addr]Session, error) {
	out, err := r.gobgp(ctx, "neighbor")
	if err != nil {
		return nil, err
	}
	var neighbors []goBGPNeighbor
	if text := strings.TrimSpace(out); text != "" {
		if err := json.Unmarshal([]byte(text), &neighbors); err != nil {
			return nil, fmt.Errorf("router %q: neighbors: %w", r.Config().Name, err)
		}
	}
	sessions := map[netip.Addr]Session{}
	for _, n := range neighbors {
		addr, err := netip.ParseAddr(n.State.Address)
		if err != nil || n.State.Session >= len(goBGPStates) {
			return nil, fmt.Errorf("router %q: neighbor %q in state %d: not understood", r.Config().Name, n.State.Address, n.State.Session)
		}
		s := Session{State: goBGPStates[n.State.Session], RemoteASN: n.State.PeerASN}
		if s.State == Established {
			s.Since = time.Unix(n.Timers.State.Uptime.Seconds, 0)
			s.Transitions = n.State.Flops + 1
			s.RemoteID, _ = netip.ParseAddr(n.State.RouterID)
		}
		sessions[addr] = s
	}
	return sessions, nil
}

// KernelNextHops implements Router: GoBGP alone installs nothing.
func (r *goBGPRouter) KernelNextHops(context.Context, netip.Prefix) ([]netip.Addr, error) {
	return nil, fmt.Errorf("router %q: %w", r.Config().Name, ErrNoKernel)
}

// BFDPaths implements Router.
func (r *goBGPRouter) BFDPaths(context.Context) (map[netip.Addr]string, error) {
	return nil, fmt.Errorf("router %q: %w", r.Config().Name, ErrNoBFD)
}

// Disable implements Router.
func (r *goBGPRouter) Disable(ctx context.Context, neighbor netip.Addr) error {
	_, err := r.gobgp(ctx, "neighbor", neighbor.String(), "disable")
	return err
}

// Enable implements Router.
func (r *goBGPRouter) Enable(ctx context.Context, neighbor netip.Addr) error {
	_, err := r.gobgp(ctx, "neighbor", neighbor.String(), "enable")
	return err
}

// Shell implements Router.
func (r *goBGPRouter) Shell() []string { return append(r.box.Enter(), "gobgp") }

// Logs implements Router.
func (r *goBGPRouter) Logs(lines int) string { return tail(filepath.Join(r.dir, "gobgpd.log"), lines) }

// Stop implements Router.
func (r *goBGPRouter) Stop() {
	if r.box != nil {
		r.box.Kill()
	}
}
