package compile

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Instance is the node's BGP in one VRF, in which all peers must agree.
type Instance struct {
	// VRF is empty for the default VRF.
	VRF string
	// ASN of the node and its BGP identifier.
	ASN      frrtemplates.ASN
	RouterID netip.Addr

	// asnOwner and idOwner are the peers that decided; no idOwner: none has.
	asnOwner, idOwner string
}

func checkVRF(spec *v1alpha1.BGPPeerSpec) error {
	if spec.VRF == "" {
		return nil
	}
	if err := frrtemplates.CheckVRF(spec.VRF); err != nil {
		return fmt.Errorf("spec.vrf %q %w", spec.VRF, err)
	}
	if spec.DefaultGateway != "" {
		return errors.New("spec.defaultGateway and spec.vrf are both set: the gateway is that of the default VRF; name the router's address")
	}
	return nil
}

// where is the instance's place, for messages.
func (b *builder) where(vrf string) string {
	if vrf == "" {
		return fmt.Sprintf("on node %q", b.node.Name)
	}
	return fmt.Sprintf("in VRF %q on node %q", vrf, b.node.Name)
}

// fits says whether a valid peer can live beside the older ones on this node,
// and if so makes it one that younger ones must fit to.
func (b *builder) fits(ref ObjectRef, name string, key NeighborKey, e ends) bool {
	asn, id := e.asn, e.routerID
	owner, taken := b.owners[key]
	instance := b.instances[key.VRF]
	switch {
	case key.VRF == "" && key.Interface == "" && slices.Contains(b.node.Addresses, key.Address):
		b.refuse(ref, v1alpha1.ReasonInvalidPeer, fmt.Sprintf(
			"spec.peerAddress %s is the own address of node %q: leave the node out by spec.nodeSelectors", key.Address, b.node.Name))
	case taken:
		b.refuse(ref, v1alpha1.ReasonDuplicatePeer, fmt.Sprintf(
			"%s %s is also that of the older BGPPeer %q %s: delete one of them or give them disjoint spec.nodeSelectors or VRFs (spec.vrf)",
			endField(key.End), key.End, owner, b.where(key.VRF)))
	case instance != nil && asn != instance.ASN:
		b.refuse(ref, v1alpha1.ReasonASNConflict, fmt.Sprintf(
			"spec.myASN %d differs from %d of the older BGPPeer %q %s: a node has one AS number in a VRF; make them equal or give them disjoint spec.nodeSelectors",
			asn, instance.ASN, instance.asnOwner, b.where(key.VRF)))
	case instance != nil && id.IsValid() && instance.idOwner != "" && id != instance.RouterID:
		b.refuse(ref, v1alpha1.ReasonRouterIDConflict, fmt.Sprintf(
			"spec.routerID %s differs from %s of the older BGPPeer %q %s: a node has one router-id in a VRF; make them equal or leave it out here",
			id, instance.RouterID, instance.idOwner, b.where(key.VRF)))
	default:
		b.settle(name, key, asn, id)
		return true
	}
	return false
}

// endField is the field that says where a router is, for messages.
func endField(end frrtemplates.End) string {
	if end.Interface != "" {
		return "spec.interface"
	}
	return "spec.peerAddress"
}

func (b *builder) settle(name string, key NeighborKey, asn frrtemplates.ASN, id netip.Addr) {
	if key.IsKnown() { // else only the node knows
		b.owners[key] = name
	}
	instance := b.instances[key.VRF]
	if instance == nil {
		instance = &Instance{VRF: key.VRF, ASN: asn, asnOwner: name, RouterID: b.defaultRouterID()}
		b.instances[key.VRF] = instance
	}
	if id.IsValid() && instance.idOwner == "" {
		instance.RouterID, instance.idOwner = id, name
	}
}

// sortInstances leaves those in which a peer lives, the default VRF's first. An
// older peer that is withheld decides, and makes none.
func (b *builder) sortInstances() {
	for _, peer := range b.policy.Peers {
		if instance := b.instances[peer.VRF]; !slices.Contains(b.policy.Instances, instance) {
			b.policy.Instances = append(b.policy.Instances, instance)
		}
	}
	slices.SortFunc(b.policy.Instances, func(x, y *Instance) int { return cmp.Compare(x.VRF, y.VRF) })
}

// defaultRouterID is the node's IPv4 InternalIP, else a hash of the node's name.
// Only 1.0.0.0 to 223.255.255.255 come from the hash: older routers refuse a BGP
// identifier of class D or E.
func (b *builder) defaultRouterID() netip.Addr {
	for _, addr := range b.node.Addresses {
		if addr = addr.Unmap(); addr.Is4() && !addr.IsUnspecified() {
			return addr
		}
	}
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], uint32(hash(b.node.Name)))
	id[0] = 1 + id[0]%223
	return netip.AddrFrom4(id)
}
