// Package checks finds out whether this machine can do what is desired, before
// anything is switched on: each obstacle is an exchange.Problem with its remedy.
// It changes nothing. What only trying tells (a kernel without a feature) is told by
// the first transaction.
package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/tunnel"
)

// Bytes that VXLAN puts in front of a packet: IP, UDP, VXLAN, Ethernet headers.
const (
	header4 = 20 + 8 + 8 + 14
	header6 = 40 + 8 + 8 + 14
)

// Machine is what is wrong with this machine. local is this node's address in the
// tunnel. An error says that it couldn't be found out, and nothing more: what is on
// stays on.
func Machine(d exchange.Desired, local netip.Addr) ([]exchange.Problem, error) {
	links, err := netlink.LinkList()
	// Pods come and go meanwhile: what was read is good enough for this.
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("devices: %w", err)
	}
	var found []exchange.Problem
	small, err := tooSmall(d, local)
	if err != nil {
		return nil, fmt.Errorf("the tunnel's MTU: %w", err)
	}
	for _, check := range []func() *exchange.Problem{
		func() *exchange.Problem { return dataplane(names(links), hasKubeProxy) },
		func() *exchange.Problem { return portInUse(d.Tunnel.Port, links) },
		func() *exchange.Problem { return small },
	} {
		if p := check(); p != nil {
			found = append(found, *p)
		}
	}
	return found, nil
}

// problem keeps both off.
func problem(reason, format string, args ...any) exchange.Problem {
	return exchange.Problem{Reason: reason, Message: fmt.Sprintf(format, args...), Learning: true, PathMTU: true}
}

func names(links []netlink.Link) map[string]bool {
	all := map[string]bool{}
	for _, l := range links {
		all[l.Attrs().Name] = true
	}
	return all
}

// MTU of the tunnel: the one asked for, or what the underlay leaves.
func MTU(t exchange.Tunnel, local netip.Addr, peers []netip.Addr) (int, error) {
	if t.MTU != 0 {
		return t.MTU, nil
	}
	underlay, err := underlayMTU(local, peers)
	if err != nil {
		return 0, err
	}
	if local.Is6() {
		return underlay - header6, nil
	}
	return underlay - header4, nil
}

// underlayMTU is the least of the devices by which the peers are reached.
func underlayMTU(local netip.Addr, peers []netip.Addr) (int, error) {
	least := 0
	for _, to := range append([]netip.Addr{local}, peers...) {
		routes, err := netlink.RouteGet(to.AsSlice())
		if err != nil {
			// A node that can't be reached now isn't a reason to keep off the others.
			continue
		}
		for i := range routes {
			link, err := netlink.LinkByIndex(routes[i].LinkIndex)
			if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
				continue
			}
			if err != nil {
				return 0, fmt.Errorf("device of %s: %w", to, err)
			}
			mtu := link.Attrs().MTU
			if routes[i].MTU > 0 {
				mtu = min(mtu, routes[i].MTU)
			}
			if least == 0 || mtu < least {
				least = mtu
			}
		}
	}
	if least == 0 {
		return 0, fmt.Errorf("no route to %s nor to any other node", local)
	}
	return least, nil
}

func tooSmall(d exchange.Desired, local netip.Addr) (*exchange.Problem, error) {
	var peers []netip.Addr
	for _, p := range d.Peers {
		for _, a := range p.Addresses {
			if a.Is4() == local.Is4() {
				peers = append(peers, a)
			}
		}
	}
	mtu, err := MTU(d.Tunnel, local, peers)
	if err != nil {
		return nil, err
	}
	if mtu >= exchange.MinMTU {
		return nil, nil
	}
	p := problem(exchange.ReasonMTU, "the way to the other nodes leaves the tunnel %d bytes, IPv6 needs %d: raise the MTU of the nodes' devices, or give the tunnel an MTU (its packets are then sent in fragments)", mtu, exchange.MinMTU)
	return &p, nil
}

// ReversePath is why relayed IPv4 packets are dropped on their way in although the
// tunnel gave the device rp_filter 2: the kernel takes the greater of that and "all", so
// that something has set it back. It keeps nothing off: IPv6 has no such filter, and what
// comes in after the relay has set it again passes. A device that isn't there yet is
// none.
func ReversePath() *exchange.Problem {
	device, errDevice := rpFilter(tunnel.Data)
	if errors.Is(errDevice, fs.ErrNotExist) {
		return nil
	}
	all, errAll := rpFilter("all")
	if err := errors.Join(errAll, errDevice); err != nil {
		return &exchange.Problem{Reason: exchange.ReasonFailed, Message: fmt.Sprintf("rp_filter: %v", err)}
	}
	return strict(all, device)
}

func strict(all, device int) *exchange.Problem {
	if max(all, device) != 1 {
		return nil
	}
	return &exchange.Problem{Reason: exchange.ReasonRPFilter, Message: fmt.Sprintf("net.ipv4.conf.all.rp_filter is %d and that of %s %d: the kernel takes the greater, 1, and drops relayed IPv4 packets; the relay sets the latter to 2, and something on this node sets it back again and again: have it set net.ipv4.conf.%s.rp_filter to 2", all, tunnel.Data, device, tunnel.Data)}
}

// ipv4Conf is of the calling thread's network namespace.
const ipv4Conf = "/proc/sys/net/ipv4/conf"

func rpFilter(device string) (int, error) {
	text, err := os.ReadFile(filepath.Join(ipv4Conf, device, "rp_filter"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
