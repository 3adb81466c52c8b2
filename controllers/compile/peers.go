package compile

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/precedence"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Peer is a BGPPeer that the node has a session with.
type Peer struct {
	// Name of the BGPPeer.
	Name string
	// Address of the router, and the families of the routes that it gets: IPv4 first.
	Address  netip.Addr
	Families []frrtemplates.Family
	// Neighbor as it is rendered.
	Neighbor frrtemplates.Neighbor
}

// acceptPeers decides which peers the node has, oldest first: of two that
// conflict the older wins. An older peer that is only withheld, for its Secret,
// still wins: otherwise mending the Secret would take the younger one down.
func (b *builder) acceptPeers(all []*v1alpha1.BGPPeer) {
	b.owners = map[netip.Addr]string{}
	for _, object := range precedence.Sorted(all) {
		ref := ObjectRef{Kind: "BGPPeer", Name: object.Name}
		selected := b.selectsNode(ref, object.Spec.NodeSelectors)
		neighbor, err := parseNeighbor(&object.Spec)
		if err != nil {
			b.refuse(ref, v1alpha1.ReasonInvalidPeer, err.Error())
			continue
		}
		if selected && b.fits(ref, object, neighbor.Address) && b.addPassword(ref, &object.Spec, &neighbor) {
			b.addProfile(ref, object.Spec.BFDProfile, &neighbor)
			b.policy.Peers = append(b.policy.Peers, &Peer{
				Name: object.Name, Address: neighbor.Address,
				Families: b.families(ref, &object.Spec, neighbor.Address), Neighbor: neighbor,
			})
		}
	}
	b.sortProfiles()
	slices.SortFunc(b.policy.Peers, func(x, y *Peer) int { return x.Address.Compare(y.Address) })
	b.policy.RouterID = b.routerID()
}

// fits says whether a valid peer can live beside the older ones on this node,
// and if so makes it one that younger ones must fit to.
func (b *builder) fits(ref ObjectRef, object *v1alpha1.BGPPeer, address netip.Addr) bool {
	asn := frrtemplates.ASN(object.Spec.MyASN)
	id := explicitRouterID(object)
	owner, taken := b.owners[address]
	switch {
	case slices.Contains(b.node.Addresses, address):
		b.refuse(ref, v1alpha1.ReasonInvalidPeer, fmt.Sprintf(
			"spec.peerAddress %s is the own address of node %q: leave the node out by spec.nodeSelectors", address, b.node.Name))
	case taken:
		b.refuse(ref, v1alpha1.ReasonDuplicatePeer, fmt.Sprintf(
			"spec.peerAddress %s is also that of the older BGPPeer %q on node %q: delete one of them or give them disjoint spec.nodeSelectors",
			address, owner, b.node.Name))
	case b.policy.ASN != 0 && asn != b.policy.ASN:
		b.refuse(ref, v1alpha1.ReasonASNConflict, fmt.Sprintf(
			"spec.myASN %d differs from %d of the older BGPPeer %q on node %q: a node has one AS number; make them equal or give them disjoint spec.nodeSelectors",
			asn, b.policy.ASN, b.asnOwner, b.node.Name))
	case id.IsValid() && b.explicitID.IsValid() && id != b.explicitID:
		b.refuse(ref, v1alpha1.ReasonRouterIDConflict, fmt.Sprintf(
			"spec.routerID %s differs from %s of the older BGPPeer %q on node %q: a node has one router-id; make them equal or leave it out here",
			id, b.explicitID, b.idOwner, b.node.Name))
	default:
		b.settle(object.Name, address, asn, id)
		return true
	}
	return false
}

func (b *builder) settle(name string, address netip.Addr, asn frrtemplates.ASN, id netip.Addr) {
	b.owners[address] = name
	if b.policy.ASN == 0 {
		b.policy.ASN, b.asnOwner = asn, name
	}
	if id.IsValid() && !b.explicitID.IsValid() {
		b.explicitID, b.idOwner = id, name
	}
}

func explicitRouterID(object *v1alpha1.BGPPeer) netip.Addr {
	id, _ := netip.ParseAddr(object.Spec.RouterID)
	return id
}

// routerID is the one that a peer names, else the node's IPv4 InternalIP, else a
// hash of the node's name. Only 1.0.0.0 to 223.255.255.255 come from the hash:
// older routers refuse a BGP identifier of class D or E.
func (b *builder) routerID() netip.Addr {
	if b.explicitID.IsValid() || b.node == nil {
		return b.explicitID
	}
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

// addPassword gives a neighbor its password, or refuses the peer: a session that
// should have a password is never brought up without it. Where Secrets can't be
// read at all the peer is accepted, for those who only ask where it would be.
func (b *builder) addPassword(ref ObjectRef, spec *v1alpha1.BGPPeerSpec, neighbor *frrtemplates.Neighbor) bool {
	if spec.PasswordSecret == nil || b.secrets == nil {
		return true
	}
	name := spec.PasswordSecret.Name
	secret := b.secrets[name]
	if secret == nil {
		b.refuse(ref, v1alpha1.ReasonSecretNotFound, fmt.Sprintf(
			"spec.passwordSecret: Secret %q does not exist in the namespace of Herald's secrets; the peer is withheld until it does", name))
		return false
	}
	if problem := secretProblem(secret); problem != "" {
		b.refuse(ref, v1alpha1.ReasonSecretInvalid, fmt.Sprintf(
			"spec.passwordSecret: Secret %q %s; the peer is withheld until it is mended", name, problem))
		return false
	}
	neighbor.Password = secret.Password
	return true
}

// secretProblem says what is wrong with a Secret. It never quotes from it.
func secretProblem(secret *snapshot.Secret) string {
	password := secret.Password.Reveal()
	switch {
	case secret.Type != secretType:
		return fmt.Sprintf("is of type %q, want %q", secret.Type, secretType)
	case !secret.HasPassword:
		return fmt.Sprintf("has no key %q", snapshot.PasswordKey)
	case password == "":
		return "has an empty password"
	case len(password) > frrtemplates.MaxPasswordLength:
		return fmt.Sprintf("has a password of %d characters, TCP MD5 takes at most %d", len(password), frrtemplates.MaxPasswordLength)
	case password[len(password)-1] == '\n':
		return "has a password that ends with a line break: make it with \"echo -n\" or \"printf\""
	case password[len(password)-1] == frrtemplates.HelpMark:
		return "has a password that ends with \"?\", which FRR's shell reads as a question"
	}
	for i := range len(password) {
		if password[i] <= ' ' || password[i] > '~' {
			return "has a password with a character other than printable ASCII without space"
		}
	}
	return ""
}
