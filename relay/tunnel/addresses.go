package tunnel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// routeProtocol marks the host routes of next hops, for people who look.
const routeProtocol = 72

// ensureAddresses gives IPv4 a source check that can pass (with rp_filter 2 the
// kernel drops everything that comes in on a device without address), and IPv6 the
// link that next hops lie on. Scope link: never chosen as a source elsewhere.
func ensureAddresses(link netlink.Link, spec Spec) error {
	addresses := []netlink.Addr{{IPNet: host(Via4(spec.Local)), Scope: unix.RT_SCOPE_LINK}}
	if spec.IPv6 {
		via := host(Via6(spec.Local))
		via.Mask = net.CIDRMask(64, 128)
		addresses = append(addresses, netlink.Addr{IPNet: via, Scope: unix.RT_SCOPE_LINK, Flags: unix.IFA_F_NODAD})
	}
	have, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for i := range addresses {
		if slices.ContainsFunc(have, func(a netlink.Addr) bool { return a.IPNet.String() == addresses[i].IPNet.String() }) {
			continue // whoever follows the kernel's messages, FRR too, needn't hear of it again
		}
		if err := netlink.AddrReplace(link, &addresses[i]); err != nil {
			return fmt.Errorf("address %s: %w", addresses[i].IPNet, err)
		}
	}
	return nil
}

// ensureRoutes gives each IPv4 next hop its host route; without one the kernel would
// ask for the packet's own destination as a neighbour. IPv6's lie on the link.
func ensureRoutes(link netlink.Link, spec Spec) error {
	index := link.Attrs().Index
	have, err := netlink.RouteListFiltered(netlink.FAMILY_V4,
		&netlink.Route{LinkIndex: index, Protocol: routeProtocol}, netlink.RT_FILTER_OIF|netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return err
	}
	missing := map[string]*netlink.Route{}
	for _, peer := range spec.Peers {
		to := host(Via4(peer))
		missing[to.String()] = &netlink.Route{LinkIndex: index, Dst: to, Scope: netlink.SCOPE_LINK, Protocol: routeProtocol, Priority: metric(link)}
	}
	for i := range have {
		if want := missing[have[i].Dst.String()]; want != nil && have[i].Priority == want.Priority {
			delete(missing, have[i].Dst.String())
			continue
		}
		if err := netlink.RouteDel(&have[i]); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	for to, route := range missing {
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("route %s: %w", to, err)
		}
	}
	return nil
}

// metric: two routes to one host need different ones. Which is taken is decided by
// the device that a rule names.
func metric(link netlink.Link) int {
	if link.Attrs().Name == Claim {
		return routeProtocol + 1
	}
	return routeProtocol
}

// host is the prefix of one address.
func host(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

// Of linux/ip.h and linux/if_link.h, which package unix lacks.
const (
	inetConf         = 1 // IFLA_INET_CONF
	devconfRPFilter  = 8 // IPV4_DEVCONF_RP_FILTER
	rpFilterLoose    = 2
	rpFilterLooseLen = 4
	noAddress        = 1 // IN6_ADDR_GEN_MODE_NONE
)

// looseReversePath sets rp_filter of a device to 2: relayed packets come from
// clients that are reached by other devices. By netlink, because /proc/sys is
// read-only in a container that has no more rights than it needs.
func looseReversePath(link netlink.Link) error {
	now, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + link.Attrs().Name + "/rp_filter")
	if err == nil && strings.TrimSpace(string(now)) == strconv.Itoa(rpFilterLoose) {
		return nil // setting it is a change of the device to all that watch it
	}
	request := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	info.Index = int32(link.Attrs().Index)
	request.AddData(info)
	value := make([]byte, rpFilterLooseLen)
	binary.NativeEndian.PutUint32(value, rpFilterLoose)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	spec.AddRtAttr(unix.AF_INET, nil).AddRtAttr(inetConf, nil).AddRtAttr(devconfRPFilter, value)
	request.AddData(spec)
	if _, err := request.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return fmt.Errorf("rp_filter: %w", err)
	}
	return nil
}
