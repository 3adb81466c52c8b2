package gates

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// hostAddressesKept is how long a reading of the kernel's addresses is good for:
	// a gate is asked for many times a second.
	hostAddressesKept = 10 * time.Second
	// hostAddressesMost bounds what is asked.
	hostAddressesMost = 32
)

// HostAddresses reads the addresses of the node's interfaces from the kernel. It
// leaves out those that no kube-proxy listens at: link-local ones, and those without a network, of which
// kube-proxy's IPVS mode itself gives the node one for each Service.
func HostAddresses() func() []netip.Addr {
	var mu sync.Mutex
	var read time.Time
	var known []netip.Addr
	return func() []netip.Addr {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(read) > hostAddressesKept {
			addresses, err := net.InterfaceAddrs()
			if err != nil {
				return known
			}
			known, read = reachable(addresses), now
		}
		return known
	}
}

func reachable(addresses []net.Addr) []netip.Addr {
	var found []netip.Addr
	for _, address := range addresses {
		prefix, err := netip.ParsePrefix(address.String())
		if err != nil || prefix.IsSingleIP() || prefix.Addr().IsLoopback() || prefix.Addr().IsLinkLocalUnicast() {
			continue
		}
		if found = append(found, prefix.Addr()); len(found) == hostAddressesMost {
			break
		}
	}
	return found
}
