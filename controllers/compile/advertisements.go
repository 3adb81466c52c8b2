package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/precedence"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Advertisement is a BGPAdvertisement that applies on the node.
type Advertisement struct {
	// Name of the BGPAdvertisement.
	Name string
	// pools by name; nil is all.
	pools map[string]bool
	// services and namespaces select Services.
	services, namespaces anyOf
	// peers by name; nil is all.
	peers   map[string]bool
	lengths lengths
	attributes
}

func (a *Advertisement) takes(pool string) bool {
	return a.pools == nil || a.pools[pool]
}

// takesAll says that no Service is looked at.
func (a *Advertisement) takesAll() bool { return a.services == nil && a.namespaces == nil }

// selects says whether a Service passes. Of a namespace that isn't known nothing
// can be said: then no selector of namespaces matches.
func (a *Advertisement) selects(s Subject) bool {
	if a.namespaces != nil && (s.Namespace == nil || !a.namespaces.matches(s.Namespace.Labels)) {
		return false
	}
	return a.services.matches(s.Service.Labels)
}

func (a *Advertisement) reaches(peer string) bool {
	return a.peers == nil || a.peers[peer]
}

// acceptAdvertisements decides which advertisements apply on this node, oldest
// first.
func (b *builder) acceptAdvertisements(all []*v1alpha1.BGPAdvertisement, peers []*v1alpha1.BGPPeer) {
	known := make(map[string]bool, len(peers))
	for _, peer := range peers {
		known[peer.Name] = true
	}
	for _, object := range precedence.Sorted(all) {
		ref := ObjectRef{Kind: "BGPAdvertisement", Name: object.Name}
		b.refuseUnknown(ref, object, known)
		selected := b.selectsNode(ref, object.Spec.NodeSelectors)
		pools := b.selectPools(ref, object.Spec.IPAddressPools, object.Spec.IPAddressPoolSelectors)
		to := b.selectPeers(ref, &object.Spec, peers)
		services := b.selectors(ref, "serviceSelectors", "Service", object.Spec.ServiceSelectors)
		namespaces := b.selectors(ref, "namespaceSelectors", "namespace", object.Spec.NamespaceSelectors)
		attributes, ok := b.parseAttributes(ref, &object.Spec)
		if !ok {
			continue
		}
		lengths, err := parseLengths(&object.Spec)
		if err != nil {
			b.refuse(ref, v1alpha1.ReasonInvalidAggregationLength, err.Error())
			continue
		}
		accepted := &Advertisement{
			Name: object.Name, pools: pools, services: services, namespaces: namespaces,
			peers: to, lengths: lengths, attributes: attributes,
		}
		b.refuseWide(ref, accepted)
		b.noteUnweighed(ref, accepted)
		if selected && b.communitiesFit(ref, accepted) && b.taken(ref) {
			b.policy.Advertisements = append(b.policy.Advertisements, accepted)
			b.noteNoEffect(ref, accepted)
		}
	}
}

// refuseUnknown reports names of pools and peers that don't exist. The rest of
// the advertisement holds; one that names only unknown pools takes none.
func (b *builder) refuseUnknown(ref ObjectRef, object *v1alpha1.BGPAdvertisement, peers map[string]bool) {
	if missing := unknown(object.Spec.IPAddressPools, func(name string) bool { return b.policy.Pools.Get(name) != nil }); missing != "" {
		b.refuse(ref, v1alpha1.ReasonPoolNotFound, fmt.Sprintf(
			"spec.ipAddressPools: no IPAddressPool is named %s: correct the name or create it; the rest of the advertisement holds", missing))
	}
	if missing := unknown(object.Spec.Peers, func(name string) bool { return peers[name] }); missing != "" {
		b.refuse(ref, v1alpha1.ReasonPeerNotFound, fmt.Sprintf(
			"spec.peers: no BGPPeer is named %s: correct the name or create it; the rest of the advertisement holds", missing))
	}
}

func unknown(names []string, known func(string) bool) string {
	var missing []string
	for _, name := range names {
		if !known(name) {
			missing = append(missing, fmt.Sprintf("%q", name))
		}
	}
	slices.Sort(missing)
	return strings.Join(atMost(missing, 5), ", ")
}

// communitiesFit refuses an advertisement which, with the older ones that it
// meets on every Service, has more communities for a peer than FRR takes. Where
// it meets others is found when a Service brings them together (newClass).
func (b *builder) communitiesFit(ref ObjectRef, a *Advertisement) bool {
	for _, pool := range b.policy.Pools.Pools {
		if !a.takes(pool.Name) {
			continue
		}
		meets := slices.DeleteFunc(slices.Clone(b.policy.Advertisements), func(older *Advertisement) bool {
			return !older.takes(pool.Name) || !older.takesAll() || !older.lengths.meet(a.lengths)
		})
		if what, peer := b.policy.overflow(meets, a); what != "" {
			b.refuse(ref, v1alpha1.ReasonTooManyCommunities, fmt.Sprintf(
				"spec.communities: with older BGPAdvertisements the routes of pool %q would carry %s to peer %q: remove some",
				pool.Name, what, peer))
			return false
		}
	}
	return true
}

// overflow says which communities the routes to a peer have too many of if an
// advertisement comes to the older ones; empty: none.
func (p *Policy) overflow(older []*Advertisement, a *Advertisement) (what, peer string) {
	if len(a.communities)+len(a.large) == 0 {
		return "", ""
	}
	all := append(slices.Clone(older), a)
	if tooMany(all) == "" {
		return "", ""
	}
	for _, peer := range p.Peers {
		if what := tooMany(reaching(all, peer.Name)); a.reaches(peer.Name) && what != "" {
			return what, peer.Name
		}
	}
	return "", ""
}

// tooMany says which communities are more than FRR takes; empty: none.
func tooMany(advertisements []*Advertisement) string {
	if n := len(united(advertisements)); n > frrtemplates.MaxCommunities {
		return fmt.Sprintf("%d communities (FRR takes at most %d)", n, frrtemplates.MaxCommunities)
	}
	if n := len(unitedLarge(advertisements)); n > frrtemplates.MaxLargeCommunities {
		return fmt.Sprintf("%d large communities (FRR takes at most %d)", n, frrtemplates.MaxLargeCommunities)
	}
	return ""
}
