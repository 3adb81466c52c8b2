package compile

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// ends are what of a peer's session may differ from node to node. What is not
// known here, or not said at all, is the zero value.
type ends struct {
	// asn and routerID are the node's.
	asn      frrtemplates.ASN
	routerID netip.Addr
	// router is the router's, source the node's.
	router frrtemplates.End
	source netip.Addr
}

// differ says whether a peer has values, or an interface, that each node has of its
// own.
func differ(spec *v1alpha1.BGPPeerSpec) bool {
	return spec.MyASNFrom != nil || spec.PeerAddressFrom != nil || spec.DefaultGateway != "" || spec.Interface != "" || spec.SourceAddressFrom != nil || spec.RouterIDFrom != nil
}

// parseEnds reads those that are the same on every node.
func parseEnds(spec *v1alpha1.BGPPeerSpec) (ends, error) {
	var e ends
	var err error
	if err = errors.Join(
		checkRouter(spec), checkOne("myASN", spec.MyASN != 0, spec.MyASNFrom != nil),
		checkNotBoth("sourceAddress", spec.SourceAddress != "", spec.SourceAddressFrom != nil),
		checkNotBoth("routerID", spec.RouterID != "", spec.RouterIDFrom != nil),
	); err != nil {
		return e, err
	}
	e.router.Interface = spec.Interface
	if spec.PeerAddress != "" {
		if e.router.Address, err = parsePeerAddress(spec.PeerAddress); err != nil {
			return e, fmt.Errorf("spec.peerAddress %q %w", spec.PeerAddress, err)
		}
	}
	if spec.MyASNFrom == nil {
		if err := checkASN("spec.myASN", spec.MyASN); err != nil {
			return e, err
		}
		e.asn = frrtemplates.ASN(spec.MyASN)
	}
	if spec.RouterID != "" {
		if e.routerID, err = parseRouterID(spec.RouterID); err != nil {
			return e, fmt.Errorf("spec.routerID %q %w", spec.RouterID, err)
		}
	}
	if spec.SourceAddress != "" {
		if e.source, err = parsePeerAddress(spec.SourceAddress); err != nil {
			return e, fmt.Errorf("spec.sourceAddress %q %w", spec.SourceAddress, err)
		}
	}
	return e, nil
}

// checkRouter wants exactly one way to say where the router is.
func checkRouter(spec *v1alpha1.BGPPeerSpec) error {
	ways := 0
	for _, set := range []bool{spec.PeerAddress != "", spec.PeerAddressFrom != nil, spec.DefaultGateway != "", spec.Interface != ""} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		return fmt.Errorf("%d of spec.peerAddress, spec.peerAddressFrom, spec.defaultGateway and spec.interface are set: set exactly one", ways)
	}
	if _, known := gatewayFamilies[spec.DefaultGateway]; spec.DefaultGateway != "" && !known {
		return fmt.Errorf("spec.defaultGateway %q is not known: want ipv4 or ipv6", spec.DefaultGateway)
	}
	if spec.Interface == "" {
		return nil
	}
	if err := frrtemplates.CheckInterface(spec.Interface); err != nil {
		return fmt.Errorf("spec.interface %q %w", spec.Interface, err)
	}
	if spec.SourceAddress != "" || spec.SourceAddressFrom != nil {
		return errors.New("spec.interface is set together with spec.sourceAddress or spec.sourceAddressFrom: such a session runs between link-local addresses; leave the source out")
	}
	return nil
}

func checkOne(field string, static, perNode bool) error {
	if !static && !perNode {
		return fmt.Errorf("spec.%s and spec.%sFrom are both missing: set one of them", field, field)
	}
	return checkNotBoth(field, static, perNode)
}

func checkNotBoth(field string, static, perNode bool) error {
	if static && perNode {
		return fmt.Errorf("spec.%s and spec.%sFrom are both set: leave one of them out", field, field)
	}
	return nil
}

// findEnds fills in those that this node has of its own. The reason tells
// whether the node has none or a useless one.
func (b *builder) findEnds(spec *v1alpha1.BGPPeerSpec, e *ends) (reason string, err error) {
	if from := spec.MyASNFrom; from != nil {
		if reason, err = b.readNode("spec.myASNFrom", from.NodeLabel, from.NodeAnnotation, func(text string) (err error) {
			e.asn, err = parseASN(text)
			return err
		}); err != nil {
			return reason, err
		}
	}
	if reason, err = b.findGateway(spec.DefaultGateway, &e.router.Address); err != nil {
		return reason, err
	}
	if reason, err = b.findInterface(spec.Interface); err != nil {
		return reason, err
	}
	if reason, err = b.findAddress("spec.peerAddressFrom", spec.PeerAddressFrom, &e.router.Address, parsePeerAddress, b.otherEnd); err != nil {
		return reason, err
	}
	family := anyFamily
	if e.router.Address.IsValid() {
		family = frrtemplates.FamilyOf(e.router.Address)
	}
	if reason, err = b.findAddress("spec.sourceAddressFrom", spec.SourceAddressFrom, &e.source, parsePeerAddress, b.ownAddress(family)); err != nil {
		return reason, err
	}
	return b.findAddress("spec.routerIDFrom", spec.RouterIDFrom, &e.routerID, parseRouterID, b.ownAddress(frrtemplates.IPv4))
}

// findAddress reads an address of the node from where a field says: as a text,
// or from its interfaces.
func (b *builder) findAddress(
	field string, from *v1alpha1.NodeAddressSource, into *netip.Addr,
	parse func(string) (netip.Addr, error), ask func(*v1alpha1.NodeAddressSource) (netip.Addr, error),
) (reason string, err error) {
	switch {
	case from == nil:
		return "", nil
	case from.Interface == "" && from.CIDR == "":
		return b.readNode(field, from.NodeLabel, from.NodeAnnotation, func(text string) (err error) {
			*into, err = parse(text)
			return err
		})
	case from.NodeLabel != "" || from.NodeAnnotation != "" || from.Interface != "" && from.CIDR != "":
		return v1alpha1.ReasonInvalidPeer, fmt.Errorf("%s: exactly one of its fields must be set", field)
	case b.network == nil:
		return "", nil // only the node knows
	}
	if *into, err = ask(from); err != nil {
		return v1alpha1.ReasonNoNodeAddress, fmt.Errorf("%s: %w; or leave the node out by spec.nodeSelectors", field, err)
	}
	return "", nil
}

// findInterface says whether the node has the interface that a router is behind.
func (b *builder) findInterface(name string) (reason string, err error) {
	if name == "" || b.network == nil {
		return "", nil // only the node knows
	}
	if _, found := b.network.Interfaces[name]; !found {
		return v1alpha1.ReasonNoInterface, fmt.Errorf(
			"spec.interface: node %q has no interface %q: the peer is withheld until it has one; correct the name, or leave the node out by spec.nodeSelectors", b.node.Name, name)
	}
	return "", nil
}

// readNode reads the node's label or annotation for a field.
func (b *builder) readNode(field string, label, annotation v1alpha1.NodeKey, take func(string) error) (reason string, err error) {
	what, command, key, all := "label", "label", string(label), b.node.Labels
	if annotation != "" {
		what, command, key, all = "annotation", "annotate", string(annotation), b.node.Annotations
	}
	if (label == "") == (annotation == "") {
		return v1alpha1.ReasonInvalidPeer, fmt.Errorf("%s: exactly one of its fields must be set", field)
	}
	text, found := all[key]
	if !found {
		return v1alpha1.ReasonNodeValueMissing, fmt.Errorf(
			"%s: node %q has no %s %q: set it (kubectl %s node), or leave the node out by spec.nodeSelectors", field, b.node.Name, what, key, command)
	}
	if err := take(text); err != nil {
		return v1alpha1.ReasonNodeValueInvalid, fmt.Errorf(
			"%s: %s %q of node %q is %q, which %w; correct it (kubectl %s node --overwrite), or leave the node out by spec.nodeSelectors",
			field, what, key, b.node.Name, excerpt(text), err, command)
	}
	return "", nil
}

// excerpt of a text that a user wrote, for a message.
func excerpt(text string) string {
	const most = 45 // the longest address
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

func parseASN(text string) (frrtemplates.ASN, error) {
	asn, err := strconv.ParseUint(text, 10, 32)
	if err != nil || asn == 0 {
		return 0, errors.New("is not an AS number: want 1 to 4294967295 in decimal")
	}
	return frrtemplates.ASN(asn), nil
}

func checkASN(field string, asn int64) error {
	if asn < 1 || asn > math.MaxUint32 {
		return fmt.Errorf("%s %d is out of range: want 1 to 4294967295", field, asn)
	}
	return nil
}

func parseRouterID(text string) (netip.Addr, error) {
	id, err := netip.ParseAddr(text)
	if err != nil || !id.Is4() || id.IsUnspecified() {
		return netip.Addr{}, errors.New("is not an IPv4 address other than 0.0.0.0 (RFC 6286)")
	}
	return id, nil
}

// parsePeerAddress reads an end of a session.
func parsePeerAddress(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return addr, errors.New("is not an IP address: write for example 192.0.2.1 or 2001:db8::1")
	case addr.Zone() != "" || addr.Is4In6() || addr.IsUnspecified() || addr.IsLoopback() || addr.IsMulticast() || addr.IsLinkLocalUnicast():
		return addr, errors.New("can't be an end of a BGP session here: want a global or private unicast address")
	}
	return addr, nil
}

// checkSource compares the two ends of a session.
func checkSource(e ends) error {
	switch {
	case !e.source.IsValid() || !e.router.Address.IsValid():
		return nil
	case frrtemplates.FamilyOf(e.source) != frrtemplates.FamilyOf(e.router.Address):
		return fmt.Errorf("spec.sourceAddress %q is not of the family of spec.peerAddress %s", e.source, e.router.Address)
	case e.source == e.router.Address:
		return fmt.Errorf("spec.sourceAddress %q is also spec.peerAddress: it must be an address of the node", e.source)
	}
	return nil
}
