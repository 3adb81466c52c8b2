package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// neighbour is an entry of a neighbour table or of a device's forwarding table.
type neighbour struct{ address, mac string }

// ensurePeers makes every peer known to the device, and forgets all others.
func ensurePeers(link netlink.Link, spec Spec) error {
	wished := map[int]map[neighbour]bool{unix.AF_BRIDGE: {}, unix.AF_INET: {}, unix.AF_INET6: {}}
	for _, peer := range spec.Peers {
		mac := MAC(peer).String()
		wished[unix.AF_BRIDGE][neighbour{peer.String(), mac}] = true
		wished[unix.AF_INET][neighbour{Via4(peer).String(), mac}] = true
		if spec.IPv6 {
			wished[unix.AF_INET6][neighbour{Via6(peer).String(), mac}] = true
		}
	}
	for family, entries := range wished {
		if err := ensureNeighbours(link.Attrs().Index, family, entries); err != nil {
			return err
		}
	}
	return nil
}

func ensureNeighbours(index, family int, wished map[neighbour]bool) error {
	have, err := netlink.NeighList(index, family)
	if err != nil {
		return fmt.Errorf("neighbours: %w", err)
	}
	there := map[neighbour]bool{}
	for i := range have {
		n := neighbour{have[i].IP.String(), have[i].HardwareAddr.String()}
		if have[i].State&netlink.NUD_PERMANENT == 0 || have[i].IP.IsMulticast() {
			continue // the kernel's own
		}
		if there[n] = true; !wished[n] {
			if err := netlink.NeighDel(&have[i]); err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("neighbour %s: %w", n.address, err)
			}
		}
	}
	for n := range wished {
		if there[n] {
			continue
		}
		if err := netlink.NeighSet(entry(index, family, n)); err != nil {
			return fmt.Errorf("neighbour %s %s: %w", n.address, n.mac, err)
		}
	}
	return nil
}

func entry(index, family int, n neighbour) *netlink.Neigh {
	mac, _ := net.ParseMAC(n.mac) // one that MAC made
	e := &netlink.Neigh{
		LinkIndex: index, Family: family, State: netlink.NUD_PERMANENT,
		IP: netip.MustParseAddr(n.address).AsSlice(), HardwareAddr: mac,
	}
	if family == unix.AF_BRIDGE {
		e.Flags = netlink.NTF_SELF
	}
	return e
}
