package compile

import (
	"maps"
	"reflect"
	"slices"
	"unsafe"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// Compile decides from scratch. The Result is for reading only.
func Compile(s *snapshot.Snapshot) *Result { return NewCompiler().Compile(s) }

// Compiler compiles one Snapshot after another of the same node and decides
// again only about what reads something that changed. Its Results equal those of
// Compile; they share structure with each other and are for reading only. It is
// not safe for concurrent use.
type Compiler struct {
	policy   *Policy
	inputs   policyInputs
	services map[types.NamespacedName]*memo
	// mark is the last Snapshot's: the changes since then are all there is to look at.
	mark  *snapshot.Mark
	sum   sum
	relay relaySum
	// frame was made with what was applied then.
	frame   frame
	applied numbers
	// frames counts them; issuesThen were made of issued.
	frames     int
	issued     issueInputs
	issuesThen []Issue
}

// issueInputs is all that a Result's issues are made of.
type issueInputs struct {
	frame int
	gates *snapshot.Gates
	node  *snapshot.Node
	// flows are the changes of what the relay brings up.
	policy       *Policy
	flows        int
	tooManyNodes bool
	// relayPending: Services wait for the relay.
	relayPending bool
}

// memo is what was decided about a Service, and by what.
type memo struct {
	subject Subject
	// open and held are what the gate said; held only while not open.
	open bool
	held []Why

	decision Decision
	flows    flows
}

// NewCompiler makes a Compiler that knows nothing yet.
func NewCompiler() *Compiler { return &Compiler{} }

// Compile is the same as the function Compile, for the next snapshot.
func (c *Compiler) Compile(s *snapshot.Snapshot) *Result {
	done := false
	defer func() {
		if !done { // a panic: what is remembered may be half of it
			c.policy, c.mark = nil, nil
		}
	}()
	follows := s.Changes.Since != nil && s.Changes.Since == c.mark && !s.Changes.Everything
	if inputs := inputsOf(s); c.policy == nil || !c.inputs.equal(inputs) {
		c.policy, c.inputs = newPolicy(s, c.others()), inputs
		c.services = make(map[types.NamespacedName]*memo, s.Services.Len())
		c.sum, c.relay = newSum(c.policy), newRelaySum(c.policy)
		follows = false
	}
	changes := c.look(s, follows)
	c.sum.apply(changes)
	c.relay.apply(changes.flows)
	if applied := appliedNumbers(s.Applied); c.sum.inUse.changed || !applied.equal(c.applied) {
		c.frame, c.applied = c.policy.newFrame(c.inputs.kernel, &c.sum.inUse, applied), applied
		c.sum.inUse.changed = false
		c.frames++
	}
	relay := c.relay.desired(s)
	kept, takers, waits := c.kept()
	result := &Result{
		Config:   c.frame.withNetworks(c.sum.networks),
		Issues:   c.issues(s),
		Withheld: c.sum.withheld,
		Kept:     kept,
		Takers:   takers,
		Waits:    waits,
		Snippets: c.policy.Snippets,
		Relay:    relay,
		Relayed:  c.relay.learns(relay),
		Origins:  Origins{Peers: c.policy.peerOrigins(), Prefixes: c.sum.needs.View()},
	}
	c.mark, done = s.Mark, true
	return result
}

// others that the last policy knew; nil: none.
func (c *Compiler) others() *others {
	if c.policy == nil {
		return nil
	}
	return c.policy.drain.others
}

// issues are the frame's and the gates', which change less often than anything.
func (c *Compiler) issues(s *snapshot.Snapshot) []Issue {
	now := issueInputs{
		frame: c.frames, gates: s.Gates, node: s.Node, policy: c.policy, flows: c.relay.changes, tooManyNodes: len(relayPeers(s)) > MaxRelayPeers,
		relayPending: c.waitsForRelay(s),
	}
	if c.issued != now {
		c.issued, c.issuesThen = now, withGates(c.frame.issues, s.Node, s.Gates, now.relayPending)
		if s.Node != nil {
			c.issuesThen = withMore(c.issuesThen, c.relay.issues(now.tooManyNodes))
		}
	}
	return c.issuesThen
}

// look at the Services again: at those that have changed where the Snapshot follows
// on the last one, else at all of them and at those that were there before.
func (c *Compiler) look(s *snapshot.Snapshot, follows bool) changes {
	var changes changes
	if follows {
		for key := range s.Changes.Services {
			c.lookAt(key, s.Services.Get(key), s, &changes)
		}
		return changes
	}
	for key, service := range s.Services.All() {
		c.lookAt(key, service, s, &changes)
	}
	for key := range c.services {
		if s.Services.Get(key) == nil {
			c.forget(key, &changes)
		}
	}
	return changes
}

// lookAt a Service; nil: it is gone.
func (c *Compiler) lookAt(key types.NamespacedName, service *snapshot.Service, s *snapshot.Snapshot, changes *changes) {
	if service == nil || !s.Settings.Claims(service.Class) { // another load balancer's
		c.forget(key, changes)
		return
	}
	c.compileOne(key, service, s, changes)
}

func (c *Compiler) compileOne(key types.NamespacedName, service *snapshot.Service, s *snapshot.Snapshot, changes *changes) {
	subject := Subject{Service: service, Namespace: s.Namespaces[key.Namespace], Slices: s.Slices.Get(key)}
	m := c.services[key]
	if m == nil {
		m = &memo{}
		c.services[key] = m
	}
	relay, seen := m.flows, m.saw(subject)
	if !seen {
		relay = c.policy.flowsOf(subject)
	}
	gate := gateOf(key, service, len(relay.learn) > 0, s)
	if seen && m.heard(gate) {
		return
	}
	decision := compileService(subject, c.policy, gate)
	changes.add(key, m.decision, decision)
	changes.addFlows(key, m.flows, relay)
	*m = memo{
		subject: subject, open: gate.open(), held: gate.says(decision.gated),
		decision: decision, flows: relay,
	}
}

// forget drops a Service that is gone.
func (c *Compiler) forget(key types.NamespacedName, changes *changes) {
	m := c.services[key]
	if m == nil {
		return
	}
	changes.add(key, m.decision, Decision{})
	changes.addFlows(key, m.flows, flows{})
	delete(c.services, key)
}

// saw says whether nothing of a Service has changed since the decision was made.
// Objects of a Snapshot are replaced, never changed, so the same object is the same.
func (m *memo) saw(now Subject) bool {
	old := &m.subject
	return old.Service == now.Service && old.Namespace == now.Namespace &&
		(sameMap(old.Slices, now.Slices) || maps.Equal(old.Slices, now.Slices))
}

// heard says whether the gate says what it said then.
func (m *memo) heard(gate gate) bool {
	return m.open == gate.open() && slices.Equal(m.held, gate.says(m.decision.gated))
}

func sameMap(a, b map[string]*snapshot.Slice) bool { return mapIdentity(a) == mapIdentity(b) }

// mapIdentity tells maps apart without looking into them.
func mapIdentity(m map[string]*snapshot.Slice) unsafe.Pointer {
	return reflect.ValueOf(m).UnsafePointer()
}

// policyInputs is all that NewPolicy reads, and what else a frame is made of.
type policyInputs struct {
	node           *snapshot.Node
	settings       *snapshot.Settings
	pools          []*v1alpha1.IPAddressPool
	peers          []*v1alpha1.BGPPeer
	advertisements []*v1alpha1.BGPAdvertisement
	communities    []*v1alpha1.Community
	profiles       []*v1alpha1.BFDProfile
	snippets       []*v1alpha1.FRRSnippet
	flows          []*v1alpha1.FlowPolicy
	secrets        map[string]*snapshot.Secret
	network        *snapshot.Network
	cluster        *snapshot.Cluster
	refused        map[snapshot.ObjectKey]snapshot.Refusal
	kernel         kernel
	drain          snapshot.Drain
	others         *snapshot.Others
}

func inputsOf(s *snapshot.Snapshot) policyInputs {
	return policyInputs{
		node: s.Node, settings: s.Settings, pools: s.Pools, peers: s.Peers, advertisements: s.Advertisements, secrets: s.Secrets, network: s.Network,
		communities: s.Communities, profiles: s.BFDProfiles, snippets: s.Snippets, flows: s.FlowPolicies, cluster: s.Cluster, refused: s.Refused, kernel: kernelOf(s),
		drain: s.Drain, others: s.Others,
	}
}

func (i policyInputs) equal(other policyInputs) bool {
	return i.node == other.node && i.settings == other.settings && i.network == other.network && i.cluster == other.cluster && i.kernel == other.kernel && i.drain == other.drain && i.others == other.others &&
		slices.Equal(i.pools, other.pools) && slices.Equal(i.peers, other.peers) &&
		slices.Equal(i.advertisements, other.advertisements) && slices.Equal(i.communities, other.communities) &&
		slices.Equal(i.profiles, other.profiles) && slices.Equal(i.snippets, other.snippets) && slices.Equal(i.flows, other.flows) &&
		maps.Equal(i.refused, other.refused) && (i.secrets == nil) == (other.secrets == nil) && maps.Equal(i.secrets, other.secrets)
}

func (p *Policy) peerOrigins() map[NeighborKey]string {
	origins := make(map[NeighborKey]string, len(p.Peers))
	for _, peer := range p.Peers {
		origins[peer.key()] = peer.Name
	}
	return origins
}
