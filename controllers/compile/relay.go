package compile

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/relay/exchange"
)

const (
	// MaxRelayPeers is to how many other nodes packets are copied at most: a packet
	// whose owner isn't known costs one for each.
	MaxRelayPeers = 64

	// The defaults of spec.flowPreservation.
	defaultTunnelPort   = 14789
	defaultFloods       = 2000
	defaultLearnedFlows = 65536
	// relayVNI is that of relayed packets. The port is Herald's alone, so that nobody
	// needs another one.
	relayVNI = 14789
)

// relaySum is what the relays do about all Services. Its slices get into Results:
// they are replaced, never changed.
type relaySum struct {
	policy    *Policy
	addresses counted[netip.Addr]
	learn     counted[exchange.Frontend]
	// selected counts the Services of each policy; disagreeing are those of each
	// conflict.
	selected    map[int]int
	disagreeing map[conflict]map[types.NamespacedName]struct{}
	// changes counts those of what stands in issues.
	changes int
}

// counted is the sorted set of what at least one Service needs.
type counted[K comparable] struct {
	counts map[K]int
	sorted []K
}

func (c *counted[K]) apply(gone, come []K, compare func(a, b K) int) {
	touched := map[K]bool{}
	for _, key := range come {
		if count(c.counts, key, 1) {
			touched[key] = true
		}
	}
	for _, key := range gone {
		if count(c.counts, key, -1) {
			touched[key] = true
		}
	}
	var added []K
	for key := range touched {
		if c.counts[key] > 0 {
			added = append(added, key)
		}
	}
	c.sorted = replaced(c.sorted, func(key K) bool { return touched[key] }, added, compare, len(touched))
}

func newRelaySum(policy *Policy) relaySum {
	return relaySum{
		policy:    policy,
		addresses: counted[netip.Addr]{counts: map[netip.Addr]int{}}, learn: counted[exchange.Frontend]{counts: map[exchange.Frontend]int{}},
		selected: map[int]int{}, disagreeing: map[conflict]map[types.NamespacedName]struct{}{},
	}
}

// flowChange is what differs of one Service.
type flowChange struct {
	key      types.NamespacedName
	old, new flows
}

func (s *relaySum) apply(all []flowChange) {
	var addressesGone, addressesCome []netip.Addr
	var learnGone, learnCome []exchange.Frontend
	for _, c := range all {
		addressesGone, addressesCome = append(addressesGone, c.old.addresses...), append(addressesCome, c.new.addresses...)
		learnGone, learnCome = append(learnGone, c.old.learn...), append(learnCome, c.new.learn...)
		s.applyPolicies(c)
	}
	s.addresses.apply(addressesGone, addressesCome, netip.Addr.Compare)
	s.learn.apply(learnGone, learnCome, compareFrontends)
}

func (s *relaySum) applyPolicies(c flowChange) {
	changed := !slices.Equal(c.old.conflicts, c.new.conflicts)
	for _, policy := range c.new.selecting {
		changed = count(s.selected, policy, 1) || changed
	}
	for _, policy := range c.old.selecting {
		changed = count(s.selected, policy, -1) || changed
	}
	for _, pair := range c.old.conflicts {
		if delete(s.disagreeing[pair], c.key); len(s.disagreeing[pair]) == 0 {
			delete(s.disagreeing, pair)
		}
	}
	for _, pair := range c.new.conflicts {
		if s.disagreeing[pair] == nil {
			s.disagreeing[pair] = map[types.NamespacedName]struct{}{}
		}
		s.disagreeing[pair][c.key] = struct{}{}
	}
	if changed {
		s.changes++
	}
}

// desired is what the node's relay shall do; nil while it isn't known which nodes
// there are: then it goes on with what it does.
func (s *relaySum) desired(snap *snapshot.Snapshot) *exchange.Desired {
	if snap.Node != nil && snap.Settings.Leaves() {
		return &exchange.Desired{Version: exchange.Version, Node: snap.Node.Name, Remove: true}
	}
	wants := len(s.learn.sorted) > 0 || snap.Settings.RelaysPathMTU()
	if snap.Node == nil || snap.Nodes == nil && wants {
		return nil
	}
	desired := &exchange.Desired{
		Version: exchange.Version, Node: snap.Node.Name, Addresses: onePerFamily(snap.Node.Addresses),
		Peers: relayPeers(snap), Count: s.addresses.sorted, Tunnel: tunnelOf(snap.Settings), Limits: limitsOf(snap.Settings),
	}
	if len(desired.Peers) > MaxRelayPeers {
		// What is relayed already goes on, to as many as can be.
		desired.Peers = desired.Peers[:MaxRelayPeers]
		return desired
	}
	desired.Learn = s.learn.sorted
	if snap.Settings.RelaysPathMTU() {
		desired.PathMTU = s.addresses.sorted
	}
	return desired
}

// learns says whether a relay that does what is desired preserves connections; where
// that isn't known yet, whether it is to.
func (s *relaySum) learns(desired *exchange.Desired) bool {
	return len(s.learn.sorted) > 0 && (desired == nil || len(desired.Learn) > 0)
}

// relayPeers are the other nodes that have an address.
func relayPeers(snap *snapshot.Snapshot) []exchange.Peer {
	if snap.Node == nil {
		return nil
	}
	var peers []exchange.Peer
	// A Node that is left over may have the address of the one in its place.
	taken := map[netip.Addr]bool{}
	for _, address := range snap.Node.Addresses {
		taken[address] = true
	}
	for _, node := range snap.Nodes {
		if node.Name == snap.Node.Name {
			continue
		}
		free := slices.DeleteFunc(slices.Clone(node.Addresses), func(a netip.Addr) bool { return taken[a] })
		if addresses := onePerFamily(free); addresses != nil {
			peers = append(peers, exchange.Peer{Node: node.Name, Addresses: addresses})
			for _, address := range addresses {
				taken[address] = true
			}
		}
	}
	return peers
}

// onePerFamily is the first address of each family, IPv4 first.
func onePerFamily(all []netip.Addr) []netip.Addr {
	var found []netip.Addr
	for _, family := range bothFamilies {
		if at := slices.IndexFunc(all, func(a netip.Addr) bool { return frrtemplates.FamilyOf(a) == family && isHost(a) }); at >= 0 {
			found = append(found, all[at])
		}
	}
	return found
}

// isHost says whether packets can be sent to an address that is one machine's.
func isHost(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

func tunnelOf(settings *snapshot.Settings) exchange.Tunnel {
	tunnel := exchange.Tunnel{Port: defaultTunnelPort, VNI: relayVNI}
	if settings == nil {
		return tunnel
	}
	if port := settings.Flows.Port; port > 0 && port <= 65535 {
		tunnel.Port = uint16(port)
	}
	tunnel.MTU = int(settings.Flows.MTU)
	return tunnel
}

func limitsOf(settings *snapshot.Settings) exchange.Limits {
	limits := exchange.Limits{FloodsPerSecond: defaultFloods, LearnedFlows: defaultLearnedFlows}
	if settings == nil {
		return limits
	}
	if n := settings.Flows.FloodsPerSecond; n > 0 {
		limits.FloodsPerSecond = int(n)
	}
	if n := settings.Flows.LearnedFlows; n > 0 {
		limits.LearnedFlows = int(n)
	}
	return limits
}

// issues are what only Services and nodes bring up.
func (s *relaySum) issues(tooManyNodes bool) []Issue {
	var issues []Issue
	say := func(policy int, reason, message string) {
		ref := ObjectRef{Kind: kindFlowPolicy, Name: s.policy.Flows[policy].Name}
		issues = append(issues, Issue{Object: ref, Reason: reason, Message: message})
	}
	for i, policy := range s.policy.Flows {
		if s.selected[i] == 0 {
			say(i, v1alpha1.ReasonNoServiceSelected, "spec selects no Service that has an address of a pool: correct the selectors, or remove the policy")
		}
		if policy.Learn && tooManyNodes {
			say(i, v1alpha1.ReasonTooManyNodes, fmt.Sprintf(
				"Herald runs on more than %d nodes: a packet whose owner isn't known would be copied to each, so that no connection is preserved; "+
					"announcing goes on; let Herald run on fewer nodes (spec.nodeSelector of the Herald object)", MaxRelayPeers+1))
		}
	}
	for pair, services := range s.disagreeing {
		winner, loser := s.policy.Flows[pair.winner], s.policy.Flows[pair.loser]
		say(pair.loser, v1alpha1.ReasonConflict, fmt.Sprintf(
			"FlowPolicies %q and %q both select Services, such as %s, and say otherwise in spec.mode or spec.protocols: %q, the older one, holds there; let one of them select fewer",
			winner.Name, loser.Name, firstOf(services), winner.Name))
	}
	return issues
}

func firstOf(services map[types.NamespacedName]struct{}) string {
	names := make([]string, 0, len(services))
	for key := range maps.Keys(services) {
		names = append(names, key.String())
	}
	return slices.MinFunc(names, strings.Compare)
}
