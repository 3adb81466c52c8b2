package hostnetwork

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// gateways are the next hops of the main table's default routes.
func gateways(names map[int]string) (map[frrtemplates.Family][]snapshot.Gateway, error) {
	all := map[frrtemplates.Family][]snapshot.Gateway{}
	for family, number := range map[frrtemplates.Family]int{frrtemplates.IPv4: netlink.FAMILY_V4, frrtemplates.IPv6: netlink.FAMILY_V6} {
		// Without a destination the filter is for the default route.
		routes, err := netlink.RouteListFiltered(number, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_DST)
		if err != nil {
			return nil, fmt.Errorf("default routes: %w", err)
		}
		all[family] = nextHops(routes, names)
	}
	return all, nil
}

// nextHops of the routes with the lowest metric. Routes of FRR's BGP don't
// count: a session must not depend on what comes over it.
func nextHops(routes []netlink.Route, names map[int]string) []snapshot.Gateway {
	routes = slices.DeleteFunc(slices.Clone(routes), func(r netlink.Route) bool {
		return r.Protocol == unix.RTPROT_BGP || r.Type != unix.RTN_UNICAST
	})
	if len(routes) == 0 {
		return nil
	}
	best := slices.MinFunc(routes, func(a, b netlink.Route) int { return cmp.Compare(a.Priority, b.Priority) }).Priority
	var hops []snapshot.Gateway
	for _, route := range routes {
		if route.Priority != best {
			continue
		}
		hops = appendHop(hops, route.Gw, names[route.LinkIndex])
		for _, path := range route.MultiPath {
			hops = appendHop(hops, path.Gw, names[path.LinkIndex])
		}
	}
	slices.SortFunc(hops, func(a, b snapshot.Gateway) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Interface, b.Interface))
	})
	return slices.Compact(hops)
}

// appendHop leaves out routes without a next hop: to a point-to-point interface.
func appendHop(hops []snapshot.Gateway, ip net.IP, name string) []snapshot.Gateway {
	if ip == nil {
		return hops
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return hops
	}
	return append(hops, snapshot.Gateway{Address: addr.Unmap(), Interface: name})
}
