package compile

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// maxWaits causes are told why nobody takes over, and of each so many nodes.
const maxWaits, maxWaitNodes = 3, 3

// Wait is why no other node takes some Services over.
type Wait struct {
	// Route is the first of them, Services how many there are.
	Route    snapshot.Route
	Services int
	// Unknown: the other nodes aren't known yet.
	Unknown bool
	// NoEndpoint: no other node has a ready endpoint.
	NoEndpoint bool
	// Nodes that lack something, those that lack the least first; at most 3. More are
	// those that aren't named. There is no other node where there is none, and neither
	// Unknown nor NoEndpoint.
	Nodes []Missing
	More  int
}

// Missing is what a node lacks. Peer is one with which it should have a session, of
// LackSession.
type Missing struct {
	Node  string
	Lacks snapshot.Lack
	Peer  string
}

// waitKey tells causes apart; the zero value is that of other nodes which aren't known.
type waitKey struct {
	known bool
	kind  kind
	// unusable: no endpoint at all is seen. ready are the nodes with a ready one,
	// of Services with externalTrafficPolicy: Local.
	unusable bool
	ready    string
	// route is that of the Service; not part of what tells causes apart.
	route snapshot.Route
}

func (o *others) waitOf(route snapshot.Route, s Subject) waitKey {
	if o == nil {
		return waitKey{route: route}
	}
	key := waitKey{known: true, kind: o.kindOf(route, s), route: route}
	if s.Service.Local {
		key.ready = listKey(o.ready(s.Service.Key, key.kind.family))
	} else {
		key.unusable = !usable(o.slices[s.Service.Key], key.kind.family)
	}
	return key
}

// waits are the first causes why Services are kept.
func (c *Compiler) waits(kept []types.NamespacedName) []Wait {
	var waits []Wait
	at := map[waitKey]int{}
	for _, key := range kept {
		m := c.services[key]
		cause := m.decision.waits
		route := cause.route
		route.Service = key
		cause.route = snapshot.Route{}
		if i, known := at[cause]; known {
			waits[i].Services++
		} else if len(waits) < maxWaits {
			at[cause] = len(waits)
			wait := Wait{Route: route, Services: 1, Unknown: true}
			if others := c.policy.drain.others; others != nil {
				wait = others.wait(route, m.subject)
			}
			waits = append(waits, wait)
		}
	}
	return waits
}

// wait says who could take a route over, and what they lack.
func (o *others) wait(route snapshot.Route, s Subject) Wait {
	wait := Wait{Route: route, Services: 1}
	among := func(string) bool { return true }
	if s.Service.Local {
		ready := o.ready(s.Service.Key, frrtemplates.FamilyOf(route.Address))
		among = func(node string) bool { return slices.Contains(ready, node) }
		wait.NoEndpoint = len(ready) == 0
	} else {
		wait.NoEndpoint = !usable(o.slices[s.Service.Key], frrtemplates.FamilyOf(route.Address))
	}
	if wait.NoEndpoint {
		return wait
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []Missing
	for _, r := range o.nodes {
		if among(r.Node.Name) {
			all = append(all, o.missing(r, route, s))
		}
	}
	slices.SortStableFunc(all, func(a, b Missing) int { return cmp.Compare(a.Lacks, b.Lacks) })
	few := min(len(all), maxWaitNodes)
	wait.Nodes, wait.More = all[:few:few], len(all)-few
	return wait
}

// missing is what a node lacks to announce a route that isn't taken over.
func (o *others) missing(r *relief, route snapshot.Route, s Subject) Missing {
	m := Missing{Node: r.Node.Name, Lacks: r.lacks}
	if r.lacks == snapshot.LackReport {
		return m // an agent doesn't run everywhere
	}
	carried := false
	for peer := range o.carriers(r, route, s) {
		carried = true
		if _, up := r.Sessions[peer]; up {
			m.Peer = ""
			m.Lacks = max(r.lacks, snapshot.LackTime)
			return m
		}
		if m.Peer == "" || peer < m.Peer {
			m.Peer = peer
		}
	}
	switch {
	case !carried:
		m.Lacks = snapshot.LackRoute
	case r.lacks == snapshot.LackNothing:
		m.Lacks = snapshot.LackSession
	}
	if m.Lacks != snapshot.LackSession {
		m.Peer = ""
	}
	return m
}
