package snapshot

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

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
}

// Others are the nodes that could take over from a draining one.
type Others struct {
	// Since is when this node's drain began, as the others read it; zero: they can't
	// yet.
	Since time.Time
	// Nodes that are alive and have a session with a router, without this one, sorted.
	Nodes []Other
	// Slices of all Services, with every node's endpoints.
	Slices map[types.NamespacedName]map[string]*Slice
}

// Other is another node.
type Other struct {
	Node *Node
	// Drains: it gives its routes up too, and has said so since Since; zero: it hasn't.
	Drains bool
	Since  time.Time
}

// Trigger is what drains a node.
type Trigger struct {
	// What it is, for example "annotation herald-lb.io/drain".
	What string
	// Why, in the user's words; may be empty.
	Why string
}

// DrainTrigger says what drains a node; nil: nothing does.
func (s *Settings) DrainTrigger(node *Node) *Trigger {
	if why, found := node.Annotations[v1alpha1.AnnotationDrain]; found && why != "false" {
		if why == "true" {
			why = ""
		}
		return &Trigger{What: "annotation " + v1alpha1.AnnotationDrain, Why: why}
	}
	return nil
}

// sameTriggers says whether the same drains two states of a node.
func sameTriggers(a, b *Node) bool {
	return drainKeys.Same(a.Annotations, b.Annotations)
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
