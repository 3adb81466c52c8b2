package lab

import (
	"fmt"
	"net/netip"
)

// The address plan. Every lab has the same addresses: its networks are its own.
const (
	// ClusterCIDRs hold the pods of all nodes.
	ClusterCIDRs = "10.244.0.0/16,fd00:244::/32"

	controlPlaneHost = 2
	firstNodeHost    = 10  // node1 is .11
	firstVRFHost     = 50  // node1 in its VRF is .51
	firstRouterHost  = 100 // the first router is .101
)

var controlPlaneAddress = netip.MustParseAddr("10.10.0.2")

// nodeName is the name of node number i.
func nodeName(i int) string { return fmt.Sprint("node", i) }

// host is an address on the network of nodes and routers; its IPv6 number looks
// like the IPv4 one.
func host(family, number int) netip.Prefix {
	if family == 4 {
		return netip.MustParsePrefix(fmt.Sprintf("10.10.0.%d/24", number))
	}
	return netip.MustParsePrefix(fmt.Sprintf("fd00:10:10::%d/64", number))
}

func hosts(number int) []netip.Prefix { return []netip.Prefix{host(4, number), host(6, number)} }

// behind is the network between router number k and the client: the router is
// 1, the client 2.
func behind(family, k, number int) netip.Prefix {
	if family == 4 {
		return netip.MustParsePrefix(fmt.Sprintf("10.20.%d.%d/24", k, number))
	}
	return netip.MustParsePrefix(fmt.Sprintf("fd00:10:20:%d::%d/64", k, number))
}

func bothBehind(k, number int) []netip.Prefix {
	return []netip.Prefix{behind(4, k, number), behind(6, k, number)}
}

// podCIDR is node number i's range of pods.
func podCIDR(family, i int) netip.Prefix {
	if family == 4 {
		return netip.MustParsePrefix(fmt.Sprintf("10.244.%d.0/24", i))
	}
	return netip.MustParsePrefix(fmt.Sprintf("fd00:244:%d::/64", i))
}
