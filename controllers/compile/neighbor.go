package compile

import (
	"errors"
	"fmt"
	"math"
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

// parseNeighbor reads what one BGPPeer says on its own, between these ends. The
// API server has refused most mistakes before; objects from files and of older
// CRDs get here, and ends that a node has of its own.
func parseNeighbor(spec *v1alpha1.BGPPeerSpec, e ends) (frrtemplates.Neighbor, error) {
	neighbor := frrtemplates.Neighbor{End: e.router, Source: e.source, ExtendedNextHop: spec.ExtendedNextHop, GracefulRestart: spec.EnableGracefulRestart}
	err := errors.Join(checkVRF(spec), parseRemote(spec, &neighbor))
	if err != nil {
		return neighbor, err
	}
	if err := errors.Join(parseLocal(spec, e.asn, &neighbor), parseHops(spec, e.asn, &neighbor), checkSource(e), checkExtendedNextHop(spec, e)); err != nil {
		return neighbor, err
	}
	if neighbor.Port, err = parsePort(spec.PeerPort); err != nil {
		return neighbor, err
	}
	_, unreadable := parseReceive(spec)
	if err := errors.Join(checkFamilies(spec.AddressFamilies), unreadable, checkMaximum(spec)); err != nil {
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
func parseLocal(spec *v1alpha1.BGPPeerSpec, own frrtemplates.ASN, neighbor *frrtemplates.Neighbor) error {
	if spec.LocalASN == 0 {
		return nil
	}
	if spec.LocalASN == int64(own) || spec.LocalASN == spec.PeerASN || neighbor.Internal(own) {
		return errors.New("spec.localASN is for eBGP only and must be neither spec.myASN nor spec.peerASN: it is what this router sees in place of spec.myASN")
	}
	neighbor.LocalASN = frrtemplates.ASN(spec.LocalASN)
	return checkASN("spec.localASN", spec.LocalASN)
}

// parseHops says how far away the router may be.
func parseHops(spec *v1alpha1.BGPPeerSpec, own frrtemplates.ASN, neighbor *frrtemplates.Neighbor) error {
	internal := neighbor.Internal(own)
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
		if spec.Interface != "" {
			return errors.New("spec.ebgpMultiHop and spec.interface are both set: what is behind an interface is one hop away; leave spec.ebgpMultiHop out")
		}
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
