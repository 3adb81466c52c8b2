package router

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/herald-lb/herald/test/lab/sandbox"
)

// base is what all makes share.
type base struct {
	host  *sandbox.Box
	dir   string
	count *Counter

	mu  sync.Mutex
	cfg Config
}

// Config implements Router.
func (b *base) Config() Config {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.cfg
	c.Neighbors = slices.Clone(c.Neighbors)
	c.Announce = slices.Clone(c.Announce)
	return c
}

func (b *base) setConfig(c Config) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cfg = c
}

// Box implements Router.
func (b *base) Box() *sandbox.Box { return b.host }

// fiveTuple are the header fields that routers hash: addresses, protocol and ports
// (fib_multipath_hash_fields of the kernel's ip-sysctl).
const fiveTuple = "55"

// Sysctls make a box forward, and choose among equal next hops by the header
// fields of a connection, ports included (the 5-tuple). The policy is "custom" (3):
// that of layer 4 (1) takes the hash that the client's socket has left with the packet,
// as client and router are one kernel here, and TCP makes that anew when it
// retransmits, so that a connection would change its way by itself.
var Sysctls = map[string]string{
	"net.ipv4.ip_forward":                           "1",
	"net.ipv6.conf.all.forwarding":                  "1",
	"net.ipv4.fib_multipath_hash_policy":            "3",
	"net.ipv6.fib_multipath_hash_policy":            "3",
	"net.ipv4.fib_multipath_hash_fields":            fiveTuple,
	"net.ipv6.fib_multipath_hash_fields":            fiveTuple,
	"net.ipv4.conf.all.rp_filter":                   "0",
	"net.ipv4.conf.default.rp_filter":               "0",
	"net.ipv4.conf.all.ignore_routes_with_linkdown": "1",
}

// KernelNextHops implements Router.
func (b *base) KernelNextHops(ctx context.Context, p netip.Prefix) ([]netip.Addr, error) {
	b.count.Add()
	return KernelNextHops(ctx, b.host, p)
}

// kernelRoute is what `ip -json route` prints of a route.
type kernelRoute struct {
	Gateway  string      `json:"gateway"`
	Via      *kernelVia  `json:"via"`
	NextHops []kernelHop `json:"nexthops"`
}

type kernelHop struct {
	Gateway string     `json:"gateway"`
	Via     *kernelVia `json:"via"`
	Weight  int        `json:"weight"`
}

type kernelVia struct {
	Host string `json:"host"`
}

// KernelNextHops reads the next hops of exactly this prefix in a box's main
// routing table, sorted.
func KernelNextHops(ctx context.Context, box *sandbox.Box, p netip.Prefix) ([]netip.Addr, error) {
	family := "-4"
	if p.Addr().Is6() {
		family = "-6"
	}
	out, err := box.Run(ctx, "ip", family, "-json", "route", "show", "exact", p.String())
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(out) == "" {
		return nil, nil
	}
	var routes []kernelRoute
	if err := json.Unmarshal([]byte(out), &routes); err != nil {
		return nil, fmt.Errorf("%s: routes: %w", box.Name(), err)
	}
	var hops []netip.Addr
	for _, r := range routes {
		for _, hop := range append(r.NextHops, kernelHop{Gateway: r.Gateway, Via: r.Via}) {
			text := hop.Gateway
			if hop.Via != nil {
				text = hop.Via.Host
			}
			if addr, err := netip.ParseAddr(text); err == nil {
				hops = append(hops, addr)
			}
		}
	}
	slices.SortFunc(hops, netip.Addr.Compare)
	return hops, nil
}

// sorted puts each prefix's routes and their communities in order.
func (r Routes) sorted() Routes {
	for _, routes := range r {
		for i := range routes {
			slices.Sort(routes[i].Communities)
			slices.Sort(routes[i].LargeCommunities)
		}
		slices.SortFunc(routes, func(a, b Route) int {
			return cmp.Or(a.NextHop.Compare(b.NextHop), a.Peer.Compare(b.Peer))
		})
	}
	return r
}

// tail is the end of a log file.
func tail(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return string(bytes.Join(all, []byte("\n")))
}
