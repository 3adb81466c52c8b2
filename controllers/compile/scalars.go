package compile

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// maxPrepend is how often the own AS may be prepended: longer paths serve nobody
// and some routers refuse them.
const maxPrepend = 10

// scalar is an attribute that has one value on a route: of several advertisements
// on one route and peer the oldest that sets it decides.
type scalar struct {
	field string
	// value of an advertisement, for comparison and messages; empty is unset.
	value func(*attributes) string
	// sent says whether a peer's routes can have it; noEffect why they can't, and
	// the remedy.
	sent     func(*Peer) bool
	noEffect string
}

var (
	localPref = &scalar{
		field: "spec.localPref",
		value: func(a *attributes) string { return number(a.localPref) },
		sent:  func(peer *Peer) bool { return peer.internal() },
		noEffect: "it is sent over iBGP only (RFC 4271 section 5.1.5), and every peer that the advertisement reaches from this node is eBGP: " +
			"remove it, or announce to a peer whose peerASN is its myASN, or whose dynamicASN is internal",
	}
	med = &scalar{
		field: "spec.med",
		value: func(a *attributes) string { return number(a.med) },
		sent:  func(*Peer) bool { return true },
	}
	prepend = &scalar{
		field: "spec.asPathPrepend",
		value: func(a *attributes) string { return number(a.prepend) },
		sent:  func(peer *Peer) bool { return !peer.internal() },
		noEffect: "over iBGP the AS path is left as it is (RFC 4271 section 5.1.2), and every peer that the advertisement reaches from this node is iBGP: " +
			"remove it, or use localPref there",
	}
	nextHops = map[frrtemplates.Family]*scalar{
		frrtemplates.IPv4: nextHopScalar("spec.nextHop.ipv4", frrtemplates.IPv4),
		frrtemplates.IPv6: nextHopScalar("spec.nextHop.ipv6", frrtemplates.IPv6),
	}
	scalars = []*scalar{localPref, med, prepend, nextHops[frrtemplates.IPv4], nextHops[frrtemplates.IPv6]}
)

func nextHopScalar(field string, family frrtemplates.Family) *scalar {
	return &scalar{
		field: field,
		value: func(a *attributes) string {
			if hop := a.nextHops[family]; hop.IsValid() {
				return hop.String()
			}
			return ""
		},
		sent: func(peer *Peer) bool {
			return slices.Contains(peer.Families, family) && (family != frrtemplates.IPv4 || !peer.hasExtendedNextHop())
		},
		noEffect: fmt.Sprintf("no peer that the advertisement reaches from this node is sent %s routes with a next hop of that family: remove it, or see BGPPeer's spec.addressFamilies",
			familyNames[family]),
	}
}

// number spells a value; nil is unset.
func number(value *uint32) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(*value)
}

// parseNumber reads a value of a field; nil is unset.
func parseNumber[T int32 | int64](field string, value *T, largest int64) (*uint32, error) {
	if value == nil {
		return nil, nil
	}
	if int64(*value) < 0 || int64(*value) > largest {
		return nil, fmt.Errorf("%s %d is out of range: want 0 to %d", field, *value, largest)
	}
	return new(uint32(*value)), nil
}

// parseScalars reads what an advertisement says of them. The reason tells which
// field is malformed.
func parseScalars(spec *v1alpha1.BGPAdvertisementSpec, into *attributes) (reason string, err error) {
	if into.localPref, err = parseNumber("spec.localPref", spec.LocalPref, math.MaxUint32); err != nil {
		return v1alpha1.ReasonInvalidLocalPref, err
	}
	if into.med, err = parseNumber("spec.med", spec.MED, math.MaxUint32); err != nil {
		return v1alpha1.ReasonInvalidMED, err
	}
	if into.prepend, err = parseNumber("spec.asPathPrepend", spec.ASPathPrepend, maxPrepend); err != nil {
		return v1alpha1.ReasonInvalidPrepend, err
	}
	if into.weighs, err = parseWeight(spec.Weight); err != nil {
		return v1alpha1.ReasonInvalidWeight, err
	}
	into.nextHops, err = parseNextHops(spec.NextHop)
	return v1alpha1.ReasonInvalidNextHop, err
}

func parseNextHops(spec *v1alpha1.NextHop) (map[frrtemplates.Family]netip.Addr, error) {
	if spec == nil {
		return nil, nil
	}
	hops := map[frrtemplates.Family]netip.Addr{}
	for family, text := range map[frrtemplates.Family]string{frrtemplates.IPv4: spec.IPv4, frrtemplates.IPv6: spec.IPv6} {
		if text == "" {
			continue
		}
		hop, err := parsePeerAddress(text)
		if err == nil && frrtemplates.FamilyOf(hop) != family {
			err = errors.New("is of the other family")
		}
		if err != nil {
			return nil, fmt.Errorf("spec.nextHop.%s %q %w", strings.ToLower(string(familyNames[family])), text, err)
		}
		hops[family] = hop
	}
	return hops, nil
}

// decides is the advertisement, of these from the oldest on, whose value the
// routes to a peer have; nil: none sets it, or the peer can't be sent it.
func (p *Policy) decides(s *scalar, advertisements []*Advertisement, peer *Peer) *Advertisement {
	if !s.sent(peer) {
		return nil
	}
	for _, a := range advertisements {
		if s.value(&a.attributes) != "" {
			return a
		}
	}
	return nil
}

// setScalars fills an entry of a peer's outbound map of a family.
func (p *Policy) setScalars(entry *frrtemplates.RouteMapEntry, advertisements []*Advertisement, peer *Peer, family frrtemplates.Family) {
	if a := p.decides(localPref, advertisements, peer); a != nil {
		entry.LocalPref = a.localPref
	}
	if a := p.decides(med, advertisements, peer); a != nil {
		entry.MED = a.med
	}
	if a := p.decides(prepend, advertisements, peer); a != nil {
		entry.Prepend = slices.Repeat([]frrtemplates.ASN{seenBy(peer)}, int(*a.prepend))
	}
	if a := p.decides(nextHops[family], advertisements, peer); a != nil {
		entry.NextHop = a.nextHops[family]
	}
}

// seenBy is the node's AS number as a peer sees it.
func seenBy(peer *Peer) frrtemplates.ASN {
	if peer.Neighbor.LocalASN != 0 {
		return peer.Neighbor.LocalASN
	}
	return peer.ASN
}

// clashes are where advertisements, the oldest first, disagree on the routes to
// a peer.
func (p *Policy) clashes(advertisements []*Advertisement, peer *Peer) []clash {
	var all []clash
	for _, s := range scalars {
		winner := p.decides(s, advertisements, peer)
		if winner == nil {
			continue
		}
		won := s.value(&winner.attributes)
		for _, a := range advertisements {
			if lost := s.value(&a.attributes); lost != "" && lost != won {
				all = append(all, clash{
					loser: a.Name, winner: winner.Name, field: s.field, lost: lost, won: won, peers: []string{fmt.Sprintf("%q", peer.Name)},
				})
			}
		}
	}
	return all
}

// noteNoEffect tells of attributes that no peer on this node can be sent.
func (b *builder) noteNoEffect(ref ObjectRef, a *Advertisement) {
	for _, s := range scalars {
		if s.value(&a.attributes) == "" {
			continue
		}
		reached, sent := false, false
		for _, peer := range b.policy.Peers {
			if a.reaches(peer.Name) {
				reached = true
				sent = sent || s.sent(peer)
			}
		}
		if reached && !sent {
			b.refuse(ref, v1alpha1.ReasonNoEffect, s.field+" has no effect: "+s.noEffect)
		}
	}
}
