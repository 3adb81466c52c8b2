package compile

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

const anyFamily frrtemplates.Family = 0

// ownAddress finds the node's own address of a family on an interface, or in a
// CIDR, where it must be the only one.
func (b *builder) ownAddress(family frrtemplates.Family) func(*v1alpha1.NodeAddressSource) (netip.Addr, error) {
	return func(from *v1alpha1.NodeAddressSource) (netip.Addr, error) {
		found, err := b.addressesAt(from, func(a snapshot.InterfaceAddress) bool {
			return from.CIDR != "" || family == anyFamily || frrtemplates.FamilyOf(a.Prefix.Addr()) == family
		})
		if err != nil {
			return netip.Addr{}, err
		}
		if len(found) == 0 {
			return netip.Addr{}, fmt.Errorf("interface %q of node %q has no %s address that can be used: give it one", from.Interface, b.node.Name, familyNames[family])
		}
		if from.CIDR != "" && len(found) > 1 {
			return netip.Addr{}, b.several(from, found)
		}
		return first(found).Prefix.Addr(), nil
	}
}

// otherEnd finds the router's address on a point-to-point link of the node.
func (b *builder) otherEnd(from *v1alpha1.NodeAddressSource) (netip.Addr, error) {
	found, err := b.addressesAt(from, func(a snapshot.InterfaceAddress) bool { return otherEndOf(a).IsValid() })
	switch {
	case err != nil:
		return netip.Addr{}, err
	case len(found) == 0:
		return netip.Addr{}, fmt.Errorf("node %q has no point-to-point link there (an address with a prefix length of 30, 31, 126 or 127): give it one, or use nodeAnnotation", b.node.Name)
	case len(found) > 1:
		return netip.Addr{}, b.several(from, found)
	}
	return otherEndOf(found[0]), nil
}

func (b *builder) several(from *v1alpha1.NodeAddressSource, found []snapshot.InterfaceAddress) error {
	const shown = 3
	if len(found) > shown {
		found = found[:shown]
	}
	texts := make([]string, 0, shown)
	for _, address := range found {
		texts = append(texts, address.Prefix.Addr().String())
	}
	remedy := "use a smaller cidr"
	if from.CIDR == "" {
		remedy = "use cidr"
	}
	return fmt.Errorf("node %q has several addresses there, such as %v: %s", b.node.Name, texts, remedy)
}

// addressesAt are the best of the addresses that fit where a field says, by rank.
// No interface and no address in the CIDR is an error.
func (b *builder) addressesAt(from *v1alpha1.NodeAddressSource, fits func(snapshot.InterfaceAddress) bool) ([]snapshot.InterfaceAddress, error) {
	var all []snapshot.InterfaceAddress
	if from.Interface != "" {
		addresses, found := b.network.Interfaces[from.Interface]
		if !found {
			return nil, fmt.Errorf("node %q has no interface %q: correct the name", b.node.Name, from.Interface)
		}
		all = slices.Clone(addresses)
	} else {
		cidr, err := netip.ParsePrefix(from.CIDR)
		if err != nil {
			return nil, errors.New("cidr is malformed: write for example 10.1.0.0/16")
		}
		for _, addresses := range b.network.Interfaces {
			all = append(all, slices.DeleteFunc(slices.Clone(addresses), func(a snapshot.InterfaceAddress) bool { return !cidr.Contains(a.Prefix.Addr()) })...)
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("node %q has no address in %s: give it one, or correct cidr", b.node.Name, cidr)
		}
		// Of the same address on two interfaces either will do.
		slices.SortFunc(all, func(x, y snapshot.InterfaceAddress) int {
			return cmp.Or(x.Prefix.Addr().Compare(y.Prefix.Addr()), cmp.Compare(x.Prefix.Bits(), y.Prefix.Bits()))
		})
		all = slices.CompactFunc(all, func(x, y snapshot.InterfaceAddress) bool { return x.Prefix.Addr() == y.Prefix.Addr() })
	}
	all = slices.DeleteFunc(all, func(a snapshot.InterfaceAddress) bool { return !fits(a) })
	if len(all) == 0 {
		return nil, nil
	}
	best := slices.MinFunc(all, func(x, y snapshot.InterfaceAddress) int { return cmp.Compare(rank(x), rank(y)) })
	return slices.DeleteFunc(all, func(a snapshot.InterfaceAddress) bool { return rank(a) != rank(best) }), nil
}

// rank is low for addresses that stay: those with a subnet before host addresses,
// which come and go with the software that moves virtual addresses, and these
// before temporary and deprecated ones.
func rank(a snapshot.InterfaceAddress) int {
	switch {
	case a.Fading:
		return 2
	case a.Prefix.IsSingleIP() && !a.Peer.IsValid():
		return 1
	default:
		return 0
	}
}

// first is the one that is used of several on an interface. The kernel keeps IPv4
// addresses in the order in which they came, but IPv6 ones it doesn't.
func first(found []snapshot.InterfaceAddress) snapshot.InterfaceAddress {
	if found[0].Prefix.Addr().Is4() {
		return found[0]
	}
	return slices.MinFunc(found, func(x, y snapshot.InterfaceAddress) int {
		return cmp.Or(cmp.Compare(local(x), local(y)), x.Prefix.Addr().Compare(y.Prefix.Addr()))
	})
}

// local is 1 for unique local addresses (RFC 4193), 0 for global ones.
func local(a snapshot.InterfaceAddress) int {
	if a.Prefix.Addr().IsPrivate() {
		return 1
	}
	return 0
}

// otherEndOf is the other address of a point-to-point link (RFC 3021, RFC 6164);
// invalid: it is no such link.
func otherEndOf(a snapshot.InterfaceAddress) netip.Addr {
	if a.Peer.IsValid() {
		return a.Peer
	}
	own := a.Prefix.Addr()
	switch own.BitLen() - a.Prefix.Bits() {
	case 1:
		if own == a.Prefix.Masked().Addr() {
			return own.Next()
		}
		return own.Prev()
	case 2: // the first and the last address are the subnet's own
		network := a.Prefix.Masked().Addr()
		one, two := network.Next(), network.Next().Next()
		switch own {
		case one:
			return two
		case two:
			return one
		}
	}
	return netip.Addr{}
}
