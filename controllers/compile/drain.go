package compile

import (
	"net/netip"
	"slices"
	"sync"
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
	// others that are there when this one goes; known says that they are.
	others []*relief
	known  bool
	slices map[types.NamespacedName]map[string]*snapshot.Slice
}

// relief is another node, which may announce what this one gives up.
type relief struct {
	name string
	// sessions are the peers with which it has an Established session.
	sessions map[string]struct{}
	inputs   snapshot.Snapshot
	once     sync.Once
	policy   *Policy
}

func newDrain(s *snapshot.Snapshot) drain {
	d := drain{stage: s.Drain.Stage, held: s.Drain.Held, kept: s.Drain.Kept}
	if s.Others == nil || d.stage != snapshot.DrainWithdrawn {
		return d
	}
	d.known, d.slices = true, s.Others.Slices
	for i := range s.Others.Nodes {
		other := &s.Others.Nodes[i]
		if other.Drains && !outlasts(other, s.Node.Name, s.Others.Since) {
			continue
		}
		// What only that node knows, its passwords and interfaces, is unknown here.
		d.others = append(d.others, &relief{name: other.Node.Name, sessions: other.Sessions, inputs: snapshot.Snapshot{
			Node: other.Node, Settings: s.Settings, Pools: s.Pools, Peers: s.Peers,
			Advertisements: s.Advertisements, Communities: s.Communities, BFDProfiles: s.BFDProfiles,
		}})
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
	if !d.known {
		return d.held == nil || !d.held.Holds(line.Prefix)
	}
	s.Slices = d.slices[s.Service.Key]
	for _, vrf := range line.class.vrfs[frrtemplates.FamilyOf(address)] {
		if !slices.ContainsFunc(d.others, func(r *relief) bool {
			return d.kept.Counts(s.Service.Key, r.name) && r.announces(address, vrf, s)
		}) {
			return false
		}
	}
	return true
}

// takers are the other nodes that are able to announce a Service, or a part of it, which
// this one announces though it has withdrawn: whether they count yet or not.
func (d *drain) takers(s Subject, lines []Line) (names []string) {
	if d.stage != snapshot.DrainWithdrawn || len(lines) == 0 {
		return nil
	}
	s.Slices = d.slices[s.Service.Key]
	for _, r := range d.others {
		if slices.ContainsFunc(s.Service.Addresses, func(address netip.Addr) bool { return r.takes(address.Unmap(), s, lines) }) {
			names = append(names, r.name)
		}
	}
	return names
}

func (r *relief) takes(address netip.Addr, s Subject, lines []Line) bool {
	return slices.ContainsFunc(lines, func(line Line) bool {
		return line.Prefix.Contains(address) && slices.ContainsFunc(line.class.vrfs[frrtemplates.FamilyOf(address)], func(vrf string) bool {
			return r.announces(address, vrf, s)
		})
	})
}

// announces says whether that node announces a Service's address in a VRF, over a
// session that is up, and will go on doing so, as far as its objects tell: an endpoint
// that terminates is as good as gone.
func (r *relief) announces(address netip.Addr, vrf string, s Subject) bool {
	family := frrtemplates.FamilyOf(address)
	if s.Service.Local && !hasReady(s.Slices, r.name, family) {
		return false // without making its policy
	}
	r.once.Do(func() { r.policy = NewPolicy(&r.inputs) })
	return slices.ContainsFunc(r.policy.Service(s).Lines, func(line Line) bool {
		return line.Prefix.Contains(address) && r.reaches(line.class.peers[family], vrf)
	})
}

// reaches says whether one of these peers is in the VRF and has its session.
func (r *relief) reaches(peers []string, vrf string) bool {
	return slices.ContainsFunc(r.policy.Peers, func(peer *Peer) bool {
		_, up := r.sessions[peer.Name]
		return up && peer.VRF == vrf && slices.Contains(peers, peer.Name)
	})
}

func hasReady(all map[string]*snapshot.Slice, node string, family frrtemplates.Family) bool {
	for _, slice := range all {
		if slice.Family == family && slice.ReadyOn(node) > 0 {
			return true
		}
	}
	return false
}

// kept are the Services that the node goes on announcing though it has withdrawn, and
// who could take over each.
func (c *Compiler) kept() (kept []types.NamespacedName, takers map[types.NamespacedName][]string) {
	if c.policy.drain.stage != snapshot.DrainWithdrawn {
		return nil, nil
	}
	takers = map[types.NamespacedName][]string{}
	for key, m := range c.services {
		if len(m.decision.Lines) > 0 {
			kept = append(kept, key)
		}
		if len(m.decision.takers) > 0 {
			takers[key] = m.decision.takers
		}
	}
	slices.SortFunc(kept, compareKeys)
	return kept, takers
}
