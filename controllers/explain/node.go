package explain

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// view of one node: what it should do, and what it says.
type view struct {
	name     string
	snapshot *snapshot.Snapshot
	policy   *compile.Policy
	result   *compile.Result
	maps     map[string]*frrtemplates.RouteMap
	states   *offline.States
	reported *v1alpha1.BGPNode
	health   Verdict // zero where agent and FRR are well
	// unseen are the peers whose address only the node's kernel knows.
	unseen []string
	// isLeftOut: Herald isn't to run on the node, and doesn't.
	isLeftOut bool
}

func newView(world *offline.World, states *offline.States, node string) (*view, error) {
	s, err := world.Snapshot(node)
	if err != nil {
		return nil, err
	}
	if reported := states.Nodes[node]; reported != nil && reported.Status.Drain != nil {
		s.Drain.Stage = snapshot.DrainGraceful // what its routes say; which there are is left to withdrawn
	}
	v := &view{
		name: node, snapshot: s, policy: compile.NewPolicy(s), result: compile.Compile(s),
		maps: map[string]*frrtemplates.RouteMap{}, states: states, reported: states.Nodes[node],
		unseen: world.OnlyNodeKnows(),
	}
	for i := range v.result.Config.RouteMaps {
		v.maps[v.result.Config.RouteMaps[i].Name] = &v.result.Config.RouteMaps[i]
	}
	v.health = healthOf(node, v.reported)
	if why := world.LeftOut()[node]; why != "" && v.reported == nil {
		v.isLeftOut, v.health = true, leftOut(why)
	}
	return v, nil
}

// healthOf says what keeps a node's FRR from running what its objects say.
func healthOf(node string, reported *v1alpha1.BGPNode) Verdict {
	if reported == nil {
		return silent(node)
	}
	ready := meta.FindStatusCondition(reported.Status.Conditions, v1alpha1.ConditionReady)
	programmed := meta.FindStatusCondition(reported.Status.Conditions, v1alpha1.ConditionProgrammed)
	switch {
	case ready == nil:
		return silent(node)
	case ready.Status == metav1.ConditionUnknown:
		return Verdict{State: Unknown, Reason: ready.Reason, Message: ready.Message}
	case ready.Status == metav1.ConditionFalse:
		return Verdict{State: NotAnnounced, Reason: ready.Reason, Message: ready.Message}
	case programmed != nil && programmed.Status != metav1.ConditionTrue:
		return Verdict{State: Unknown, Reason: programmed.Reason, Message: programmed.Message}
	}
	return Verdict{}
}

func (v *view) subject(service *snapshot.Service) compile.Subject {
	return compile.Subject{Service: service, Namespace: v.snapshot.Namespaces[service.Key.Namespace], Slices: v.snapshot.Slices.Get(service.Key)}
}

// pools that the Service's addresses are of.
func (v *view) pools(service *snapshot.Service) []string {
	var names []string
	for _, address := range service.Addresses {
		if pool := v.policy.Pools.Find(address); pool != nil && !slices.Contains(names, pool.Name) {
			names = append(names, pool.Name)
		}
	}
	return names
}

func (v *view) service(service *snapshot.Service) Node {
	if v.isLeftOut {
		return Node{Name: v.name, Verdict: v.health}
	}
	n := Node{Name: v.name, Notes: append(issuesOf(v.result.Issues, v.reported), unnamed(v.reported)...)}
	if decision := v.policy.Service(v.subject(service)); decision.Why != "" {
		n.Verdict = Verdict{State: NotAnnounced, Reason: string(decision.Why), Message: decision.Why.OnNode()}
		return n
	}
	if v.hasWithdrawn(service.Key) {
		n.Verdict = v.drains()
		return n
	}
	if held := v.heldBack(service); held.Reason != "" {
		n.Verdict = held
		return n
	}
	if v.policy.Relays(v.subject(service)) {
		if late := v.saysOfItself(v1alpha1.ReasonRelayTimedOut); late != "" {
			n.Notes = append(n.Notes, fmt.Sprintf("BGPNode %s: %s: %s", v.name, v1alpha1.ReasonRelayTimedOut, late))
		}
	}
	n.Routes = v.routes(func(needs []compile.Need) bool {
		return slices.ContainsFunc(needs, func(need compile.Need) bool { return need.Service == service.Key })
	})
	n.Verdict = bestOf(n.Routes)
	if len(n.Routes) == 0 && len(v.unseen) > 0 {
		n.Verdict = unseen(v.unseen)
	}
	return n
}

// heldBack is the verdict on a Service that a gate of the node holds back; zero: none does.
// No object tells that but the node's own report.
func (v *view) heldBack(service *snapshot.Service) Verdict {
	switch {
	case v.namesHeldBack(service.Key):
		return Verdict{State: NotAnnounced, Reason: string(compile.WhyGateClosed), Message: cmp.Or(v.refused(service.Key), compile.WhyGateClosed.OnNode())}
	case v.saysOfItself(v1alpha1.ReasonRelayPending) != "" && v.policy.Relays(v.subject(service)):
		return Verdict{State: NotAnnounced, Reason: string(compile.WhyRelayPending), Message: compile.WhyRelayPending.OnNode()}
	}
	return Verdict{}
}

// allHeldBack is heldBack of a prefix: where one of its Services isn't held back, it is
// announced for that one.
func (v *view) allHeldBack(needs []compile.Need) (verdict Verdict) {
	for _, need := range needs {
		service := v.snapshot.Services.Get(need.Service)
		if service == nil {
			return Verdict{}
		}
		if verdict = v.heldBack(service); verdict.Reason == "" {
			return Verdict{}
		}
	}
	return verdict
}

// namesHeldBack says whether the node's agent reports that it holds a Service back until
// its dataplane serves.
func (v *view) namesHeldBack(service types.NamespacedName) bool {
	return v.reported != nil && v.reported.Status.HeldBack != nil && slices.Contains(v.reported.Status.HeldBack.Services, service.String())
}

// refused is what the node's agent reports of a Service that kube-proxy doesn't come to.
func (v *view) refused(service types.NamespacedName) string {
	for _, issue := range v.reported.Status.Issues {
		if issue.Kind == "Service" && issue.Namespace == service.Namespace && issue.Name == service.Name && issue.Reason == v1alpha1.ReasonGateRefused {
			return issue.Message
		}
	}
	return ""
}

// saysOfItself is what the node's agent reports of the node, by the reason.
func (v *view) saysOfItself(reason string) string {
	if v.reported == nil {
		return ""
	}
	for _, issue := range v.reported.Status.Issues {
		if issue.Kind == "Node" && issue.Reason == reason {
			return issue.Message
		}
	}
	return ""
}

// hasWithdrawn says whether the node's agent reports that it drains, and has withdrawn
// a Service for that.
func (v *view) hasWithdrawn(service types.NamespacedName) bool {
	if v.reported == nil || !status.HasWithdrawn(v.reported.Status.Drain) {
		return false
	}
	held := v.reported.Status.Drain.LastHolderOf
	return held == nil || !slices.Contains(held.Services, service.String())
}

// drains is the verdict on a Service that a draining node doesn't name among those that
// it keeps: where it keeps more than it names, that is Unknown, unless another node
// announces it (settleHolders).
func (v *view) drains() Verdict {
	if unnamedOf(v.reported).Kept > 0 {
		return unnamedHolder(v.name, v.reported.Status.Drain.LastHolderOf)
	}
	return withdrawn()
}

// bestOf is Announced where one router is told; else the first reason.
func bestOf(routes []Route) Verdict {
	for _, state := range []State{Announced, Unknown, NotAnnounced} {
		for i := range routes {
			if routes[i].State == state {
				return routes[i].Verdict
			}
		}
	}
	return Verdict{State: NotAnnounced, Reason: string(compile.WhyNoPeer), Message: compile.WhyNoPeer.OnNode()}
}

// routes that the node should announce, one for each prefix and peer, of the
// prefixes whose Services are wanted.
func (v *view) routes(wanted func([]compile.Need) bool) []Route {
	var routes []Route
	for _, router := range v.result.Config.Routers {
		for _, family := range router.Families {
			for _, network := range family.Networks {
				needs := v.result.Origins.Prefixes.Get(network.Prefix)
				needs = slices.DeleteFunc(slices.Clone(needs), func(need compile.Need) bool { return v.hasWithdrawn(need.Service) })
				if len(needs) > 0 && wanted(needs) {
					routes = append(routes, v.toPeers(router.VRF, family.Family, network, needs)...)
				}
			}
		}
	}
	return routes
}

func (v *view) toPeers(vrf string, family frrtemplates.Family, network frrtemplates.Network, needs []compile.Need) []Route {
	class := v.maps[network.RouteMap]
	if class == nil || len(class.Entries) == 0 {
		return nil
	}
	var services []string
	for _, need := range needs {
		services = append(services, need.Service.String())
	}
	held := v.allHeldBack(needs)
	var routes []Route
	for _, peer := range v.policy.Peers {
		if peer.VRF != vrf || !slices.Contains(peer.Families, family) {
			continue
		}
		entry := v.outbound(peer.Name, family, class.Entries[0].SetTag)
		if entry == nil {
			continue
		}
		route := v.toPeer(peer.Name)
		route.Prefix, route.VRF, route.Services = network.Prefix.String(), vrf, services
		route.Attributes = attributes(entry, class.Entries[0].Bandwidth)
		if held.Reason != "" {
			route.Verdict = held
		}
		routes = append(routes, route)
	}
	return routes
}

// outbound is the entry of a peer's outbound map for a class; nil: the peer
// doesn't get it.
func (v *view) outbound(peer string, family frrtemplates.Family, tag frrtemplates.Tag) *frrtemplates.RouteMapEntry {
	out := v.maps[frrtemplates.OutboundMap(peer, family)]
	if out == nil {
		return nil
	}
	for i := range out.Entries {
		if out.Entries[i].Permit && out.Entries[i].MatchTag == tag {
			return &out.Entries[i]
		}
	}
	return nil
}

// toPeer is a route to a peer, as far as it is the same for all prefixes.
func (v *view) toPeer(peer string) Route {
	route := Route{Node: v.name, Peer: peer, Session: string(v1alpha1.SessionUnknown)}
	session := v.states.Sessions[status.SessionKey{Node: v.name, Peer: peer}]
	if session != nil {
		route.Address, route.Session = session.Status.Address, cmp.Or(string(session.Status.State), route.Session)
	}
	switch {
	case v.health.Reason != "":
		route.Verdict = v.health
	case session == nil:
		route.Verdict = v.withoutSession(peer)
	case session.Status.State != v1alpha1.SessionEstablished:
		route.Verdict = sessionDown(session)
	default:
		route.Verdict = Verdict{State: Announced}
	}
	return route
}

// withoutSession: the node may have said why it has none.
func (v *view) withoutSession(peer string) Verdict {
	for _, issue := range v.reported.Status.Issues {
		if issue.Kind == "BGPPeer" && issue.Name == peer && !compile.IsNote(issue.Reason) {
			return Verdict{State: NotAnnounced, Reason: issue.Reason, Message: issue.Message}
		}
	}
	return noSession(v.name, peer)
}

func attributes(entry *frrtemplates.RouteMapEntry, bandwidth int) Attributes {
	a := Attributes{
		Communities: entry.Communities, LargeCommunities: entry.LargeCommunities,
		LocalPref: entry.LocalPref, MED: entry.MED, Prepend: len(entry.Prepend),
	}
	if entry.NextHop.IsValid() {
		a.NextHop = entry.NextHop.String()
	}
	if !entry.NoExtCommunities {
		a.Bandwidth = bandwidth
	}
	return a
}
