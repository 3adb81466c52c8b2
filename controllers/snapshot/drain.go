package snapshot

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// DrainStage is what a draining node does with its routes.
type DrainStage uint8

// The stages that make a difference to the configuration.
const (
	DrainNone DrainStage = iota
	// DrainGraceful: routes say GRACEFUL_SHUTDOWN (RFC 8326).
	DrainGraceful
	// DrainWithdrawn: only routes that no other node can announce are left.
	DrainWithdrawn
)

// Drain is how far the node's drain is. The zero value is none.
type Drain struct {
	Stage DrainStage
	// Held is what was applied when the node's agent began: while the Others are not
	// known, a node that has withdrawn goes on with that and with nothing else.
	Held *Applied
	// Kept is nil where the node has nothing left to keep. It is replaced, never changed.
	Kept *Kept
}

// Kept are the routes that a node goes on announcing though it has withdrawn, each
// with who has been able to take it over for long enough to announce it, sorted. Of any
// other route whoever is able to counts at once.
type Kept map[Route][]Taker

// Route is one address of a Service in one VRF, by whatever prefix.
type Route struct {
	Service types.NamespacedName
	Address netip.Addr
	VRF     string
}

// Compare orders by the Service, the address and the VRF.
func (r Route) Compare(other Route) int {
	return cmp.Or(cmp.Compare(r.Service.Namespace, other.Service.Namespace), cmp.Compare(r.Service.Name, other.Service.Name),
		r.Address.Compare(other.Address), cmp.Compare(r.VRF, other.VRF))
}

// Taker is a way by which another node is able to announce a route: to a BGPPeer.
type Taker struct {
	Node, Peer string
}

// Compare orders by the node and the peer.
func (t Taker) Compare(other Taker) int {
	return cmp.Or(cmp.Compare(t.Node, other.Node), cmp.Compare(t.Peer, other.Peer))
}

// ListID tells lists of Takers apart without looking into them, which routes share.
type ListID struct {
	first *Taker
	count int
}

// IDOf a list.
func IDOf(takers []Taker) ListID {
	if len(takers) == 0 {
		return ListID{}
	}
	return ListID{first: &takers[0], count: len(takers)}
}

// Proven are those that count for a route; false: it isn't kept, and all do.
func (k *Kept) Proven(route Route) ([]Taker, bool) {
	if k == nil {
		return nil, false
	}
	proven, kept := (*k)[route]
	return proven, kept
}

// Counts says whether who is able to announce a route counts as one that does.
func (k *Kept) Counts(route Route, taker Taker) bool {
	proven, kept := k.Proven(route)
	return !kept || slices.Contains(proven, taker)
}

// Others are the nodes that could take over from a draining one.
type Others struct {
	// Since is when this node's drain began, as the others read it; zero: they can't
	// yet.
	Since time.Time
	// Nodes without this one, sorted.
	Nodes []Other
	// Slices of all Services, with every node's endpoints.
	Slices map[types.NamespacedName]map[string]*Slice
}

// Other is another node.
type Other struct {
	Node *Node
	// Lacks is why it takes nothing over, whatever its sessions are.
	Lacks Lack
	// Drains: it gives its routes up too, and has said so since Since; zero: it hasn't.
	Drains bool
	Since  time.Time
	// Sessions are the BGPPeers with which it has an Established session.
	Sessions map[string]struct{}
}

// Lack is what another node lacks to take a route over.
type Lack uint8

// What it lacks, the least first. Those from LackDrains on are of the node itself: it takes
// nothing over.
const (
	// LackNothing: it takes it over.
	LackNothing Lack = iota
	// LackTime: it hasn't been able to for long enough.
	LackTime
	// LackSession: it has no Established session with a peer that would get the route.
	LackSession
	// LackDrains: it drains too, and this one began later.
	LackDrains
	// LackDataplane: its dataplane or relay isn't ready for what it should announce.
	LackDataplane
	// LackProgrammed: its FRR doesn't run what it should.
	LackProgrammed
	// LackReady: agent, reloader or FRR aren't alive.
	LackReady
	// LackNode: its Kubernetes Node isn't Ready.
	LackNode
	// LackRoute: no BGPAdvertisement announces the route there to a BGPPeer.
	LackRoute
	// LackReport: it has no BGPNode.
	LackReport
)

// Trigger is what drains a node.
type Trigger struct {
	// What it is, for example "annotation herald-lb.io/drain".
	What string
	// Why, in the user's words; may be empty.
	Why string
}

// DrainTriggers are what drains a node beside its annotation. The zero value is the
// Herald object's default.
type DrainTriggers struct {
	// Taints; nil: those of autoscalers.
	Taints      []v1alpha1.DrainTaint
	OnCordon    bool
	ShutdownOff bool
	FRRStopOff  bool
}

// autoscalers put these on a node that they are about to remove.
var autoscalers = []v1alpha1.DrainTaint{{Key: "ToBeDeletedByClusterAutoscaler"}, {Key: "karpenter.sh/disrupted"}}

func drainTriggers(spec *v1alpha1.Drain) DrainTriggers {
	return DrainTriggers{
		Taints: spec.Taints, OnCordon: spec.OnCordon, ShutdownOff: !ptr.Deref(spec.OnShutdown, true), FRRStopOff: !ptr.Deref(spec.OnFRRStop, true),
	}
}

func (t DrainTriggers) equal(other DrainTriggers) bool {
	return t.OnCordon == other.OnCordon && t.ShutdownOff == other.ShutdownOff && t.FRRStopOff == other.FRRStopOff &&
		(t.Taints == nil) == (other.Taints == nil) && equality.Semantic.DeepEqual(t.Taints, other.Taints)
}

// of says what of these drains a node; nil: nothing.
func (t DrainTriggers) of(node *Node) *Trigger {
	selected := t.Taints
	if selected == nil {
		selected = autoscalers
	}
	for i := range node.Taints {
		taint := &node.Taints[i]
		if slices.ContainsFunc(selected, func(s v1alpha1.DrainTaint) bool { return selects(s, taint) }) {
			return &Trigger{What: "taint " + taint.ToString()}
		}
	}
	switch {
	case t.OnCordon && node.Cordoned:
		return &Trigger{What: "cordon (spec.unschedulable)"}
	case !t.ShutdownOff && node.ShuttingDown:
		return &Trigger{What: "the kubelet's graceful shutdown"}
	}
	return nil
}

func selects(s v1alpha1.DrainTaint, taint *corev1.Taint) bool {
	return s.Key == taint.Key && (s.Value == nil || *s.Value == taint.Value) && (s.Effect == "" || s.Effect == taint.Effect)
}

// shuttingDown is what the kubelet says in the condition Ready while it shuts down
// gracefully (KEP-2000); the condition's reason is that of any other cause.
const shuttingDown = "node is shutting down"

// IsShuttingDown says whether a Node's kubelet says that it shuts down.
func IsShuttingDown(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue && strings.Contains(c.Message, shuttingDown)
	})
}

// DrainTrigger says what drains the snapshot's node; nil: nothing does. What ends FRR
// for a moment only comes last, and counts for nothing where the routers keep the
// routes of a restarting FRR.
func (s *Snapshot) DrainTrigger() *Trigger {
	if trigger := s.Settings.DrainTrigger(s.Node); trigger != nil || !s.FRREnds || s.Settings != nil && s.Settings.DrainBy.FRRStopOff {
		return trigger
	}
	mine, resets := 0, 0
	for _, peer := range s.Peers {
		if selectsNode(peer.Spec.NodeSelectors, s.Node) {
			mine++
			if !peer.Spec.EnableGracefulRestart {
				resets++
			}
		}
	}
	if mine > 0 && resets == 0 {
		return nil
	}
	return &Trigger{What: "the end of FRR's pod"}
}

// selectsNode: none selects all; one that isn't valid, which its object says, none.
func selectsNode(selectors []metav1.LabelSelector, node *Node) bool {
	return len(selectors) == 0 || slices.ContainsFunc(selectors, func(s metav1.LabelSelector) bool {
		selector, err := metav1.LabelSelectorAsSelector(&s)
		return err == nil && selector.Matches(labels.Set(node.Labels))
	})
}

// DrainTrigger says what drains a node; nil: nothing does. The annotation comes first:
// it has words.
func (s *Settings) DrainTrigger(node *Node) *Trigger {
	if why, found := node.Annotations[v1alpha1.AnnotationDrain]; found && why != "false" {
		if why == "true" {
			why = ""
		}
		return &Trigger{What: "annotation " + v1alpha1.AnnotationDrain, Why: why}
	}
	triggers := DrainTriggers{}
	if s != nil {
		triggers = s.DrainBy
	}
	return triggers.of(node)
}

// sameTriggers says whether the same may drain two states of a node.
func sameTriggers(a, b *Node) bool {
	return drainKeys.Same(a.Annotations, b.Annotations) && a.Cordoned == b.Cordoned && a.ShuttingDown == b.ShuttingDown &&
		slices.EqualFunc(a.Taints, b.Taints, func(x, y corev1.Taint) bool {
			return x.Key == y.Key && x.Value == y.Value && x.Effect == y.Effect
		})
}

var drainKeys = Keys{v1alpha1.AnnotationDrain: {}}

// DrainLimits are the time limits of a drain.
type DrainLimits struct {
	// Converge is how long routers get to follow, Connections how long connections
	// get to end.
	Converge, Connections time.Duration
}

// The defaults of the Herald object's spec.drain.
const (
	DefaultConvergeTime      = 10 * time.Second
	DefaultConnectionTimeout = 5 * time.Minute
)

// DrainLimits of the Herald object.
func (s *Settings) DrainLimits() DrainLimits {
	if s == nil {
		return drainLimits(&v1alpha1.Drain{})
	}
	return s.Drain
}

func drainLimits(spec *v1alpha1.Drain) DrainLimits {
	limits := DrainLimits{Converge: DefaultConvergeTime, Connections: DefaultConnectionTimeout}
	if spec.ConvergeTime != nil {
		limits.Converge = spec.ConvergeTime.Duration
	}
	if spec.ConnectionTimeout != nil {
		limits.Connections = spec.ConnectionTimeout.Duration
	}
	return limits
}

// IsReady says whether a Node's kubelet says that it is.
func IsReady(node *corev1.Node) bool {
	for i := range node.Status.Conditions {
		if condition := &node.Status.Conditions[i]; condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// SetOthers takes what is known of the other nodes, nil for nothing.
func (s *Store) SetOthers(others *Others) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next.Others == others {
		return false
	}
	s.next.Others = others
	return true
}

// SetFRREnds takes whether the node's pod of FRR ends.
func (s *Store) SetFRREnds(ends bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.next.FRREnds != ends
	s.next.FRREnds = ends
	return changed
}

// Holds says whether a prefix was applied.
func (a *Applied) Holds(prefix netip.Prefix) bool {
	_, found := a.Prefixes[prefix]
	return found
}

// Equal says whether two states of a Node are the same to whoever may read any of
// their labels and annotations.
func (n *Node) Equal(other *Node) bool {
	return n.Name == other.Name && n.Excluded == other.Excluded && n.NetworkUnavailable == other.NetworkUnavailable &&
		slices.Equal(n.Addresses, other.Addresses) && maps.Equal(n.Labels, other.Labels) && maps.Equal(n.Annotations, other.Annotations)
}

// Equal says whether two slices have the same endpoints.
func (s *Slice) Equal(other *Slice) bool { return s != nil && s.equal(other) }
