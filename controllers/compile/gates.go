package compile

import (
	"fmt"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// gate of one Service's first announcement. The zero value is open.
type gate struct {
	// dataplane: the node serves the Service; relay: it knows what to do with
	// connections of it that are another node's.
	dataplane, relay barrier
}

// barrier holds back what isn't announced already.
type barrier struct {
	closed    bool
	announced map[netip.Prefix]struct{}
}

func (b barrier) holds(prefix netip.Prefix) bool {
	if !b.closed {
		return false
	}
	_, announced := b.announced[prefix]
	return !announced
}

func (g gate) open() bool { return !g.dataplane.closed && !g.relay.closed }

// holds says why a prefix is held back; empty: it isn't.
func (g gate) holds(prefix netip.Prefix) Why {
	switch {
	case g.dataplane.holds(prefix):
		return WhyGateClosed
	case g.relay.holds(prefix):
		return WhyRelayPending
	}
	return ""
}

// says of each prefix why it is held back; nil while the gate is open.
func (g gate) says(prefixes []netip.Prefix) []Why {
	if g.open() {
		return nil
	}
	whys := make([]Why, len(prefixes))
	for i, prefix := range prefixes {
		whys[i] = g.holds(prefix)
	}
	return whys
}

// gateOf is the gate of a Service on this node. Outside the agent all are open.
func gateOf(key types.NamespacedName, service *snapshot.Service, relayed bool, s *snapshot.Snapshot) gate {
	if s.Gates == nil {
		return gate{}
	}
	state := s.Gates.Cluster
	if service.Local {
		state = s.Gates.Local[key]
	}
	g := gate{dataplane: barrier{closed: !state.IsOpen()}}
	if s.Applied != nil {
		g.dataplane.announced = s.Applied.Prefixes
	}
	if relayed {
		g.relay = barrier{closed: !s.Gates.Relay.IsOpen(), announced: s.Gates.Announced}
	}
	return g
}

// waitsForRelay says whether a Service is held back until the relay is ready.
func (c *Compiler) waitsForRelay(s *snapshot.Snapshot) bool {
	return s.Gates != nil && !s.Gates.Relay.IsOpen() &&
		slices.ContainsFunc(c.sum.withheld, func(w Withheld) bool { return w.Why == WhyRelayPending })
}

// withGates adds to the issues what the node announces although its dataplane
// never said that it is ready, and what it holds back because it never will. The
// same of its relay.
func withGates(issues []Issue, node *snapshot.Node, gates *snapshot.Gates, relayPending bool) []Issue {
	if gates == nil || node == nil {
		return issues
	}
	const remedy = "; it is announced from there all the same: look whether the service proxy (kube-proxy) runs on the node, and restart the agent to ask again"
	var more []Issue
	if gates.Cluster == snapshot.GateTimedOut {
		more = append(more, Issue{
			Object: ObjectRef{Kind: "Node", Name: node.Name}, Reason: v1alpha1.ReasonGateTimedOut,
			Message: fmt.Sprintf("nothing answered on :10256/healthz of node %q for Services with externalTrafficPolicy Cluster", node.Name) + remedy,
		})
	}
	if relayPending || gates.Relay == snapshot.GateTimedOut {
		more = append(more, relayIssue(node.Name, relayPending))
	}
	for key, state := range gates.Local {
		if state == snapshot.GateRefused {
			more = append(more, refusedIssue(key, node.Name))
		}
		if state == snapshot.GateTimedOut {
			more = append(more, Issue{
				Object: ObjectRef{Kind: "Service", Namespace: key.Namespace, Name: key.Name}, Reason: v1alpha1.ReasonGateTimedOut,
				Message: fmt.Sprintf("nothing answered on spec.healthCheckNodePort of node %q", node.Name) + remedy,
			})
		}
	}
	return withMore(issues, more)
}

// relayIssue is of a node whose relay doesn't have its rules.
func relayIssue(node string, pending bool) Issue {
	issue := Issue{
		Object: ObjectRef{Kind: "Node", Name: node}, Reason: v1alpha1.ReasonRelayTimedOut,
		Message: fmt.Sprintf("the relay of node %q hasn't said in time that it has its rules; Services that FlowPolicies select are announced from there all the same, "+
			"and connections of them that routers move to the node are reset until it has: look at the condition RelayReady, and at the log of the relay container there", node),
	}
	if pending {
		issue.Reason = v1alpha1.ReasonRelayPending
		issue.Message = fmt.Sprintf("Services that FlowPolicies select wait, for some seconds at most, until the relay of node %q has its rules: "+
			"else connections of them that routers move to the node would be reset", node)
	}
	return issue
}

// withMore are all of both, sorted.
func withMore(issues, more []Issue) []Issue {
	if len(more) == 0 {
		return issues
	}
	all := slices.Concat(issues, more)
	slices.SortFunc(all, CompareIssues)
	return all
}

// refusedIssue is of a Service that kube-proxy, which answers for itself, doesn't come to.
func refusedIssue(key types.NamespacedName, node string) Issue {
	return Issue{
		Object: ObjectRef{Kind: "Service", Namespace: key.Namespace, Name: key.Name}, Reason: v1alpha1.ReasonGateRefused,
		Message: fmt.Sprintf("kube-proxy of node %q answers on :10256/healthz, and nothing listens at spec.healthCheckNodePort there, so the Service is held back: "+
			"look into kube-proxy's log for what keeps it from writing its rules, or from listening at that port; "+
			"where something else serves the node's Services, announceGate.mode Off in the Herald object announces without asking", node),
	}
}
