package compile

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

const (
	secretType = string(corev1.SecretTypeBasicAuth)
	bgpPort    = 179 // RFC 4271 section 8.2.1
	// minHoldTime other than 0 (RFC 4271 section 4.2).
	minHoldTime = 3 * time.Second
	maxTimer    = math.MaxUint16 * time.Second
	// multihopTTL is as good as 255, which FRR 8 and 10 print differently.
	multihopTTL = 254
	// maxSecurityHops leaves packets a TTL of at least 2 (RFC 5082).
	maxSecurityHops = 254
	// keepalivesPerHoldTime is usual (RFC 4271 section 10).
	keepalivesPerHoldTime = 3
)

// parseNeighbor reads what one BGPPeer says on its own. The API server has
// refused most mistakes before; objects from files and of older CRDs get here.
func parseNeighbor(spec *v1alpha1.BGPPeerSpec) (frrtemplates.Neighbor, error) {
	var neighbor frrtemplates.Neighbor
	address, err := parsePeerAddress(spec.PeerAddress)
	if err != nil {
		return neighbor, fmt.Errorf("spec.peerAddress %q %w", spec.PeerAddress, err)
	}
	if err := errors.Join(checkASN("spec.myASN", spec.MyASN), checkRouterID(spec.RouterID)); err != nil {
		return neighbor, err
	}
	neighbor.Address, neighbor.GracefulRestart = address, spec.EnableGracefulRestart
	if err := parseRemote(spec, &neighbor); err != nil {
		return neighbor, err
	}
	if err := errors.Join(parseLocal(spec, &neighbor), parseHops(spec, &neighbor)); err != nil {
		return neighbor, err
	}
	if neighbor.Source, err = parseSource(spec.SourceAddress, address); err != nil {
		return neighbor, fmt.Errorf("spec.sourceAddress %q %w", spec.SourceAddress, err)
	}
	if neighbor.Port, err = parsePort(spec.PeerPort); err != nil {
		return neighbor, err
	}
	if err := checkFamilies(spec.AddressFamilies); err != nil {
		return neighbor, err
	}
	return neighbor, parseTimers(spec, &neighbor)
}

// parseRemote says which AS number the router has.
func parseRemote(spec *v1alpha1.BGPPeerSpec, neighbor *frrtemplates.Neighbor) error {
	switch spec.DynamicASN {
	case "":
		neighbor.RemoteASN = frrtemplates.ASN(spec.PeerASN)
		return checkASN("spec.peerASN", spec.PeerASN)
	case v1alpha1.DynamicASNInternal:
		neighbor.Dynamic = frrtemplates.AnyInternal
	case v1alpha1.DynamicASNExternal:
		neighbor.Dynamic = frrtemplates.AnyExternal
	default:
		return fmt.Errorf("spec.dynamicASN %q is not known: want internal or external", spec.DynamicASN)
	}
	if spec.PeerASN != 0 {
		return errors.New("spec.peerASN and spec.dynamicASN are both set: leave one of them out")
	}
	return nil
}

// parseLocal reads what the router sees in place of myASN.
func parseLocal(spec *v1alpha1.BGPPeerSpec, neighbor *frrtemplates.Neighbor) error {
	if spec.LocalASN == 0 {
		return nil
	}
	if spec.LocalASN == spec.MyASN || spec.LocalASN == spec.PeerASN || neighbor.Internal(frrtemplates.ASN(spec.MyASN)) {
		return errors.New("spec.localASN is for eBGP only and must be neither spec.myASN nor spec.peerASN: it is what this router sees in place of spec.myASN")
	}
	neighbor.LocalASN = frrtemplates.ASN(spec.LocalASN)
	return checkASN("spec.localASN", spec.LocalASN)
}

// parseHops says how far away the router may be.
func parseHops(spec *v1alpha1.BGPPeerSpec, neighbor *frrtemplates.Neighbor) error {
	internal := neighbor.Internal(frrtemplates.ASN(spec.MyASN))
	if hops := spec.TTLSecurityHops; hops != nil {
		switch {
		case *hops < 1 || *hops > maxSecurityHops:
			return fmt.Errorf("spec.ttlSecurityHops %d is out of range: want 1 to %d", *hops, maxSecurityHops)
		case internal:
			return errors.New("spec.ttlSecurityHops is for eBGP only: leave it out")
		case spec.EBGPMultiHop:
			return errors.New("spec.ttlSecurityHops and spec.ebgpMultiHop exclude each other: leave one of them out")
		}
		neighbor.TTLSecurityHops = uint8(*hops)
	}
	if spec.EBGPMultiHop {
		if internal {
			return errors.New("spec.ebgpMultiHop is for eBGP only: leave it out, an iBGP session may be any number of hops long")
		}
		neighbor.MultihopTTL = multihopTTL
		return nil
	}
	// FRR takes a directly connected IPv6 peer of eBGP for unreachable while the
	// interface's global address is not up yet.
	neighbor.DisableConnectedCheck = neighbor.Address.Is6() && !internal
	return nil
}

// parseSource reads the node's own end of the session; none is the invalid address.
func parseSource(text string, peer netip.Addr) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	addr, err := parsePeerAddress(text)
	switch {
	case err != nil:
		return addr, err
	case frrtemplates.FamilyOf(addr) != frrtemplates.FamilyOf(peer):
		return addr, fmt.Errorf("is not of the family of spec.peerAddress %s", peer)
	case addr == peer:
		return addr, errors.New("is also spec.peerAddress: it must be an address of the node")
	}
	return addr, nil
}

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

func checkASN(field string, asn int64) error {
	if asn < 1 || asn > math.MaxUint32 {
		return fmt.Errorf("%s %d is out of range: want 1 to 4294967295", field, asn)
	}
	return nil
}

func checkRouterID(text string) error {
	if text == "" {
		return nil
	}
	if id, err := netip.ParseAddr(text); err != nil || !id.Is4() || id.IsUnspecified() {
		return fmt.Errorf("spec.routerID %q is not an IPv4 address other than 0.0.0.0 (RFC 6286)", text)
	}
	return nil
}

func parsePort(port *int32) (uint16, error) {
	if port == nil {
		return bgpPort, nil
	}
	if *port < 1 || *port > math.MaxUint16 {
		return 0, fmt.Errorf("spec.peerPort %d is out of range: want 1 to 65535", *port)
	}
	return uint16(*port), nil
}

func parseTimers(spec *v1alpha1.BGPPeerSpec, neighbor *frrtemplates.Neighbor) error {
	connect, err := parseTimer("spec.connectTime", spec.ConnectTime, time.Second)
	if err != nil {
		return err
	}
	neighbor.ConnectTime = connect
	if spec.HoldTime == nil {
		if spec.KeepaliveTime != nil {
			return errors.New("spec.keepaliveTime needs spec.holdTime: set both or neither")
		}
		return nil
	}
	neighbor.HasTimers = true
	if spec.HoldTime.Duration != 0 {
		if neighbor.HoldTime, err = parseTimer("spec.holdTime", spec.HoldTime, minHoldTime); err != nil {
			return err
		}
	}
	return parseKeepalive(spec.KeepaliveTime, neighbor)
}

// parseKeepalive gives at most a third of the hold time, which is what both ends
// use (RFC 4271 section 10): FRR 10 prints the smaller value back, FRR 8 the
// configured one.
func parseKeepalive(keepalive *metav1.Duration, neighbor *frrtemplates.Neighbor) error {
	third := (neighbor.HoldTime / keepalivesPerHoldTime).Truncate(time.Second)
	neighbor.KeepaliveTime = third
	if keepalive == nil || keepalive.Duration == 0 && neighbor.HoldTime == 0 {
		return nil
	}
	wanted, err := parseTimer("spec.keepaliveTime", keepalive, time.Second)
	if err != nil {
		return err
	}
	if wanted > neighbor.HoldTime {
		return fmt.Errorf("spec.keepaliveTime %s is longer than spec.holdTime %s: a third of it is usual", wanted, neighbor.HoldTime)
	}
	neighbor.KeepaliveTime = min(wanted, third)
	return nil
}

// parseTimer reads whole seconds; nil is 0.
func parseTimer(field string, d *metav1.Duration, least time.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if d.Duration < least || d.Duration > maxTimer || d.Duration%time.Second != 0 {
		return 0, fmt.Errorf("%s %s is out of range: want whole seconds from %s to 65535s", field, d.Duration, least)
	}
	return d.Duration, nil
}
