package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// attributes are what an advertisement gives to its routes.
type attributes struct {
	communities []community
	large       []largeCommunity
	// localPref is LOCAL_PREF, med MULTI_EXIT_DISC, prepend how often the own AS
	// is prepended; nil is unset.
	localPref, med, prepend *uint32
	nextHops                map[frrtemplates.Family]netip.Addr
	// weighs by ready endpoints on the node.
	weighs bool
}

// parseAttributes reads an advertisement's attributes. One that is malformed
// refuses the advertisement as a whole: without what was asked for, such as
// no-export, its routes must not go out.
func (b *builder) parseAttributes(ref ObjectRef, spec *v1alpha1.BGPAdvertisementSpec) (attributes, bool) {
	parsed, reason, err := b.aliases.parse(spec.Communities)
	if err != nil {
		b.refuse(ref, reason, err.Error())
		return attributes{}, false
	}
	if reason, err := parseScalars(spec, &parsed); err != nil {
		b.refuse(ref, reason, err.Error())
		return attributes{}, false
	}
	return parsed, true
}

// internal says whether the session is iBGP.
func (p *Peer) internal() bool { return p.Neighbor.Internal(p.ASN) }

// clash is one attribute of which two advertisements on one route and peer say
// different things: the older wins.
type clash struct {
	loser, winner, field string
	lost, won            string
	peers                []string
}

func (c clash) equal(other clash) bool {
	return c.loser == other.loser && c.winner == other.winner && c.field == other.field && slices.Equal(c.peers, other.peers)
}

// clashesOf are those of all the classes.
func clashesOf(classes []*class) []clash {
	var all []clash
	for _, c := range classes {
		all = append(all, c.clashes...)
	}
	return all
}

// overruled tells the younger advertisements where they disagree with older ones.
func overruled(clashes []clash) []Issue {
	var issues []Issue
	for _, c := range merged(clashes) {
		issues = append(issues, Issue{
			Object: ObjectRef{Kind: "BGPAdvertisement", Name: c.loser},
			Reason: v1alpha1.ReasonOverruled,
			Message: fmt.Sprintf(
				"%s %s yields to %s of the older BGPAdvertisement %q on routes that both announce to %s: make them equal, or let the two select different addresses, Services, nodes or peers",
				c.field, c.lost, c.won, c.winner, strings.Join(atMost(c.peers, 3), ", ")),
		})
	}
	return issues
}

// merged is one clash per loser, winner and field, with all its peers, sorted.
func merged(clashes []clash) []clash {
	slices.SortFunc(clashes, func(a, b clash) int {
		return cmp.Or(cmp.Compare(a.loser, b.loser), cmp.Compare(a.winner, b.winner), cmp.Compare(a.field, b.field), cmp.Compare(a.peers[0], b.peers[0]))
	})
	var out []clash
	for _, c := range clashes {
		last := len(out) - 1
		if last >= 0 && out[last].loser == c.loser && out[last].winner == c.winner && out[last].field == c.field {
			if !slices.Contains(out[last].peers, c.peers[0]) {
				out[last].peers = append(out[last].peers, c.peers[0])
			}
			continue
		}
		out = append(out, c)
	}
	return out
}
