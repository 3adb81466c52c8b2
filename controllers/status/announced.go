package status

import (
	"hash/fnv"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
)

// Announced is what the condition herald-lb.io/Announced of a Service should say.
type Announced struct {
	// Reason is one of the reasons of Announced.
	Reason string
	// Wanted identifies which nodes should announce what to whom: as long as it
	// is new, what the nodes report may be about the time before.
	Wanted uint64
}

// announcedVerdicts by reason; those that compile has a word for are added from
// there. The messages have no counts and no names, so that
// the condition is rewritten only when the reason changes.
var announcedVerdicts = map[string]verdict{
	v1alpha1.ReasonAllNodes: yes(v1alpha1.ReasonAllNodes,
		"every node that should announce it does, on all its sessions"),
	v1alpha1.ReasonSomeNodes: yes(v1alpha1.ReasonSomeNodes,
		"announced, but not by every node that should on all its sessions: see BGPSessions that are not Established and BGPNodes that are not Programmed (kubectl get bgpsessions,bgpnodes)"),
	v1alpha1.ReasonNoNode: no(v1alpha1.ReasonNoNode,
		"no node that should announce it has an Established session: see BGPSessions and BGPNodes (kubectl get bgpsessions,bgpnodes)"),
	v1alpha1.ReasonNoAddress: no(v1alpha1.ReasonNoAddress,
		"has no address of an IPAddressPool: see the condition "+v1alpha1.ConditionAllocated),
}

func init() {
	for _, why := range []compile.Why{
		compile.WhyNoAdvertisement, compile.WhyNoPeer, compile.WhyNodeExcluded, compile.WhyNoNetwork, compile.WhyNoEndpoint, compile.WhyNodeDrains,
	} {
		announcedVerdicts[reasonOf[why]] = no(reasonOf[why], why.OnAll())
	}
}

// reasonOf says why nothing is announced, by compile's reason.
var reasonOf = map[compile.Why]string{
	compile.WhyNoPool:          v1alpha1.ReasonNoAddress,
	compile.WhyNoAdvertisement: v1alpha1.ReasonNoAdvertisement,
	compile.WhyNoPeer:          v1alpha1.ReasonNoPeer,
	compile.WhyNodeExcluded:    v1alpha1.ReasonNodesExcluded,
	compile.WhyNoNetwork:       v1alpha1.ReasonNetworkUnavailable,
	compile.WhyNoEndpoint:      v1alpha1.ReasonNoEndpoint,
	compile.WhyNoLocalEndpoint: v1alpha1.ReasonNoEndpoint,
	compile.WhyNodeDrains:      v1alpha1.ReasonNodesDraining,
	compile.WhyGateClosed:      v1alpha1.ReasonNoNode,
	compile.WhyRelayPending:    v1alpha1.ReasonNoNode,
}

// whys in the order in which compile looks at them: the furthest one is told.
var whys = []compile.Why{
	compile.WhyNoPool, compile.WhyNoAdvertisement, compile.WhyNoPeer,
	compile.WhyNodeExcluded, compile.WhyNoNetwork,
	compile.WhyNoEndpoint, compile.WhyNoLocalEndpoint, compile.WhyNodeDrains, compile.WhyGateClosed, compile.WhyRelayPending,
}

// AnnouncedOf asks each node's policy about a Service and compares with what the
// nodes report. The Service is nil where it has no address.
func AnnouncedOf(fleet *Fleet, subject compile.Subject) Announced {
	if subject.Service == nil {
		return Announced{Reason: v1alpha1.ReasonNoAddress}
	}
	tally := newTally()
	// Last holders that don't name all they keep: they announce it where nobody else does.
	unnamed := map[string]compile.Decision{}
	for _, policy := range fleet.Policies {
		decision := policy.Service(subject)
		if report := fleet.Reports[policy.Node]; len(decision.Lines) > 0 && !report.announces(subject.Service.Key) {
			if report.Unnamed > 0 {
				unnamed[policy.Node] = decision
			}
			decision = compile.Decision{Why: compile.WhyNodeDrains}
		}
		tally.add(fleet, policy.Node, decision)
	}
	if tally.should == 0 {
		for _, node := range slices.Sorted(maps.Keys(unnamed)) {
			tally.add(fleet, node, unnamed[node])
		}
	}
	if len(fleet.Policies) == 0 {
		return Announced{Reason: v1alpha1.ReasonNoNode}
	}
	return Announced{Reason: tally.reason(), Wanted: tally.wanted.Sum64()}
}

// tally counts nodes.
type tally struct {
	// should announce, do so on some session, do so on all.
	should, up, full int
	why              map[compile.Why]bool
	wanted           interface {
		Write(p []byte) (int, error)
		Sum64() uint64
	}
}

func newTally() *tally {
	return &tally{why: map[compile.Why]bool{}, wanted: fnv.New64a()}
}

func (t *tally) add(fleet *Fleet, node string, decision compile.Decision) {
	if len(decision.Lines) == 0 {
		t.why[decision.Why] = true
		return
	}
	t.should++
	t.note(node)
	some, all := false, fleet.Reports[node].Programmed
	for _, line := range decision.Lines {
		t.note(line.Prefix.String(), line.RouteMap())
		for _, peer := range line.Peers {
			t.note(peer)
			established := fleet.Established[SessionKey{Node: node, Peer: peer}]
			some, all = some || established, all && established
		}
	}
	if some {
		t.up++
	}
	if all {
		t.full++
	}
}

func (t *tally) note(words ...string) {
	for _, word := range words {
		_, _ = t.wanted.Write(append([]byte(word), 0)) // a hash takes everything
	}
}

func (t *tally) reason() string {
	switch {
	case t.should == 0:
		return t.reasonForNone()
	case t.full == t.should:
		return v1alpha1.ReasonAllNodes
	case t.up == 0:
		return v1alpha1.ReasonNoNode
	default:
		return v1alpha1.ReasonSomeNodes
	}
}

// reasonForNone is the reason of the node that came furthest.
func (t *tally) reasonForNone() string {
	reason := v1alpha1.ReasonNoNode
	for _, why := range whys {
		if t.why[why] {
			reason = reasonOf[why]
		}
	}
	return reason
}

// ApplyAnnounced writes the condition and says whether that changed anything.
func ApplyAnnounced(service *corev1.Service, reason string) bool {
	return set(&service.Status.Conditions, v1alpha1.ConditionAnnounced, service.Generation, announcedVerdicts[reason])
}

// SaysAnnounced says whether the Service's condition has the reason already.
func SaysAnnounced(service *corev1.Service, reason string) bool {
	condition := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionAnnounced)
	return condition != nil && condition.Reason == reason
}

// TransitionOfAnnounced says which event a change of the condition is worth:
// that a Service is no longer announced, or is again.
func TransitionOfAnnounced(before, after *corev1.Service) (Transition, bool) {
	old := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionAnnounced)
	now := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionAnnounced)
	if now == nil || old == nil || old.Status == now.Status {
		return Transition{}, false
	}
	return Transition{Warning: now.Status != metav1.ConditionTrue, Reason: now.Reason, Message: now.Message}, true
}
