package compile

import (
	"cmp"
	"fmt"
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
	// VRF that the session is in; empty for the default VRF.
	VRF string
	// ASN of the node in this VRF.
	ASN frrtemplates.ASN
	// End is where the router is (not known: only the node knows), and the families
	// of the routes that it gets: IPv4 first.
	End      frrtemplates.End
	Families []frrtemplates.Family
	// Neighbor as it is rendered.
	Neighbor frrtemplates.Neighbor

	received received
	// maximumPrefixes of a family that are received; 0: any number.
	maximumPrefixes uint32
}

func (p *Peer) key() NeighborKey { return NeighborKey{VRF: p.VRF, End: p.End} }

// hasExtendedNextHop says whether IPv4 routes over the session have IPv6 next hops
// (RFC 8950). FRR does so unasked where it finds the router behind an interface.
func (p *Peer) hasExtendedNextHop() bool { return p.End.Interface != "" || p.Neighbor.ExtendedNextHop }

// acceptPeers decides which peers the node has, oldest first: of two that
// conflict the older wins. An older peer that is only withheld, for its Secret,
// still wins: otherwise mending the Secret would take the younger one down.
func (b *builder) acceptPeers(all []*v1alpha1.BGPPeer) {
	b.owners, b.instances = map[NeighborKey]string{}, map[string]*Instance{}
	for _, object := range precedence.Sorted(all) {
		ref := ObjectRef{Kind: "BGPPeer", Name: object.Name}
		received, _ := parseReceive(&object.Spec) // parsePeer refuses what is malformed
		selected := b.selectsNode(ref, object.Spec.NodeSelectors)
		ends, neighbor, ok := b.parsePeer(ref, &object.Spec, selected)
		key := NeighborKey{VRF: object.Spec.VRF, End: ends.router}
		if ok && selected && b.fits(ref, object.Name, key, ends) && b.taken(ref) && b.addPassword(ref, &object.Spec, &neighbor) {
			b.addProfile(ref, object.Spec.BFDProfile, &neighbor)
			b.policy.Peers = append(b.policy.Peers, &Peer{
				Name: object.Name, VRF: key.VRF, ASN: ends.asn, End: neighbor.End,
				Families: b.families(ref, &object.Spec, key), Neighbor: neighbor,
				received: received, maximumPrefixes: uint32(object.Spec.MaximumPrefixes),
			})
		}
	}
	b.sortProfiles()
	slices.SortFunc(b.policy.Peers, func(x, y *Peer) int { return cmp.Or(x.key().compare(y.key()), cmp.Compare(x.Name, y.Name)) })
	b.sortInstances()
}

// parsePeer reads a peer: what it says on every node, and where the node is
// selected, with the node's own values.
func (b *builder) parsePeer(ref ObjectRef, spec *v1alpha1.BGPPeerSpec, selected bool) (ends, frrtemplates.Neighbor, bool) {
	e, err := parseEnds(spec)
	var neighbor frrtemplates.Neighbor
	if err == nil {
		neighbor, err = parseNeighbor(spec, e)
	}
	if err != nil {
		b.refuse(ref, v1alpha1.ReasonInvalidPeer, err.Error())
		return e, neighbor, false
	}
	if !selected || !differ(spec) {
		return e, neighbor, true
	}
	if reason, err := b.findEnds(spec, &e); err != nil {
		// The node's network may come up any time: as a peer that waits for its
		// Secret, this one holds what it will need.
		if !waitsForNetwork(reason) || b.fits(ref, ref.Name, NeighborKey{VRF: spec.VRF, End: e.router}, e) {
			b.refuse(ref, reason, err.Error())
		}
		return e, neighbor, false
	}
	if neighbor, err = parseNeighbor(spec, e); err != nil {
		b.refuse(ref, v1alpha1.ReasonInvalidPeer, fmt.Sprintf("with the values of node %q: %v", b.node.Name, err))
		return e, neighbor, false
	}
	return e, neighbor, true
}

func waitsForNetwork(reason string) bool {
	return reason == v1alpha1.ReasonNoNodeAddress || reason == v1alpha1.ReasonNoDefaultGateway || reason == v1alpha1.ReasonNoInterface
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
