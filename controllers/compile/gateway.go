package compile

import (
	"fmt"
	"net/netip"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

var gatewayFamilies = map[v1alpha1.GatewayFamily]frrtemplates.Family{
	v1alpha1.DefaultGatewayIPv4: frrtemplates.IPv4,
	v1alpha1.DefaultGatewayIPv6: frrtemplates.IPv6,
}

// findGateway finds the node's default gateway, where a peer asks for it.
func (b *builder) findGateway(asked v1alpha1.GatewayFamily, into *netip.Addr) (reason string, err error) {
	if asked == "" || b.network == nil {
		return "", nil // only the node knows
	}
	family := gatewayFamilies[asked]
	gateways := b.network.Gateways[family]
	refuse := func(format string, args ...any) (string, error) {
		return v1alpha1.ReasonNoDefaultGateway, fmt.Errorf("spec.defaultGateway: "+format+", or leave the node out by spec.nodeSelectors", args...)
	}
	switch {
	case len(gateways) == 0:
		return refuse("node %q has no %s default route with a next hop in its main table: the peer is withheld until it has one; give it one", b.node.Name, familyNames[family])
	case len(gateways) > 1:
		return refuse("the %s default route of node %q has several next hops, such as %s and %s: use spec.peerAddress with a peer for each",
			familyNames[family], b.node.Name, gateways[0].Address, gateways[1].Address)
	}
	gateway := gateways[0]
	if gateway.Address.IsLinkLocalUnicast() {
		return refuse("the %s default gateway of node %q is the link-local address %s on %s, which can't be an end of a session here: use spec.peerAddress with a global address of the router, or spec.interface if it speaks BGP unnumbered",
			familyNames[family], b.node.Name, gateway.Address, gateway.Interface)
	}
	if *into, err = parsePeerAddress(gateway.Address.String()); err != nil {
		return refuse("the %s default gateway of node %q is %s, which %w", familyNames[family], b.node.Name, gateway.Address, err)
	}
	return "", nil
}
