package snapshot

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Settings are what the Herald object says to every node. Nil is every default.
type Settings struct {
	// Class of the Services that are Herald's; empty: the default.
	Class string
	// LeaveClassless: Services without a class are somebody else's.
	LeaveClassless bool
	// IgnoreExcludeLabel: the node announces although it is Excluded.
	IgnoreExcludeLabel bool
	// Protected is never received, beside what the cluster has.
	Protected []netip.Prefix
	// GatesOff: every gate is open, for good.
	GatesOff bool
	// GateTimeout is how long nothing may answer; 0: the default.
	GateTimeout time.Duration
	// NodeSelector of the nodes that Herald runs on.
	NodeSelector map[string]string
	// Leaving: Herald is being uninstalled, and nothing can stop that, or it has been.
	Leaving bool
	// PathMTUOff: the path MTU relay is off.
	PathMTUOff bool
	// Flows are the tunnel and limits of flow preservation.
	Flows FlowSettings
	// Drain has the time limits of drains.
	Drain DrainLimits
	// DrainBy is what drains nodes.
	DrainBy DrainTriggers
}

// FlowSettings of the Herald object; 0: the default.
type FlowSettings struct {
	Port, MTU, FloodsPerSecond, LearnedFlows int32
}

// SettingsOf a Herald object, nil where there is none.
func SettingsOf(herald *v1alpha1.Herald) *Settings {
	if herald == nil || herald.Name != v1alpha1.HeraldName {
		return nil
	}
	spec := &herald.Spec
	settings := &Settings{
		Drain: drainLimits(&spec.Drain), DrainBy: drainTriggers(&spec.Drain),
		Class: spec.LoadBalancerClass, LeaveClassless: spec.ClaimClassless != nil && !*spec.ClaimClassless,
		IgnoreExcludeLabel: spec.IgnoreExcludeLabel, GatesOff: spec.AnnounceGate.Mode == v1alpha1.AnnounceGateOff,
	}
	if timeout := spec.AnnounceGate.Timeout; timeout != nil {
		settings.GateTimeout = timeout.Duration
	}
	settings.NodeSelector = spec.NodeSelector
	// A deletion that isn't confirmed may be refused for good.
	settings.Leaving = !herald.DeletionTimestamp.IsZero() && herald.Annotations[v1alpha1.AnnotationConfirmDelete] == "true"
	settings.PathMTUOff = spec.PathMTURelay != nil && !*spec.PathMTURelay
	settings.Flows = FlowSettings{
		Port: ptr.Deref(spec.FlowPreservation.Tunnel.Port, 0), MTU: ptr.Deref(spec.FlowPreservation.Tunnel.MTU, 0),
		FloodsPerSecond: ptr.Deref(spec.FlowPreservation.Limits.FloodsPerSecond, 0), LearnedFlows: ptr.Deref(spec.FlowPreservation.Limits.LearnedFlows, 0),
	}
	for _, cidr := range spec.ProtectedCIDRs {
		settings.Protected = append(settings.Protected, parsePrefixes([]string{string(cidr)})...)
	}
	return settings
}

// NoHerald is what an agent goes by where there is no Herald object: every default, but
// nothing is relayed. It runs by the object's DaemonSet: Herald has been uninstalled.
func NoHerald() *Settings {
	herald := &v1alpha1.Herald{}
	herald.Name = v1alpha1.HeraldName
	settings := SettingsOf(herald)
	settings.Leaving = true
	return settings
}

// LoadBalancerClass of the Services that are Herald's.
func (s *Settings) LoadBalancerClass() string {
	if s == nil || s.Class == "" {
		return v1alpha1.DefaultLoadBalancerClass
	}
	return s.Class
}

// Claims says whether Services of a class, nil for none, are Herald's. This is
// decided nowhere else.
func (s *Settings) Claims(class *string) bool {
	if class == nil {
		return s == nil || !s.LeaveClassless
	}
	return *class == s.LoadBalancerClass()
}

// IsHeralds says whether a Service is Herald's: it is of type LoadBalancer, and
// Herald claims its class.
func (s *Settings) IsHeralds(service *corev1.Service) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Claims(service.Spec.LoadBalancerClass)
}

// SameClaims says whether the same Services are Herald's.
func (s *Settings) SameClaims(other *Settings) bool {
	return s.LoadBalancerClass() == other.LoadBalancerClass() && s.Claims(nil) == other.Claims(nil)
}

// RunsOn says whether Herald runs on a node of these labels. Taints don't matter: a
// pod stays where one comes.
func (s *Settings) RunsOn(labels map[string]string) bool {
	if s == nil {
		return true
	}
	for key, value := range s.NodeSelector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// RelaysPathMTU says whether ICMP messages about the path MTU are relayed.
func (s *Settings) RelaysPathMTU() bool { return s == nil || !s.PathMTUOff && !s.Leaving }

// Leaves says whether Herald is being uninstalled, or is.
func (s *Settings) Leaves() bool { return s != nil && s.Leaving }

// Excludes says whether a node announces nothing because of its label.
func (s *Settings) Excludes(node *Node) bool {
	return node.Excluded && (s == nil || !s.IgnoreExcludeLabel)
}

// ProtectedPrefixes are those of the Herald object.
func (s *Settings) ProtectedPrefixes() []netip.Prefix {
	if s == nil {
		return nil
	}
	return s.Protected
}

func (s *Settings) equal(other *Settings) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.SameClaims(other) && s.IgnoreExcludeLabel == other.IgnoreExcludeLabel && s.GatesOff == other.GatesOff &&
		s.GateTimeout == other.GateTimeout && s.Drain == other.Drain && s.DrainBy.equal(other.DrainBy) && slices.Equal(s.Protected, other.Protected) &&
		maps.Equal(s.NodeSelector, other.NodeSelector) && s.PathMTUOff == other.PathMTUOff && s.Leaving == other.Leaving && s.Flows == other.Flows
}

// SetSettings takes those of the Herald object, nil where there is none. Gates that
// it opens stay open when it closes no more: what is announced stays so.
func (s *Store) SetSettings(settings *Settings) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next.Settings.equal(settings) {
		return false
	}
	s.next.Settings = settings
	s.refreshNodes()
	if s.gatesOff() {
		s.openGates(Opened{Cluster: GateOpen, Relay: GateOpen})
		for _, service := range s.services.View().All() {
			s.carryGate(nil, service)
		}
	}
	return true
}

func (s *Store) gatesOff() bool { return s.next.Settings != nil && s.next.Settings.GatesOff }
