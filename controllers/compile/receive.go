package compile

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/pools"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Sequences in an inbound map: what is denied comes before what is permitted.
const (
	protectedSequence = iota + 1
	defaultSequence
	receivedSequence
)

// maxListSequence: FRR 8.4 takes larger numbers for negative.
const maxListSequence = math.MaxInt32

// alwaysProtected no router has a say about.
var alwaysProtected = map[frrtemplates.Family][]netip.Prefix{
	frrtemplates.IPv4: {netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16")},
	frrtemplates.IPv6: {netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fe80::/10")},
}

var defaultRoutes = map[frrtemplates.Family]netip.Prefix{
	frrtemplates.IPv4: netip.MustParsePrefix("0.0.0.0/0"),
	frrtemplates.IPv6: netip.MustParsePrefix("::/0"),
}

// received is what a peer's routes may be.
type received struct {
	mode v1alpha1.ReceiveMode
	// entries are listed, by family; also those of default routes.
	entries map[frrtemplates.Family][]frrtemplates.PrefixListEntry
	// defaults are the families whose default route is listed by itself.
	defaults map[frrtemplates.Family]bool
}

// any says whether something may be received of a family.
func (r *received) any(family frrtemplates.Family) bool {
	return r.mode == v1alpha1.ReceiveAll || r.mode == v1alpha1.ReceiveFiltered && len(r.entries[family]) > 0
}

func parseReceive(spec *v1alpha1.BGPPeerSpec) (received, error) {
	r := received{entries: map[frrtemplates.Family][]frrtemplates.PrefixListEntry{}, defaults: map[frrtemplates.Family]bool{}}
	if spec.Receive == nil {
		return r, nil
	}
	switch r.mode = cmp.Or(spec.Receive.Mode, v1alpha1.ReceiveNone); {
	case r.mode != v1alpha1.ReceiveNone && r.mode != v1alpha1.ReceiveFiltered && r.mode != v1alpha1.ReceiveAll:
		return r, fmt.Errorf("spec.receive.mode %q is not known: want None, Filtered or All", r.mode)
	case r.mode == v1alpha1.ReceiveFiltered && len(spec.Receive.Prefixes) == 0:
		return r, fmt.Errorf("spec.receive.mode Filtered needs spec.receive.prefixes: list what may be received")
	case r.mode == v1alpha1.ReceiveNone && len(spec.Receive.Prefixes) > 0:
		return r, fmt.Errorf("spec.receive.prefixes needs spec.receive.mode Filtered or All: with None nothing is received")
	}
	for i, listed := range spec.Receive.Prefixes {
		entry, err := parseListed(listed)
		if err != nil {
			return r, fmt.Errorf("spec.receive.prefixes[%d] %w", i, err)
		}
		family := frrtemplates.FamilyOf(entry.Prefix.Addr())
		if entry.Prefix.Bits() == 0 && entry.GE == 0 && entry.LE == 0 {
			r.defaults[family] = true
		} else if r.mode == v1alpha1.ReceiveAll {
			return r, fmt.Errorf("spec.receive.prefixes[%d] %s: with mode All only default routes are listed, without ge and le", i, listed.CIDR)
		}
		r.entries[family] = append(r.entries[family], entry)
	}
	return r, nil
}

func parseListed(listed v1alpha1.ReceivePrefix) (frrtemplates.PrefixListEntry, error) {
	var entry frrtemplates.PrefixListEntry
	prefix, err := netip.ParsePrefix(listed.CIDR)
	if err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
		return entry, fmt.Errorf("%q is not a CIDR without host bits: write for example 10.0.0.0/8", listed.CIDR)
	}
	own, most := int32(prefix.Bits()), int32(prefix.Addr().BitLen())
	ge, le := own, own
	if listed.GE != nil {
		ge, le = *listed.GE, most
	}
	if listed.LE != nil {
		le = *listed.LE
	}
	if ge < own || le < ge || le > most {
		return entry, fmt.Errorf("%s: ge and le are out of range: want %d to %d, and le not less than ge", listed.CIDR, own, most)
	}
	entry.Prefix = prefix
	if ge > own {
		entry.GE = uint8(ge)
	}
	if le > own {
		entry.LE = uint8(le)
	}
	return entry, nil
}

func checkMaximum(spec *v1alpha1.BGPPeerSpec) error {
	if spec.MaximumPrefixes < 0 || spec.MaximumPrefixes > math.MaxUint32 {
		return fmt.Errorf("spec.maximumPrefixes %d is out of range: want 1 to 4294967295, or leave it out", spec.MaximumPrefixes)
	}
	return nil
}

// protected is what no peer may send: nil where that is not known, and then nothing
// is received.
func protected(s *snapshot.Snapshot, peers []*Peer) map[frrtemplates.Family][]netip.Prefix {
	if s.Cluster == nil || !slices.ContainsFunc(peers, (*Peer).receives) {
		return nil
	}
	prefixes := map[frrtemplates.Family][]netip.Prefix{}
	add := func(prefix netip.Prefix) {
		family := frrtemplates.FamilyOf(prefix.Addr())
		prefixes[family] = append(prefixes[family], prefix)
	}
	for _, prefix := range slices.Concat(s.Cluster.Prefixes, s.Settings.ProtectedPrefixes()) {
		add(prefix)
	}
	for _, pool := range s.Pools {
		// Also what an older pool holds already, or has something wrong elsewhere.
		blocks, _ := pools.Parse(&pool.Spec)
		for _, block := range blocks {
			for _, prefix := range block.CIDRs() {
				add(prefix)
			}
		}
	}
	for _, family := range bothFamilies {
		prefixes[family] = snapshot.Aggregate(append(prefixes[family], alwaysProtected[family]...))
	}
	return prefixes
}

func (p *Peer) receives() bool {
	return slices.ContainsFunc(p.Families, p.received.any)
}

// inMap is the name of a peer's inbound map.
func (p *Policy) inMap(peer *Peer, family frrtemplates.Family) string {
	if p.protected == nil || !peer.received.any(family) {
		return frrtemplates.DenyMap
	}
	return frrtemplates.InboundMap(peer.Name, family)
}

// addReceived adds the inbound maps of peers of which something is received, and
// the lists that these match.
func (p *Policy) addReceived(config *frrtemplates.Config) {
	lists := map[string]frrtemplates.PrefixList{}
	for _, peer := range p.Peers {
		for _, family := range peer.Families {
			if p.inMap(peer, family) != frrtemplates.DenyMap {
				config.RouteMaps = append(config.RouteMaps, p.inboundMap(peer, family, lists))
			}
		}
	}
	for _, list := range lists {
		config.PrefixLists = append(config.PrefixLists, list)
	}
	slices.SortFunc(config.PrefixLists, func(a, b frrtemplates.PrefixList) int { return cmp.Compare(a.Name, b.Name) })
}

func (p *Policy) inboundMap(peer *Peer, family frrtemplates.Family, lists map[string]frrtemplates.PrefixList) frrtemplates.RouteMap {
	m := frrtemplates.RouteMap{Name: frrtemplates.InboundMap(peer.Name, family)}
	deny := func(sequence uint16, name string, entries []frrtemplates.PrefixListEntry) {
		lists[name] = prefixList(name, family, entries)
		m.Entries = append(m.Entries, frrtemplates.RouteMapEntry{Sequence: sequence, MatchList: name, MatchFamily: family})
	}
	deny(protectedSequence, frrtemplates.ProtectedList(family), whole(p.protected[family]))
	if !peer.received.defaults[family] {
		deny(defaultSequence, frrtemplates.DefaultList(family), []frrtemplates.PrefixListEntry{{Prefix: defaultRoutes[family]}})
	}
	last := frrtemplates.RouteMapEntry{Permit: true, Sequence: receivedSequence}
	if peer.received.mode == v1alpha1.ReceiveFiltered {
		last.MatchList, last.MatchFamily = frrtemplates.InboundMap(peer.Name, family), family
		lists[last.MatchList] = prefixList(last.MatchList, family, peer.received.entries[family])
	}
	m.Entries = append(m.Entries, last)
	return m
}

// whole are entries for prefixes and everything more specific.
func whole(prefixes []netip.Prefix) []frrtemplates.PrefixListEntry {
	entries := make([]frrtemplates.PrefixListEntry, 0, len(prefixes))
	for _, prefix := range prefixes {
		entry := frrtemplates.PrefixListEntry{Prefix: prefix}
		if most := prefix.Addr().BitLen(); prefix.Bits() < most {
			entry.LE = uint8(most)
		}
		entries = append(entries, entry)
	}
	return entries
}

// prefixList numbers entries by what they say, so that one more or less changes no
// other line: their order doesn't matter, each permits.
func prefixList(name string, family frrtemplates.Family, entries []frrtemplates.PrefixListEntry) frrtemplates.PrefixList {
	list := frrtemplates.PrefixList{Name: name, Family: family, Entries: slices.Clone(entries)}
	slices.SortFunc(list.Entries, func(a, b frrtemplates.PrefixListEntry) int {
		return cmp.Or(a.Prefix.Compare(b.Prefix), cmp.Compare(a.GE, b.GE), cmp.Compare(a.LE, b.LE))
	})
	list.Entries = slices.Compact(list.Entries)
	taken := map[uint64]bool{}
	for i := range list.Entries {
		e := &list.Entries[i]
		e.Sequence = uint32(nextFree(hash(fmt.Sprintf("%s %d %d", e.Prefix, e.GE, e.LE)), maxListSequence, taken))
	}
	slices.SortFunc(list.Entries, func(a, b frrtemplates.PrefixListEntry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return list
}
