package compile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// bothFamilies in the order of a Config.
var bothFamilies = []frrtemplates.Family{frrtemplates.IPv4, frrtemplates.IPv6}

var familyNames = map[frrtemplates.Family]v1alpha1.AddressFamily{
	frrtemplates.IPv4: v1alpha1.AddressFamilyIPv4,
	frrtemplates.IPv6: v1alpha1.AddressFamilyIPv6,
}

func checkFamilies(families []v1alpha1.AddressFamily) error {
	for _, family := range families {
		if family != v1alpha1.AddressFamilyIPv4 && family != v1alpha1.AddressFamilyIPv6 {
			return fmt.Errorf("spec.addressFamilies: %q is not a family: want %s or %s",
				family, v1alpha1.AddressFamilyIPv4, v1alpha1.AddressFamilyIPv6)
		}
	}
	return nil
}

// checkExtendedNextHop: it is about IPv4 routes over IPv6.
func checkExtendedNextHop(spec *v1alpha1.BGPPeerSpec, e ends) error {
	switch {
	case !spec.ExtendedNextHop:
		return nil
	case spec.Interface != "":
		return errors.New("spec.extendedNextHop and spec.interface are both set: such a session has it anyway; leave spec.extendedNextHop out")
	case !slices.Contains(spec.AddressFamilies, v1alpha1.AddressFamilyIPv4) || e.router.Address.Is4():
		return errors.New("spec.extendedNextHop is for IPv4 routes over a session between IPv6 addresses: it needs IPv4 in spec.addressFamilies and a router with an IPv6 address")
	}
	return nil
}

// families that a session with an address carries on this node. FRR makes the
// next hop of the other family from the interface, and where that has no address
// of it, from the router-id or a link-local address: then the routes would lead
// nowhere, so they are left out. The node's addresses in another VRF aren't known.
func (b *builder) families(ref ObjectRef, spec *v1alpha1.BGPPeerSpec, key NeighborKey) []frrtemplates.Family {
	if !key.Address.IsValid() { // unnumbered, or only the node knows
		return possibleFamilies(spec)
	}
	own := frrtemplates.FamilyOf(key.Address)
	if len(spec.AddressFamilies) == 0 {
		return []frrtemplates.Family{own}
	}
	var families []frrtemplates.Family
	for _, family := range bothFamilies {
		if !slices.Contains(spec.AddressFamilies, familyNames[family]) {
			continue
		}
		extended := spec.ExtendedNextHop && family == frrtemplates.IPv4
		if family != own && key.VRF == "" && !b.nodeHas(family) && !extended {
			remedy := "leave out the family or give the node an address"
			if family == frrtemplates.IPv4 {
				remedy += ", or set spec.extendedNextHop if the router takes IPv6 next hops for them"
			}
			b.refuse(ref, v1alpha1.ReasonNoNextHop, fmt.Sprintf(
				"spec.addressFamilies: node %q has no InternalIP of %s to be the next hop of such routes over the session with %s: they are left out there; %s",
				b.node.Name, familyNames[family], key.Address, remedy))
			continue
		}
		families = append(families, family)
	}
	return families
}

// possibleFamilies are those of an unnumbered session, over which IPv4 routes have
// IPv6 next hops (RFC 8950), and of one of which only the node knows the router's
// address.
func possibleFamilies(spec *v1alpha1.BGPPeerSpec) []frrtemplates.Family {
	if len(spec.AddressFamilies) == 0 {
		if spec.DefaultGateway != "" {
			return []frrtemplates.Family{gatewayFamilies[spec.DefaultGateway]}
		}
		if spec.PeerAddressFrom != nil {
			if cidr, err := netip.ParsePrefix(spec.PeerAddressFrom.CIDR); err == nil {
				return []frrtemplates.Family{frrtemplates.FamilyOf(cidr.Addr())}
			}
		}
		return bothFamilies
	}
	return slices.DeleteFunc(slices.Clone(bothFamilies), func(family frrtemplates.Family) bool {
		return !slices.Contains(spec.AddressFamilies, familyNames[family])
	})
}

func (b *builder) nodeHas(family frrtemplates.Family) bool {
	return slices.ContainsFunc(b.node.Addresses, func(a netip.Addr) bool { return frrtemplates.FamilyOf(a) == family })
}
