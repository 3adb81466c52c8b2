package compile

import (
	"iter"
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
		if !slices.ContainsFunc(d.others, func(r *relief) bool { return d.counts(r, address, vrf, s) }) {
			return false
		}
	}
	return true
}

// counts says whether another node counts as one that announces an address in a VRF.
func (d *drain) counts(r *relief, address netip.Addr, vrf string, s Subject) bool {
	for taker := range r.announces(address, vrf, s) {
		if d.kept.Counts(snapshot.ServiceAddress{Service: s.Service.Key, Address: address}, taker) {
			return true
		}
	}
	return false
}

// takers are who is able to announce the Service's addresses that this node announces
// though it has withdrawn, whether they count yet or not. Each such address is there.
func (d *drain) takers(s Subject, lines []Line) map[netip.Addr][]snapshot.Taker {
	if d.stage != snapshot.DrainWithdrawn || len(lines) == 0 {
		return nil
	}
	s.Slices = d.slices[s.Service.Key]
	takers := map[netip.Addr][]snapshot.Taker{}
	for _, address := range s.Service.Addresses {
		address = prefixOf(address).Addr()
		for _, line := range lines {
			if line.Prefix.Contains(address) {
				takers[address] = d.add(takers[address], address, line.class.vrfs[frrtemplates.FamilyOf(address)], s)
			}
		}
	}
	return takers
}

// add who is able to announce an address in one of these VRFs, sorted.
func (d *drain) add(to []snapshot.Taker, address netip.Addr, vrfs []string, s Subject) []snapshot.Taker {
	for _, r := range d.others {
		for _, vrf := range vrfs {
			to = slices.AppendSeq(to, r.announces(address, vrf, s))
		}
	}
	slices.SortFunc(to, snapshot.Taker.Compare)
	return slices.Compact(to)
}

// announces yields by which peers that node announces a Service's address in a VRF, over
// sessions that are up, and will go on doing so, as far as its objects tell: an endpoint
// that terminates is as good as gone.
func (r *relief) announces(address netip.Addr, vrf string, s Subject) iter.Seq[snapshot.Taker] {
	return func(yield func(snapshot.Taker) bool) {
		family := frrtemplates.FamilyOf(address)
		if s.Service.Local && !hasReady(s.Slices, r.name, family) {
			return // without making its policy
		}
		r.once.Do(func() { r.policy = NewPolicy(&r.inputs) })
		lines := r.policy.Service(s).Lines
		for _, peer := range r.policy.Peers {
			if r.reaches(peer, vrf) && carries(lines, address, family, peer) && !yield(snapshot.Taker{Node: r.name, Peer: peer.Name, VRF: vrf}) {
				return
			}
		}
	}
}

// reaches says whether a peer is in the VRF and has its session.
func (r *relief) reaches(peer *Peer, vrf string) bool {
	_, up := r.sessions[peer.Name]
	return up && peer.VRF == vrf
}

// carries says whether a peer gets one of these lines that holds the address.
func carries(lines []Line, address netip.Addr, family frrtemplates.Family, peer *Peer) bool {
	return slices.ContainsFunc(lines, func(line Line) bool {
		return line.Prefix.Contains(address) && slices.Contains(line.class.peers[family], peer.Name)
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
// who could take over each of their addresses.
func (c *Compiler) kept() (kept []types.NamespacedName, takers map[snapshot.ServiceAddress][]snapshot.Taker) {
	if c.policy.drain.stage != snapshot.DrainWithdrawn {
		return nil, nil
	}
	takers = map[snapshot.ServiceAddress][]snapshot.Taker{}
	for key, m := range c.services {
		if len(m.decision.Lines) > 0 {
			kept = append(kept, key)
		}
		for address, able := range m.decision.takers {
			takers[snapshot.ServiceAddress{Service: key, Address: address}] = able
		}
	}
	slices.SortFunc(kept, compareKeys)
	return kept, takers
}
