package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// lengths are those of an advertisement's prefixes, by family: that of a host
// route, or a shorter one of aggregates.
type lengths struct {
	ipv4, ipv6 int
}

// hostLength is the length of a host route.
var hostLength = map[frrtemplates.Family]int{frrtemplates.IPv4: 32, frrtemplates.IPv6: 128}

func (l lengths) of(family frrtemplates.Family) int {
	if family == frrtemplates.IPv4 {
		return l.ipv4
	}
	return l.ipv6
}

// aggregates says whether addresses of a family are not announced one by one.
func (l lengths) aggregates(family frrtemplates.Family) bool {
	return l.of(family) < hostLength[family]
}

// meet says whether two advertisements announce an address by one prefix.
func (l lengths) meet(other lengths) bool { return l.ipv4 == other.ipv4 || l.ipv6 == other.ipv6 }

// lengthFields are named in messages.
var lengthFields = map[frrtemplates.Family]string{
	frrtemplates.IPv4: "spec.aggregationLength", frrtemplates.IPv6: "spec.aggregationLengthV6",
}

func parseLengths(spec *v1alpha1.BGPAdvertisementSpec) (lengths, error) {
	ipv4, err := parseLength(spec.AggregationLength, frrtemplates.IPv4)
	if err != nil {
		return lengths{}, err
	}
	ipv6, err := parseLength(spec.AggregationLengthV6, frrtemplates.IPv6)
	return lengths{ipv4: ipv4, ipv6: ipv6}, err
}

func parseLength(value *int32, family frrtemplates.Family) (int, error) {
	if value == nil {
		return hostLength[family], nil
	}
	if *value < 1 || int(*value) > hostLength[family] {
		return 0, fmt.Errorf("%s %d is out of range: want 1 to %d", lengthFields[family], *value, hostLength[family])
	}
	return int(*value), nil
}

// refuseWide reports aggregates that would hold other addresses than those of the
// pool's block: they would attract packets that are somebody else's. Addresses for
// which an advertisement has no other route are not announced by it.
func (b *builder) refuseWide(ref ObjectRef, a *Advertisement) {
	for _, family := range bothFamilies {
		var where []string
		longest := 0
		for _, pool := range b.policy.Pools.Pools {
			if !a.takes(pool.Name) {
				continue
			}
			for _, cidr := range narrower(pool, family, a.lengths.of(family)) {
				where = append(where, fmt.Sprintf("%s of IPAddressPool %q", cidr, pool.Name))
				longest = max(longest, cidr.Bits())
			}
		}
		if where != nil {
			b.refuse(ref, v1alpha1.ReasonAggregateExceedsPool, fmt.Sprintf(
				"%s %d exceeds %s: it announces no address there; set it to at least %d, or leave the pool out (spec.ipAddressPools); the rest of the advertisement holds",
				lengthFields[family], a.lengths.of(family), strings.Join(atMost(where, 3), ", "), longest))
		}
	}
}

// narrower are the CIDRs of a pool that no aggregate of this length lies in.
func narrower(pool *pools.Pool, family frrtemplates.Family, length int) []netip.Prefix {
	var all []netip.Prefix
	for _, block := range pool.Blocks {
		if frrtemplates.FamilyOf(block.First) != family {
			continue
		}
		for _, cidr := range block.CIDRs() {
			if cidr.Bits() > length {
				all = append(all, cidr)
			}
		}
	}
	return all
}

// lengthGroup are advertisements, by their indices, whose prefixes of a family
// have the same length.
type lengthGroup struct {
	length  int
	members []int
}

// byLength groups advertisements by the length of their prefixes of a family,
// host routes first.
func (p *Policy) byLength(members []int, family frrtemplates.Family) []lengthGroup {
	var groups []lengthGroup
	for _, member := range members {
		length := p.Advertisements[member].lengths.of(family)
		at := slices.IndexFunc(groups, func(g lengthGroup) bool { return g.length == length })
		if at < 0 {
			at = len(groups)
			groups = append(groups, lengthGroup{length: length})
		}
		groups[at].members = append(groups[at].members, member)
	}
	slices.SortFunc(groups, func(a, b lengthGroup) int { return b.length - a.length })
	return groups
}

// aggregating are those of the advertisements that have aggregates of a family.
func (p *Policy) aggregating(members []int, family frrtemplates.Family) []int {
	var all []int
	for _, member := range members {
		if p.Advertisements[member].lengths.aggregates(family) {
			all = append(all, member)
		}
	}
	return all
}

// notForLocal tells advertisements that aggregates give way to host routes.
func (p *Policy) notForLocal(member int) Issue {
	return Issue{
		Object: ObjectRef{Kind: "BGPAdvertisement", Name: p.Advertisements[member].Name},
		Reason: v1alpha1.ReasonAggregateNotForLocal,
		Message: "spec.aggregationLength and spec.aggregationLengthV6 don't hold for Services with externalTrafficPolicy: Local: " +
			"their addresses are announced one by one, by the nodes that have an endpoint; an aggregate would attract packets that a node must not serve",
	}
}

// discards are the prefixes of aggregates.
func discards(networks []frrtemplates.Network) []netip.Prefix {
	var all []netip.Prefix
	for i := range networks {
		if prefix := networks[i].Prefix; !prefix.IsSingleIP() {
			all = append(all, prefix)
		}
	}
	return all
}
