package compile

import (
	"cmp"
	"encoding/binary"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/pools"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// others are the nodes that could announce what this one gives up. Each is asked once for
// all routes of a kind: Services are many, and so are nodes. It is safe for
// concurrent use.
type others struct {
	self   string
	nodes  []*relief
	slices map[types.NamespacedName]map[string]*snapshot.Slice
	// pools and advertisements as every node reads them: selecting are those that look at
	// Services, lengths those of aggregates.
	pools     *pools.Set
	selecting []*Advertisement
	lengths   map[frrtemplates.Family][]int
	policies  *policies

	mu     sync.Mutex
	byKind map[kind][]snapshot.Taker
	meets  map[meeting]bool
}

// relief is another node.
type relief struct {
	*snapshot.Other
	// lacks says why it takes nothing over; LackNothing: it is for its sessions to say.
	lacks snapshot.Lack
}

// policies are the other nodes', each made when it is first asked for.
type policies struct {
	inputs snapshot.Snapshot
	made   map[*snapshot.Node]*Policy
}

// kind of a route: what of a Service and its address decides which nodes announce it,
// but for its endpoints.
type kind struct {
	pool   *pools.Pool
	family frrtemplates.Family
	vrf    string
	local  bool
	// selecting and lengths say which of others' apply, a byte for each eight.
	selecting, lengths string
}

// meeting is that of two lists, which many routes have in common.
type meeting struct {
	able, proven snapshot.ListID
}

func newOthers(s *snapshot.Snapshot, before *others) *others {
	o := &others{
		self: s.Node.Name, slices: s.Others.Slices, byKind: map[kind][]snapshot.Taker{}, meets: map[meeting]bool{},
		// What only another node knows, its passwords and interfaces, is unknown here.
		policies: &policies{made: map[*snapshot.Node]*Policy{}, inputs: snapshot.Snapshot{
			Settings: s.Settings, Pools: s.Pools, Peers: s.Peers,
			Advertisements: s.Advertisements, Communities: s.Communities, BFDProfiles: s.BFDProfiles,
		}},
	}
	if before != nil && before.policies.sameInputs(s) {
		o.pools, o.selecting, o.lengths = before.pools, before.selecting, before.lengths
		o.policies = before.policies.of(s.Others)
	} else {
		o.readAdvertisements(&o.policies.inputs)
	}
	for i := range s.Others.Nodes {
		other := &s.Others.Nodes[i]
		r := &relief{Other: other, lacks: other.Lacks}
		if r.lacks == snapshot.LackNothing && other.Drains && !outlasts(other, s.Node.Name, s.Others.Since) {
			r.lacks = snapshot.LackDrains
		}
		o.nodes = append(o.nodes, r)
	}
	return o
}

// readAdvertisements reads them whatever nodes they select.
func (o *others) readAdvertisements(inputs *snapshot.Snapshot) {
	o.pools, _ = pools.Accept(inputs.Pools)
	o.lengths = map[frrtemplates.Family][]int{}
	b := &builder{policy: &Policy{}} // whose issues are told elsewhere
	for _, object := range inputs.Advertisements {
		a := &Advertisement{
			services:   b.selectors(ObjectRef{}, "", "", object.Spec.ServiceSelectors),
			namespaces: b.selectors(ObjectRef{}, "", "", object.Spec.NamespaceSelectors),
		}
		if !a.takesAll() {
			o.selecting = append(o.selecting, a)
		}
		lengths, err := parseLengths(&object.Spec)
		if err != nil {
			continue // no node accepts it
		}
		for _, family := range bothFamilies {
			if length := lengths.of(family); lengths.aggregates(family) && !slices.Contains(o.lengths[family], length) {
				o.lengths[family] = append(o.lengths[family], length)
			}
		}
	}
}

// sameInputs says whether the policies are those of the snapshot.
func (p *policies) sameInputs(s *snapshot.Snapshot) bool {
	i := &p.inputs
	return i.Settings == s.Settings && slices.Equal(i.Pools, s.Pools) && slices.Equal(i.Peers, s.Peers) &&
		slices.Equal(i.Advertisements, s.Advertisements) && slices.Equal(i.Communities, s.Communities) && slices.Equal(i.BFDProfiles, s.BFDProfiles)
}

// of the nodes that are still there.
func (p *policies) of(now *snapshot.Others) *policies {
	still := &policies{inputs: p.inputs, made: make(map[*snapshot.Node]*Policy, len(p.made))}
	for i := range now.Nodes {
		if policy := p.made[now.Nodes[i].Node]; policy != nil {
			still.made[now.Nodes[i].Node] = policy
		}
	}
	return still
}

func (p *policies) get(node *snapshot.Node) *Policy {
	policy := p.made[node]
	if policy == nil {
		inputs := p.inputs
		inputs.Node = node
		policy = NewPolicy(&inputs)
		p.made[node] = policy
	}
	return policy
}

// kindOf a route of a Service.
func (o *others) kindOf(route snapshot.Route, s Subject) kind {
	k := kind{pool: o.pools.Find(route.Address), family: frrtemplates.FamilyOf(route.Address), vrf: route.VRF, local: s.Service.Local}
	k.selecting = bits(len(o.selecting), func(i int) bool { return o.selecting[i].selects(s) })
	if lengths := o.lengths[k.family]; k.pool != nil && !k.local {
		k.lengths = bits(len(lengths), func(i int) bool {
			return k.pool.Holds(netip.PrefixFrom(route.Address, lengths[i]).Masked())
		})
	}
	return k
}

// bits are n answers in a string.
func bits(n int, is func(int) bool) string {
	if n == 0 {
		return ""
	}
	all := make([]byte, (n+7)/8)
	for i := range n {
		if is(i) {
			all[i/8] |= 1 << (i % 8)
		}
	}
	return string(all)
}

// able are who announces a route over sessions that are up, and will go on doing so, as
// far as their objects tell: an endpoint that terminates is as good as gone. Sorted, not to
// be changed: Services without externalTrafficPolicy: Local share it.
func (o *others) able(route snapshot.Route, s Subject) []snapshot.Taker {
	family := frrtemplates.FamilyOf(route.Address)
	if !s.Service.Local {
		if !usable(o.slices[s.Service.Key], family) {
			return nil
		}
		return o.ofKind(route, s)
	}
	var able []snapshot.Taker
	for _, node := range o.ready(s.Service.Key, family) {
		all := o.ofKind(route, s)
		from, _ := slices.BinarySearchFunc(all, node, func(t snapshot.Taker, node string) int { return cmp.Compare(t.Node, node) })
		for ; from < len(all) && all[from].Node == node; from++ {
			able = append(able, all[from])
		}
	}
	return able
}

// ofKind are who announces routes of a kind where they have endpoints.
func (o *others) ofKind(route snapshot.Route, s Subject) []snapshot.Taker {
	o.mu.Lock()
	defer o.mu.Unlock()
	kind := o.kindOf(route, s)
	all, known := o.byKind[kind]
	if known {
		return all
	}
	for _, r := range o.nodes {
		if r.lacks != snapshot.LackNothing || len(r.Sessions) == 0 {
			continue
		}
		for peer := range o.carriers(r, route, s) {
			if _, up := r.Sessions[peer]; up {
				all = append(all, snapshot.Taker{Node: r.Node.Name, Peer: peer})
			}
		}
	}
	slices.SortFunc(all, snapshot.Taker.Compare)
	o.byKind[kind] = all
	return all
}

// carriers are the peers that get a route from another node, if it has their sessions and
// an endpoint.
func (o *others) carriers(r *relief, route snapshot.Route, s Subject) iter.Seq[string] {
	return func(yield func(string) bool) {
		policy := o.policies.get(r.Node)
		pool := policy.Pools.Find(route.Address)
		if pool == nil || policy.nodeWhy != "" {
			return
		}
		s.Slices = nil // of weights, which say nothing of the peers
		lines, _ := policy.routes(s, pool, prefixOf(route.Address))
		family := frrtemplates.FamilyOf(route.Address)
		for _, peer := range policy.Peers {
			carries := func(line Line) bool { return slices.Contains(line.class.peers[family], peer.Name) }
			if peer.VRF == route.VRF && slices.ContainsFunc(lines, carries) && !yield(peer.Name) {
				return
			}
		}
	}
}

// meet says whether one is in both lists, each of which is sorted.
func (o *others) meet(able, proven []snapshot.Taker) bool {
	if len(able) == 0 || len(proven) == 0 {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	key := meeting{snapshot.IDOf(able), snapshot.IDOf(proven)}
	meets, known := o.meets[key]
	if !known {
		meets = slices.ContainsFunc(able, func(t snapshot.Taker) bool {
			_, found := slices.BinarySearchFunc(proven, t, snapshot.Taker.Compare)
			return found
		})
		o.meets[key] = meets
	}
	return meets
}

func usable(all map[string]*snapshot.Slice, family frrtemplates.Family) bool {
	for _, slice := range all {
		if slice.Family == family && slice.Usable {
			return true
		}
	}
	return false
}

// ready are the other nodes that have a ready endpoint, sorted.
func (o *others) ready(service types.NamespacedName, family frrtemplates.Family) []string {
	nodes := map[string]struct{}{}
	for _, slice := range o.slices[service] {
		if slice.Family != family {
			continue
		}
		for i, node := range slice.Nodes {
			if node != o.self && slice.Ready[i] > 0 {
				nodes[node] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(nodes))
}

// listKey is a list of names as a key.
func listKey(names []string) string {
	var key []byte
	for _, name := range names {
		key = append(binary.AppendUvarint(key, uint64(len(name))), name...)
	}
	return string(key)
}
