package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Spec is the tunnel wished.
type Spec struct {
	// Local is this node's address, of the family that carries the tunnel.
	Local netip.Addr
	// Peers are the other nodes' addresses, of the same family.
	Peers []netip.Addr
	Port  uint16
	// VNI of Data; Claim has the next one.
	VNI uint32
	MTU int
	// IPv6 says that IPv6 packets are relayed.
	IPv6 bool
}

// Devices are the interface indices, which rules are bound to.
type Devices struct{ Data, Claim int }

// Ensure makes the devices as wished. New ones are down until Up, so that no
// packet comes in before there are rules. Existing ones keep their index unless
// what can't be changed is another.
func Ensure(spec Spec) (Devices, error) {
	var devices Devices
	for _, d := range []struct {
		name string
		vni  uint32
		at   *int
	}{{Data, spec.VNI, &devices.Data}, {Claim, spec.VNI + 1, &devices.Claim}} {
		link, err := ensureLink(d.name, d.vni, spec)
		if err == nil {
			err = ensurePeers(link, spec)
		}
		if err != nil {
			return Devices{}, fmt.Errorf("device %s: %w", d.name, err)
		}
		*d.at = link.Attrs().Index
	}
	return devices, nil
}

// Up sets the devices up and gives them what the kernel only keeps on devices that
// are up.
func Up(spec Spec) error {
	for _, name := range []string{Data, Claim} {
		if err := setUp(name, spec); err != nil {
			return fmt.Errorf("device %s: %w", name, err)
		}
	}
	return nil
}

func setUp(name string, spec Spec) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
	}
	if err := ensureAddresses(link, spec); err != nil {
		return err
	}
	return ensureRoutes(link, spec)
}

// Remove takes both devices away. Those that aren't there are no error.
func Remove() error {
	var failed error
	for _, name := range []string{Data, Claim} {
		link, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkDel(link)
		}
		if _, missing := errors.AsType[netlink.LinkNotFoundError](err); err != nil && !missing {
			failed = errors.Join(failed, fmt.Errorf("device %s: %w", name, err))
		}
	}
	return failed
}

func ensureLink(name string, vni uint32, spec Spec) (netlink.Link, error) {
	wished := &netlink.Vxlan{
		LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: MAC(spec.Local), MTU: spec.MTU},
		VxlanId:   int(vni), SrcAddr: spec.Local.AsSlice(), Port: int(spec.Port),
		Learning: false, UDPCSum: true, TTL: 64,
	}
	link, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); err != nil && !missing {
		return nil, err
	}
	if err == nil && !same(link, wished) {
		if err := netlink.LinkDel(link); err != nil {
			return nil, err
		}
		link = nil
	}
	if link == nil || err != nil {
		if err := netlink.LinkAdd(wished); err != nil {
			return nil, err
		}
		if link, err = netlink.LinkByName(name); err != nil {
			return nil, err
		}
		// An address made by the kernel would be announced to peers that don't
		// listen; ensureAddresses gives one that isn't.
		if err := netlink.LinkSetIP6AddrGenMode(link, noAddress); err != nil {
			return nil, err
		}
	}
	if link.Attrs().MTU != spec.MTU {
		if err := netlink.LinkSetMTU(link, spec.MTU); err != nil {
			return nil, err
		}
	}
	return link, looseReversePath(link)
}

func same(link netlink.Link, wished *netlink.Vxlan) bool {
	is, ok := link.(*netlink.Vxlan)
	return ok && is.VxlanId == wished.VxlanId && is.Port == wished.Port && !is.Learning &&
		is.SrcAddr.Equal(wished.SrcAddr) && is.HardwareAddr.String() == wished.HardwareAddr.String()
}
