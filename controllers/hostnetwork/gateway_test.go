package hostnetwork

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/controllers/snapshot"
)

func TestNextHops(t *testing.T) {
	names := map[int]string{1: "eth0", 2: "eth1"}
	via := func(gateway string, metric int) netlink.Route {
		return netlink.Route{Gw: net.ParseIP(gateway), LinkIndex: 1, Priority: metric, Type: unix.RTN_UNICAST}
	}
	bgp, unreachable := via("10.0.0.9", 0), via("10.0.0.9", 0)
	bgp.Protocol, unreachable.Type = unix.RTPROT_BGP, unix.RTN_UNREACHABLE
	several := netlink.Route{Type: unix.RTN_UNICAST, MultiPath: []*netlink.NexthopInfo{
		{Gw: net.ParseIP("10.0.1.1"), LinkIndex: 2}, {Gw: net.ParseIP("10.0.0.1"), LinkIndex: 1},
	}}
	hop := func(address, name string) snapshot.Gateway {
		return snapshot.Gateway{Address: netip.MustParseAddr(address), Interface: name}
	}
	for name, test := range map[string]struct {
		routes []netlink.Route
		want   []snapshot.Gateway
	}{
		"none":                      {nil, nil},
		"one":                       {[]netlink.Route{via("10.0.0.1", 0)}, []snapshot.Gateway{hop("10.0.0.1", "eth0")}},
		"IPv6":                      {[]netlink.Route{via("fe80::1", 1024)}, []snapshot.Gateway{hop("fe80::1", "eth0")}},
		"the lowest metric":         {[]netlink.Route{via("10.0.0.1", 200), via("10.0.0.2", 100)}, []snapshot.Gateway{hop("10.0.0.2", "eth0")}},
		"two of one metric":         {[]netlink.Route{via("10.0.0.2", 100), via("10.0.0.1", 100)}, []snapshot.Gateway{hop("10.0.0.1", "eth0"), hop("10.0.0.2", "eth0")}},
		"one gateway twice":         {[]netlink.Route{via("10.0.0.1", 0), via("10.0.0.1", 0)}, []snapshot.Gateway{hop("10.0.0.1", "eth0")}},
		"several paths":             {[]netlink.Route{several}, []snapshot.Gateway{hop("10.0.0.1", "eth0"), hop("10.0.1.1", "eth1")}},
		"FRR's own":                 {[]netlink.Route{bgp, via("10.0.0.1", 100)}, []snapshot.Gateway{hop("10.0.0.1", "eth0")}},
		"unreachable":               {[]netlink.Route{unreachable}, nil},
		"an interface, not an host": {[]netlink.Route{{Type: unix.RTN_UNICAST, LinkIndex: 1}}, nil},
	} {
		if got := nextHops(test.routes, names); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
