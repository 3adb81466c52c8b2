package compile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// attributes are what an advertisement gives to its routes.
type attributes struct {
	communities []community
	large       []largeCommunity
	// localPref is LOCAL_PREF; nil is unset.
	localPref *uint32
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
	localPref, err := parseLocalPref(spec.LocalPref)
	if err != nil {
		b.refuse(ref, v1alpha1.ReasonInvalidLocalPref, err.Error())
		return attributes{}, false
	}
	parsed.localPref = localPref
	return parsed, true
}

func parseLocalPref(value *int64) (*uint32, error) {
	if value == nil {
		return nil, nil
	}
	if *value < 0 || *value > math.MaxUint32 {
		return nil, fmt.Errorf("spec.localPref %d is out of range: want 0 to 4294967295", *value)
	}
	parsed := uint32(*value)
	return &parsed, nil
}

// isInternal says whether the session with a peer is iBGP.
func (p *Policy) isInternal(peer *Peer) bool { return peer.Neighbor.Internal(p.ASN) }

// localPref of the routes that these advertisements, oldest first, announce to a
// peer: the oldest that sets one decides. LOCAL_PREF is for iBGP only (RFC 4271
// section 5.1.5).
func (p *Policy) localPref(advertisements []*Advertisement, peer *Peer) *uint32 {
	if winner := p.setsLocalPref(advertisements, peer); winner != nil {
		return winner.localPref
	}
	return nil
}

func (p *Policy) setsLocalPref(advertisements []*Advertisement, peer *Peer) *Advertisement {
	if !p.isInternal(peer) {
		return nil
	}
	for _, a := range advertisements {
		if a.localPref != nil {
			return a
		}
	}
	return nil
}

// noteNoEffect tells of an attribute that no peer on this node can be sent.
func (b *builder) noteNoEffect(ref ObjectRef, a *Advertisement) {
	if a.localPref == nil {
		return
	}
	external := false
	for _, peer := range b.policy.Peers {
		if a.reaches(peer.Name) {
			if b.policy.isInternal(peer) {
				return
			}
			external = true
		}
	}
	if external {
		b.refuse(ref, v1alpha1.ReasonNoEffect,
			"spec.localPref has no effect: it is sent over iBGP only (RFC 4271 section 5.1.5), and every peer that the advertisement reaches from this node is eBGP: remove it, or announce to a peer whose peerASN is its myASN, or whose dynamicASN is internal")
	}
}

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

func (p *Policy) clashes(advertisements []*Advertisement, peer *Peer) []clash {
	winner := p.setsLocalPref(advertisements, peer)
	if winner == nil {
		return nil
	}
	var all []clash
	for _, a := range advertisements {
		if a.localPref != nil && *a.localPref != *winner.localPref {
			all = append(all, clash{
				loser: a.Name, winner: winner.Name, field: "spec.localPref",
				lost: fmt.Sprint(*a.localPref), won: fmt.Sprint(*winner.localPref), peers: []string{fmt.Sprintf("%q", peer.Name)},
			})
		}
	}
	return all
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
