package hostnetwork

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// attempts to read while the kernel's tables change under the reader.
const attempts = 5

// Read asks the kernel.
func Read() (*snapshot.Network, error) {
	var err error
	for range attempts {
		var network *snapshot.Network
		if network, err = read(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return network, err
		}
	}
	return nil, err
}

func read() (*snapshot.Network, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("interfaces: %w", err)
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("addresses: %w", err)
	}
	network := &snapshot.Network{Interfaces: make(map[string][]snapshot.InterfaceAddress, len(links))}
	names := make(map[int]string, len(links))
	for _, link := range links {
		names[link.Attrs().Index] = link.Attrs().Name
		network.Interfaces[link.Attrs().Name] = nil
	}
	for i := range addresses {
		// One that came after the list of interfaces was read announces itself.
		if name, known := names[addresses[i].LinkIndex]; known {
			if address, usable := trim(&addresses[i]); usable {
				network.Interfaces[name] = append(network.Interfaces[name], address)
			}
		}
	}
	network.Gateways, err = gateways(names)
	return network, err
}

// unusable are flags of addresses that can't be used (yet): duplicate address
// detection (RFC 4862 section 5.4) isn't done, or has failed.
const unusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED

func trim(addr *netlink.Addr) (snapshot.InterfaceAddress, bool) {
	prefix, ok := prefixOf(addr.IPNet)
	if !ok || addr.Flags&unusable != 0 {
		return snapshot.InterfaceAddress{}, false
	}
	ip := prefix.Addr()
	if ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return snapshot.InterfaceAddress{}, false
	}
	address := snapshot.InterfaceAddress{Prefix: prefix, Fading: addr.Flags&unix.IFA_F_DEPRECATED != 0}
	if ip.Is6() {
		// The flag means another thing for IPv4: a further address of a subnet.
		address.Fading = address.Fading || addr.Flags&unix.IFA_F_TEMPORARY != 0
	}
	if peer, ok := prefixOf(addr.Peer); ok && peer.Addr() != ip {
		address.Peer = peer.Addr()
	}
	return address, true
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	if !ok {
		return netip.Prefix{}, false
	}
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(addr, ones), true
}
