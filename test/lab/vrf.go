package lab

import (
	"context"
	"net/netip"

	"github.com/herald-lb/herald/test/lab/link"
)

// AddVRF gives a node a VRF, in which it has a cable of its own to the switch and the
// address VRFAddress. It needs Options.VRFs, and is gone when FRR's container is.
func (l *Lab) AddVRF(ctx context.Context, name, vrf string) error {
	n := l.Node(name)
	const device = "vrf0"
	err := link.Connect(
		link.End{Box: n.Box(), Name: device},
		link.End{Box: l.networkSwitch, Name: portOf(name) + "-vrf", Master: bridge})
	if err != nil {
		return err
	}
	return n.AddVRF(ctx, vrf, device, netip.PrefixFrom(l.VRFAddress(name), host(4, 0).Bits()))
}

// VRFAddress is a node's IPv4 address in its VRF.
func (l *Lab) VRFAddress(name string) netip.Addr {
	for i := 1; i <= l.options.Nodes; i++ {
		if nodeName(i) == name {
			return host(4, firstVRFHost+i).Addr()
		}
	}
	panic("lab: no node " + name)
}
