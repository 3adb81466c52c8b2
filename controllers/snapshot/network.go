package snapshot

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Network is what the node's kernel says of its interfaces and routes. In a Snapshot it is
// what some peer reads of it.
type Network struct {
	// Interfaces are the addresses of each interface that is there, by its name,
	// in the kernel's order.
	Interfaces map[string][]InterfaceAddress
	// Gateways are the next hops of the default route of each family, of those
	// with the lowest metric, sorted.
	Gateways map[frrtemplates.Family][]Gateway
}

// Gateway is a next hop. It may be link-local.
type Gateway struct {
	Address   netip.Addr
	Interface string
}

// InterfaceAddress is a unicast address that can be used: not loopback, not
// link-local, not tentative.
type InterfaceAddress struct {
	// Prefix is the address with the length of its subnet.
	Prefix netip.Prefix
	// Peer is the other end of a point-to-point link, where the kernel was told.
	Peer netip.Addr
	// Fading: a temporary address (RFC 8981), or a deprecated one (RFC 4862).
	Fading bool
}

// readNetwork is what peers read of a Network.
type readNetwork struct {
	interfaces Keys
	cidrs      []netip.Prefix
	gateways   []frrtemplates.Family
}

func (r *readNetwork) addGateway(family v1alpha1.GatewayFamily) {
	switch family {
	case v1alpha1.DefaultGatewayIPv4:
		r.gateways = append(r.gateways, frrtemplates.IPv4)
	case v1alpha1.DefaultGatewayIPv6:
		r.gateways = append(r.gateways, frrtemplates.IPv6)
	}
}

func (r *readNetwork) addInterface(name string) {
	if name != "" {
		r.interfaces[name] = struct{}{}
	}
}

func (r *readNetwork) add(from *v1alpha1.NodeAddressSource) {
	if from.Interface != "" {
		r.interfaces[from.Interface] = struct{}{}
	}
	if cidr, err := netip.ParsePrefix(from.CIDR); err == nil {
		r.cidrs = append(r.cidrs, cidr)
	}
}

// of leaves out what nobody reads: pods' interfaces come and go all the time.
func (r *readNetwork) of(all *Network) *Network {
	read := &Network{Interfaces: map[string][]InterfaceAddress{}, Gateways: map[frrtemplates.Family][]Gateway{}}
	for _, family := range r.gateways {
		read.Gateways[family] = all.Gateways[family]
	}
	for name, addresses := range all.Interfaces {
		if _, named := r.interfaces[name]; named {
			read.Interfaces[name] = addresses
			continue
		}
		inside := slices.DeleteFunc(slices.Clone(addresses), func(a InterfaceAddress) bool {
			return !slices.ContainsFunc(r.cidrs, func(cidr netip.Prefix) bool { return cidr.Contains(a.Prefix.Addr()) })
		})
		if len(inside) > 0 {
			read.Interfaces[name] = inside
		}
	}
	return read
}

func (n *Network) equal(other *Network) bool {
	return n != nil && other != nil && maps.EqualFunc(n.Interfaces, other.Interfaces, slices.Equal[[]InterfaceAddress]) &&
		maps.EqualFunc(n.Gateways, other.Gateways, slices.Equal[[]Gateway])
}

// SetNetwork takes what the kernel says now. Only what a peer reads matters.
func (s *Store) SetNetwork(network *Network) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latestNetwork = network
	return s.refreshNetwork()
}

func (s *Store) refreshNetwork() bool {
	if s.latestNetwork == nil {
		return false // unknown
	}
	read := s.readNetwork.of(s.latestNetwork)
	if s.next.Network.equal(read) {
		return false
	}
	s.next.Network = read
	return true
}
