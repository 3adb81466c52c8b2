package router

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// birdRouter is BIRD 2, from the older FRR's root filesystem.
type birdRouter struct {
	*base
	box *sandbox.Box
}

func startBIRD(b *base) (Router, error) {
	r := &birdRouter{base: b}
	if err := r.writeConfig(b.cfg); err != nil {
		return nil, err
	}
	box, err := daemonBox(r.base)
	if err != nil {
		return nil, err
	}
	r.box = box
	p, err := startLogged(box, filepath.Join(r.dir, "bird.out"), "/usr/sbin/bird", "-f", "-c", "/lab/bird.conf", "-s", "/run/bird.ctl")
	if err == nil {
		err = waitAnswer(box, p, "birdc", "-s", "/run/bird.ctl", "show", "status")
	}
	if err != nil {
		r.Stop()
		return nil, fmt.Errorf("router %q: %w\n%s", b.cfg.Name, err, r.Logs(20))
	}
	return r, nil
}

// daemonBox is a container of the router's host with the directory of the
// router on /lab.
func daemonBox(b *base) (*sandbox.Box, error) {
	return sandbox.Start(sandbox.Spec{
		Name: b.cfg.Name, Dir: filepath.Join(b.dir, "box"), Root: frr.V8_4.Root(), Within: b.host,
		Mounts: []sandbox.Mount{{Kind: sandbox.Bind, Source: b.dir, Target: "/lab"}},
	})
}

func startLogged(box *sandbox.Box, logFile string, args ...string) (*sandbox.Process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return box.Start(sandbox.Command{Args: args, Stdout: log, Stderr: log})
}

// waitAnswer waits until a command that asks the daemon succeeds.
func waitAnswer(box *sandbox.Box, p *sandbox.Process, args ...string) error {
	return wait.Until(context.Background(), args[0]+" answers", wait.Process, func(ctx context.Context) (bool, error) {
		if !p.Alive() {
			return false, fmt.Errorf("the daemon ended: %w", p.Wait())
		}
		_, err := box.Run(ctx, args...)
		return err == nil, err
	})
}

func (r *birdRouter) writeConfig(c Config) error {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, "bird.conf"), []byte(birdConfig(c)), 0o644)
}

// birdConfig takes what the neighbors send, for both families, and lets the
// kernel use all equal paths (merge paths).
func birdConfig(c Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "log \"/lab/bird.log\" all;\nrouter id %s;\ntimeformat protocol iso long us;\nprotocol device {}\n", c.RouterID)
	for _, family := range []Family{IPv4, IPv6} {
		fmt.Fprintf(&b, "protocol kernel { %s { import none; export where source = RTS_BGP; }; merge paths yes limit 64; }\n", family)
		fmt.Fprintf(&b, "protocol static { %s;\n", family)
		for _, p := range c.Announce {
			if FamilyOf(p) == family {
				fmt.Fprintf(&b, "  route %s blackhole;\n", p)
			}
		}
		b.WriteString("}\n")
	}
	if c.BFD {
		fmt.Fprintf(&b, "protocol bfd { interface \"*\" { interval 300 ms; multiplier %[1]d; }; multihop { interval 300 ms; multiplier %[1]d; }; }\n", BFDMultiplier)
	}
	for _, n := range c.Neighbors {
		address, nextHop := n.Address.String(), ""
		if n.ExtendedNextHop {
			nextHop = "extended next hop on; "
		}
		if n.Interface != "" {
			// So that the neighbor finds the router (RFC 4861), not as a default one.
			fmt.Fprintf(&b, "protocol radv { interface \"%s\" { max ra interval 4; default lifetime 0; }; }\n", n.Interface)
			address, nextHop = address+"%'"+n.Interface+"'", "extended next hop on; "
		}
		fmt.Fprintf(&b, "protocol bgp %s {\n  local port %d as %d;\n  neighbor %s port 179 as %d;\n", birdName(n.Address), c.port(), c.ASN, address, n.ASN)
		b.WriteString("  connect delay time 2; connect retry time 1; error wait time 1,4;\n")
		b.WriteString("  graceful restart aware;\n") // BIRD's default
		if n.ASN == c.ASN {
			b.WriteString("  direct;\n") // else BIRD takes an iBGP neighbor for a remote one, with recursive next hops
		}
		if c.Passive {
			b.WriteString("  passive yes;\n")
		}
		if c.isFar(n) {
			fmt.Fprintf(&b, "  multihop; source address %s;\n", c.Far)
		}
		if c.BFD {
			b.WriteString("  bfd on;\n")
		}
		if n.ASN == c.ASN {
			// BIRD would look next hops of iBGP up in a table of the IGP.
			b.WriteString("  direct;\n")
		}
		if n.Password != "" {
			fmt.Fprintf(&b, "  password \"%s\";\n", n.Password)
		}
		if n.TTLSecurity {
			b.WriteString("  ttl security on;\n")
		}
		for _, family := range []Family{IPv4, IPv6} {
			extended := ""
			if family == IPv4 {
				extended = nextHop
			}
			fmt.Fprintf(&b, "  %s { %simport all; export where source = RTS_STATIC; };\n", family, extended)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

var birdNameReplacer = strings.NewReplacer(".", "_", ":", "_")

// birdName is a protocol's name: letters, digits and underscores.
func birdName(a netip.Addr) string { return "n_" + birdNameReplacer.Replace(a.String()) }

func (r *birdRouter) birdc(ctx context.Context, command ...string) (string, error) {
	out, err := r.box.Run(ctx, append([]string{"birdc", "-s", "/run/bird.ctl"}, command...)...)
	if err != nil {
		return "", fmt.Errorf("router %q: %w", r.Config().Name, err)
	}
	return out, nil
}

// Configure implements Router.
func (r *birdRouter) Configure(c Config) error {
	if err := r.writeConfig(c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	out, err := r.birdc(ctx, "configure")
	if err != nil {
		return err
	}
	if !strings.Contains(out, "Reconfigur") {
		return fmt.Errorf("router %q: BIRD refuses: %s", c.Name, out)
	}
	r.setConfig(c)
	return nil
}

// Routes implements Router.
func (r *birdRouter) Routes(ctx context.Context, family Family) (Routes, error) {
	r.count.Add()
	table := map[Family]string{IPv4: "master4", IPv6: "master6"}[family]
	out, err := r.birdc(ctx, "show", "route", "table", table, "all")
	if err != nil {
		return nil, err
	}
	return r.parseRoutes(out).sorted(), nil
}

var (
	birdRoute     = regexp.MustCompile(`^(\S+)?\s+unicast \[(\S+) `)
	birdAttribute = regexp.MustCompile(`^\s+BGP\.(\w+): ?(.*)$`)
	birdPair      = regexp.MustCompile(`\(([\d, ]+)\)`)
)

// parseRoutes reads `show route all`: a line per path, the first of a prefix
// with the prefix, then its attributes indented.
func (r *birdRouter) parseRoutes(out string) Routes {
	peers := map[string]netip.Addr{}
	for _, n := range r.Config().Neighbors {
		peers[birdName(n.Address)] = n.Address
	}
	routes := Routes{}
	var prefix netip.Prefix
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if m := birdRoute.FindStringSubmatch(line); m != nil {
			if m[1] != "" {
				prefix, _ = netip.ParsePrefix(m[1])
			}
			if peer, ok := peers[m[2]]; ok {
				routes[prefix] = append(routes[prefix], Route{Peer: peer})
			}
			continue
		}
		if m := birdAttribute.FindStringSubmatch(line); m != nil && len(routes[prefix]) > 0 {
			list := routes[prefix]
			list[len(list)-1].setBIRD(m[1], m[2])
		}
	}
	return routes
}

// setBIRD takes over one attribute as BIRD prints it.
func (route *Route) setBIRD(name, value string) {
	switch name {
	case "next_hop":
		// For IPv6 the global address comes first, "::" for none, the link-local after it.
		for _, word := range strings.Fields(value) {
			if addr, err := netip.ParseAddr(word); err == nil && !addr.IsUnspecified() {
				route.NextHop = addr
				break
			}
		}
	case "as_path":
		for _, word := range strings.Fields(value) {
			if asn, err := strconv.ParseUint(word, 10, 32); err == nil {
				route.ASPath = append(route.ASPath, uint32(asn))
			}
		}
	case "local_pref":
		route.LocalPref = parseUint32(value)
	case "med":
		route.MED = parseUint32(value)
	case "community":
		for _, c := range birdTuples(value) {
			route.Communities = append(route.Communities, communityName(c))
		}
	case "large_community":
		route.LargeCommunities = birdTuples(value)
	case "ext_community":
		route.Bandwidth = birdBandwidth(value)
	}
}

// birdTuples reads "(64512,100) (64512,200)".
func birdTuples(value string) []string {
	var tuples []string
	for _, m := range birdPair.FindAllStringSubmatch(value, -1) {
		tuples = append(tuples, strings.ReplaceAll(strings.ReplaceAll(m[1], " ", ""), ",", ":"))
	}
	return tuples
}

func parseUint32(text string) uint32 {
	n, _ := strconv.ParseUint(strings.TrimSpace(text), 10, 32) // BIRD prints numbers
	return uint32(n)
}

var (
	birdState    = regexp.MustCompile(`BGP state:\s+(\w+)`)
	birdNeighbor = regexp.MustCompile(`Neighbor address:\s+(\S+)`)
	birdASN      = regexp.MustCompile(`Neighbor AS:\s+(\d+)`)
	birdID       = regexp.MustCompile(`Neighbor ID:\s+(\S+)`)
	birdChanges  = regexp.MustCompile(`(?m)^\s+Import (?:updates|withdraws):.*\s(\d+)$`)
	birdSince    = regexp.MustCompile(`^\S+\s+BGP\s+\S+\s+\S+\s+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)`)
)

// Sessions implements Router.
func (r *birdRouter) Sessions(ctx context.Context) (map[netip.Addr]Session, error) {
	r.count.Add()
	out, err := r.birdc(ctx, "show", "protocols", "all")
	if err != nil {
		return nil, err
	}
	sessions := map[netip.Addr]Session{}
	// Protocols are separated by empty lines.
	for block := range strings.SplitSeq(out, "\n\n") {
		m := birdNeighbor.FindStringSubmatch(block)
		if m == nil {
			continue
		}
		addr, err := netip.ParseAddr(m[1])
		if err != nil {
			continue
		}
		sessions[addr.WithZone("")] = birdSession(strings.TrimLeft(block, "\n"))
	}
	return sessions, nil
}

func birdSession(block string) Session {
	var s Session
	if m := birdState.FindStringSubmatch(block); m != nil {
		s.State = m[1]
	}
	if m := birdASN.FindStringSubmatch(block); m != nil {
		s.RemoteASN = parseUint32(m[1])
	}
	if m := birdID.FindStringSubmatch(block); m != nil && s.State == Established {
		s.RemoteID, _ = netip.ParseAddr(m[1])
	}
	if m := birdSince.FindStringSubmatch(block); m != nil && s.State == Established {
		s.Since, _ = time.ParseInLocation("2006-01-02 15:04:05.999999", m[1], time.Local)
	}
	// One table per family; the last column counts what wasn't ignored as known.
	for _, m := range birdChanges.FindAllStringSubmatch(block, -1) {
		s.Changes += int(parseUint32(m[1]))
	}
	return s
}

// BFDPaths implements Router.
func (r *birdRouter) BFDPaths(ctx context.Context) (map[netip.Addr]string, error) {
	r.count.Add()
	paths := map[netip.Addr]string{}
	if !r.Config().BFD {
		return paths, nil
	}
	out, err := r.birdc(ctx, "show", "bfd", "sessions")
	if err != nil {
		return nil, err
	}
	// A line per path: address, interface, state, …
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 3 {
			continue
		}
		if addr, err := netip.ParseAddr(words[0]); err == nil {
			paths[addr] = strings.ToLower(words[2])
		}
	}
	return paths, nil
}

// Disable implements Router.
func (r *birdRouter) Disable(ctx context.Context, neighbor netip.Addr) error {
	_, err := r.birdc(ctx, "disable", birdName(neighbor))
	return err
}

// Enable implements Router.
func (r *birdRouter) Enable(ctx context.Context, neighbor netip.Addr) error {
	_, err := r.birdc(ctx, "enable", birdName(neighbor))
	return err
}

// Shell implements Router.
func (r *birdRouter) Shell() []string { return append(r.box.Enter(), "birdc", "-s", "/run/bird.ctl") }

// Logs implements Router.
func (r *birdRouter) Logs(lines int) string { return tail(filepath.Join(r.dir, "bird.log"), lines) }

// Stop implements Router.
func (r *birdRouter) Stop() {
	if r.box != nil {
		r.box.Kill()
	}
}
