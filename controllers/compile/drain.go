package compile

import (
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// gracefulShutdown is GRACEFUL_SHUTDOWN (RFC 8326 section 4.1).
const gracefulShutdown community = 0xFFFF0000

// drain is what a draining node does with its routes; the zero value: nothing.
type drain struct {
	stage snapshot.DrainStage
	held  *snapshot.Applied
	kept  *snapshot.Kept
	// others that could take over; nil: not known.
	others *others
}

// newDrain takes over from an earlier one of the same node what is still true.
func newDrain(s *snapshot.Snapshot, before *others) drain {
	d := drain{stage: s.Drain.Stage, held: s.Drain.Held, kept: s.Drain.Kept}
	if s.Others != nil && d.stage == snapshot.DrainWithdrawn {
		d.others = newOthers(s, before)
	}
	return d
}

// outlasts says which of two nodes that drain is the last: the one that began
// later. Both read the same times, and where one isn't known yet nobody yields: so
// that of all that drain one always stays.
func outlasts(other *snapshot.Other, self string, since time.Time) bool {
	if since.IsZero() || other.Since.IsZero() {
		return false
	}
	return other.Since.After(since) || other.Since.Equal(since) && other.Node.Name > self
}

// tell a router to prefer other nodes' routes: GRACEFUL_SHUTDOWN, and over iBGP
// the least LOCAL_PREF too, for routers that don't heed the community (RFC 8326
// section 4). Routes with as many communities as FRR takes go without it.
func (d *drain) tell(entry *frrtemplates.RouteMapEntry, advertisements []*Advertisement, peer *Peer) {
	if d.stage == snapshot.DrainNone {
		return
	}
	communities := append(united(advertisements), gracefulShutdown)
	slices.Sort(communities)
	if communities = slices.Compact(communities); len(communities) <= frrtemplates.MaxCommunities {
		entry.Communities = spell(communities)
	}
	if peer.internal() {
		entry.LocalPref = new(uint32)
	}
}

// leaves says whether the node has given a line up that is one of a Service's address:
// it is withdrawn, and in each VRF of the line another node announces the address, be
// it by another prefix.
func (d *drain) leaves(line Line, address netip.Addr, s Subject) bool {
	if d.stage != snapshot.DrainWithdrawn {
		return false
	}
	if d.others == nil {
		return d.held == nil || !d.held.Holds(line.Prefix)
	}
	for _, vrf := range line.class.vrfs[frrtemplates.FamilyOf(address)] {
		route := snapshot.Route{Service: s.Service.Key, Address: address, VRF: vrf}
		if !d.takenOver(route, d.others.able(route, s)) {
			return false
		}
	}
	return true
}

// takenOver says whether one of those that are able to announce a route counts as one
// that does.
func (d *drain) takenOver(route snapshot.Route, able []snapshot.Taker) bool {
	proven, kept := d.kept.Proven(route)
	if !kept || len(able) == 0 {
		return len(able) > 0
	}
	return d.others.meet(able, proven)
}

// keep the routes of these lines: who is able to announce each of them, whether they count
// yet or not, and what the first that nobody takes over waits for.
func (d *drain) keep(s Subject, lines []Line) (takers map[snapshot.Route][]snapshot.Taker, waits waitKey) {
	if d.stage != snapshot.DrainWithdrawn || len(lines) == 0 {
		return nil, waitKey{}
	}
	takers = map[snapshot.Route][]snapshot.Taker{}
	waited := false
	for _, address := range s.Service.Addresses {
		address = prefixOf(address).Addr()
		for _, line := range lines {
			if !line.Prefix.Contains(address) {
				continue
			}
			for _, vrf := range line.class.vrfs[frrtemplates.FamilyOf(address)] {
				route := snapshot.Route{Service: s.Service.Key, Address: address, VRF: vrf}
				if d.others != nil {
					takers[route] = d.others.able(route, s)
				} else {
					takers[route] = nil
				}
				if !waited && !d.takenOver(route, takers[route]) {
					waits, waited = d.others.waitOf(route, s), true
				}
			}
		}
	}
	return takers, waits
}

// kept are the Services that the node goes on announcing though it has withdrawn, who
// could take over each of their routes, and what it waits for.
func (c *Compiler) kept() (kept []types.NamespacedName, takers map[snapshot.Route][]snapshot.Taker, waits []Wait) {
	if c.policy.drain.stage != snapshot.DrainWithdrawn {
		return nil, nil, nil
	}
	takers = map[snapshot.Route][]snapshot.Taker{}
	for key, m := range c.services {
		if len(m.decision.Lines) > 0 {
			kept = append(kept, key)
		}
		for route, able := range m.decision.takers {
			takers[route] = able
		}
	}
	slices.SortFunc(kept, compareKeys)
	return kept, takers, c.waits(kept)
}
