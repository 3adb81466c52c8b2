package snapshot

import (
	"iter"
	"maps"
	"net/netip"

	"k8s.io/apimachinery/pkg/types"
)

// IsOpen says whether the state lets a Service be announced.
func (g GateState) IsOpen() bool { return g == GateOpen || g == GateTimedOut }

// Opened are gates that have just opened, or tell something else of why they are
// closed. No state closes a gate that is open.
type Opened struct {
	Cluster, Relay GateState
	Local          map[types.NamespacedName]GateState
}

// OpenGates opens gates and says whether any of them was closed before, or tells
// something else now.
func (s *Store) OpenGates(opened Opened) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.openGates(opened)
}

func (s *Store) openGates(opened Opened) bool {
	if s.next.Gates == nil {
		return false // every gate is open
	}
	changed := false
	if opened.Cluster.IsOpen() && !s.next.Gates.Cluster.IsOpen() {
		s.writableGates().Cluster, changed = opened.Cluster, true
		s.everythingChanged()
	}
	// What has timed out may still open for good.
	if before := s.next.Gates.Relay; opened.Relay.IsOpen() && before != opened.Relay && before != GateOpen {
		gates := s.writableGates()
		gates.Relay, gates.Announced, changed = opened.Relay, nil, true
		s.everythingChanged()
	}
	for key, state := range opened.Local {
		if before := s.next.Gates.Local[key]; before != state && !before.IsOpen() {
			s.writableGates().Local[key], changed = state, true
			s.changed(key)
		}
	}
	return changed
}

func (s *Store) writableGates() *Gates {
	if s.gatesShared {
		gates := *s.next.Gates
		gates.Local = maps.Clone(gates.Local)
		s.next.Gates, s.gatesShared = &gates, false
	}
	if s.next.Gates.Local == nil {
		s.next.Gates.Local = map[types.NamespacedName]GateState{}
	}
	return s.next.Gates
}

// carryGate keeps a Service announced that is announced already, by this agent
// or (Applied) by the one before it, when it gets another address or another
// traffic policy, and says that it is so for good. From Cluster to Local the
// Service takes the open gate along. From Local to Cluster the node's gate opens
// with it: kube-proxy answers a Service's health check only once its rules are
// in the kernel.
func (s *Store) carryGate(old, service *Service) {
	if s.next.Gates == nil {
		return
	}
	state := s.appliedGate(service)
	if s.gatesOff() {
		state = GateOpen
	}
	if old != nil && !state.IsOpen() {
		if state = s.next.Gates.Cluster; old.Local {
			state = s.next.Gates.Local[old.Key]
		}
	}
	if service.Local {
		s.openGates(Opened{Local: map[types.NamespacedName]GateState{service.Key: state}})
	} else {
		s.openGates(Opened{Cluster: state})
	}
}

// appliedGate is open for a Service of which an address is applied.
func (s *Store) appliedGate(service *Service) GateState {
	if s.next.Applied == nil {
		return GateClosed
	}
	for _, address := range service.Addresses {
		if _, found := s.next.Applied.Prefixes[netip.PrefixFrom(address, address.BitLen())]; found {
			return GateOpen
		}
	}
	return GateClosed
}

// SetAnnounced takes what the node announces now: the relay's gate doesn't take it away
// where a FlowPolicy comes to select it. No change that needs a compile.
func (s *Store) SetAnnounced(prefixes iter.Seq[netip.Prefix]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next.Gates == nil || s.next.Gates.Relay.IsOpen() {
		return
	}
	announced := map[netip.Prefix]struct{}{}
	for prefix := range prefixes {
		announced[prefix] = struct{}{}
	}
	if !maps.Equal(announced, s.next.Gates.Announced) {
		s.writableGates().Announced = announced
		s.everythingChanged()
	}
}

func (s *Store) dropGate(key types.NamespacedName) {
	if s.next.Gates == nil {
		return
	}
	if _, found := s.next.Gates.Local[key]; found {
		delete(s.writableGates().Local, key)
		s.changed(key)
	}
}

// SetApplied replaces what the last accepted configuration held. It is not a
// change that needs a compile: it is the outcome of one.
func (s *Store) SetApplied(applied *Applied) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next.Applied = applied
	s.everythingChanged()
}
