package router

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/sandbox"
)

// Make is the software that a router runs.
type Make string

// The makes of routers.
const (
	FRR   Make = "FRR"
	BIRD  Make = "BIRD"
	GoBGP Make = "GoBGP"
)

// BFDMultiplier is how many packets, one each 300 ms, the other end of a path misses
// until it is down: 3 s, as a daemon on a busy machine may have to wait for its turn.
const BFDMultiplier = 10

// Family is an address family of unicast routes.
type Family string

// The families, named as in FRR's commands.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// FamilyOf is the family of a prefix.
func FamilyOf(p netip.Prefix) Family {
	if p.Addr().Is4() {
		return IPv4
	}
	return IPv6
}

// Neighbor is a node's address that the router has a session with.
type Neighbor struct {
	Address netip.Addr
	// Interface of the router that the neighbor is behind, "unnumbered": Address is
	// its link-local one there. FRR and BIRD.
	Interface string
	// ASN that the neighbor must have.
	ASN uint32
	// Password for TCP MD5 (RFC 2385), none if empty.
	Password string
	// ExtendedNextHop takes IPv6 next hops of the neighbor's IPv4 routes (RFC 8950),
	// over IPv6. FRR and BIRD.
	ExtendedNextHop bool
	// TTLSecurity: the neighbor is one hop away by its packets' TTL (RFC 5082).
	TTLSecurity bool
}

// Config is what a router runs with. All of it can be changed (Configure).
type Config struct {
	Name string
	Make Make
	// FRRVersion is FRR's release where the Make is FRR.
	FRRVersion frr.Version
	ASN        uint32
	RouterID   netip.Addr
	// Port to listen on, 179 if 0. The router connects to port 179 itself.
	Port uint16
	// Passive: the router doesn't connect itself, it waits for its neighbors.
	// GoBGP always does.
	Passive bool
	// BFD watches the paths to all neighbors. GoBGP has none.
	BFD bool
	// Far is an address of the router that neighbors of its family reach over
	// several hops. FRR and BIRD.
	Far netip.Addr
	// Neighbors are the nodes' addresses, both families.
	Neighbors []Neighbor
	// Announce are prefixes that the router sends to every neighbor.
	Announce []netip.Prefix
}

// isFar says whether a neighbor is several hops away.
func (c *Config) isFar(n Neighbor) bool { return c.Far.IsValid() && c.Far.Is4() == n.Address.Is4() }

func (c *Config) port() uint16 {
	if c.Port == 0 {
		return 179
	}
	return c.Port
}

// Route is one path to a prefix as a router received it, before or after its
// best-path selection.
type Route struct {
	// NextHop is the next hop as received.
	NextHop netip.Addr
	// Peer is the neighbor's address that sent it.
	Peer netip.Addr
	// ASPath in the order on the wire.
	ASPath []uint32
	// Communities are standard ones as "64512:100", or the well-known names
	// "no-export", "no-advertise", "graceful-shutdown", …; sorted.
	Communities []string
	// LargeCommunities as "64512:1:2"; sorted.
	LargeCommunities []string
	// LocalPref is 0 where none was received (eBGP).
	LocalPref uint32
	MED       uint32
	// Bandwidth of the link bandwidth extended community, in Mbit/s; 0 for none.
	Bandwidth float64
}

// Routes are all paths by prefix, each sorted by next hop.
type Routes map[netip.Prefix][]Route

// NextHops are the next hops of a prefix's paths.
func (r Routes) NextHops(p netip.Prefix) []netip.Addr {
	hops := make([]netip.Addr, 0, len(r[p]))
	for _, route := range r[p] {
		hops = append(hops, route.NextHop)
	}
	return hops
}

// Session is a router's view of its session with a neighbor.
type Session struct {
	// State as in RFC 4271 section 8.2.2: "Established", "Idle", …
	State string
	// Since is when the session was established, by the router's clock.
	Since time.Time
	// Transitions counts how often it was established; 0 where the make
	// doesn't tell (BIRD).
	Transitions int
	// Changes counts routes of the neighbor that came, changed or went, without
	// repetitions. As long as it stands still and the session stays up, the
	// neighbor's routes are what they were. Only BIRD tells.
	Changes int
	// RemoteASN is the neighbor's, 0 before the first OPEN.
	RemoteASN uint32
	// RemoteID is the neighbor's BGP identifier, of a session that is established.
	RemoteID netip.Addr
}

// clockJitter is how much two answers about the same moment differ: the makes
// compute Since from a monotonic clock, some in whole seconds. No make connects
// again faster.
const clockJitter = 1200 * time.Millisecond

// ResetUntil says whether the session was closed between s and later, both
// read from one router.
func (s Session) ResetUntil(later Session) bool {
	return s.State != later.State || s.Transitions != later.Transitions ||
		later.Since.Sub(s.Since).Abs() > clockJitter
}

// Established is the state of a session that routes are exchanged over.
const Established = "Established"

// ErrNoKernel is KernelNextHops' answer where the make doesn't install routes.
var ErrNoKernel = errors.New("this router installs no routes in its kernel")

// ErrNoBFD is BFDPaths' answer where the make has no BFD.
var ErrNoBFD = errors.New("this make of router has no BFD")

// Router is a running router.
type Router interface {
	// Config is what it runs with.
	Config() Config
	// Configure changes the configuration of the running router; sessions
	// whose parameters don't change stay up.
	Configure(Config) error

	// Routes reads the router's table of a family. Counted.
	Routes(context.Context, Family) (Routes, error)
	// Sessions reads the state of every configured neighbor. Counted.
	Sessions(context.Context) (map[netip.Addr]Session, error)
	// BFDPaths reads BFD's state of the path to each neighbor, "up" or another
	// word; ErrNoBFD where the make has none. Counted.
	BFDPaths(context.Context) (map[netip.Addr]string, error)
	// KernelNextHops reads where the router's kernel sends packets for
	// exactly this prefix; none if there is no such route. Counted.
	KernelNextHops(context.Context, netip.Prefix) ([]netip.Addr, error)

	// Disable closes the session with a neighbor until Enable.
	Disable(context.Context, netip.Addr) error
	Enable(context.Context, netip.Addr) error

	// Box is the router's host: its interfaces and its kernel.
	Box() *sandbox.Box
	// Shell is the command line of the daemon's own shell, for people at a
	// terminal.
	Shell() []string
	// Logs is the tail of the router's log.
	Logs(lines int) string
	// Stop ends the routing daemon.
	Stop()
}

// Counter counts the questions asked to routers and kernels.
type Counter struct{ n atomic.Int64 }

// Add counts one question.
func (c *Counter) Add() { c.n.Add(1) }

// Reads is how many questions were asked so far.
func (c *Counter) Reads() int64 { return c.n.Load() }

// Start runs a router of cfg.Make in a host's network, with its files in dir
// (a short path of its own).
func Start(host *sandbox.Box, dir string, cfg Config, count *Counter) (Router, error) {
	b := &base{host: host, dir: dir, cfg: cfg, count: count}
	switch cfg.Make {
	case FRR:
		return startFRR(b)
	case BIRD:
		return startBIRD(b)
	case GoBGP:
		return startGoBGP(b)
	}
	return nil, fmt.Errorf("router %q: unknown make %q", cfg.Name, cfg.Make)
}
