package snapshot

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/bigmap"
)

// Store collects trimmed objects, event by event. Every Set and Delete says
// whether anything changed that a configuration can depend on, so that
// heartbeats, foreign labels and other nodes' endpoints cause no compile at all.
// It is safe for concurrent use.
type Store struct {
	mu sync.Mutex
	// shared says that a Snapshot holds the map: it is cloned before the next write.
	namespacesShared, gatesShared bool

	// next is handed out by Snapshot, with the Views of services and slices. Its Node
	// lags behind latestNode while only labels and annotations differ that nobody reads.
	next       Snapshot
	services   bigmap.Map[types.NamespacedName, *Service]
	slices     bigmap.Map[types.NamespacedName, map[string]*Slice]
	latestNode *Node
	read       readLabels
	// latestNetwork is the whole of what next.Network has a part of.
	latestNetwork *Network
	readNetwork   readNetwork

	pools          map[string]*v1alpha1.IPAddressPool
	peers          map[string]*v1alpha1.BGPPeer
	advertisements map[string]*v1alpha1.BGPAdvertisement
	communities    map[string]*v1alpha1.Community
	profiles       map[string]*v1alpha1.BFDProfile
	snippets       map[string]*v1alpha1.FRRSnippet
	flows          map[string]*v1alpha1.FlowPolicy
	// latestNodes are all Nodes of the cluster, sorted by name; nil: not known.
	latestNodes []*ClusterNode
	// strangers are the slices of Services that are not in next.Services:
	// EndpointSlices often come before their Service has its address.
	strangers map[types.NamespacedName]map[string]*Slice
}

// NewStore makes an empty Store of a node with the given gates, host and last
// accepted configuration (nil: none since boot).
func NewStore(gates *Gates, host Host, applied *Applied) *Store {
	return &Store{
		next: Snapshot{
			Secrets:    map[string]*Secret{},
			Namespaces: map[string]*Namespace{},
			Gates:      gates, Host: host, Applied: applied,
		},
		pools:          map[string]*v1alpha1.IPAddressPool{},
		peers:          map[string]*v1alpha1.BGPPeer{},
		advertisements: map[string]*v1alpha1.BGPAdvertisement{},
		communities:    map[string]*v1alpha1.Community{},
		profiles:       map[string]*v1alpha1.BFDProfile{},
		snippets:       map[string]*v1alpha1.FRRSnippet{},
		flows:          map[string]*v1alpha1.FlowPolicy{},
		strangers:      map[types.NamespacedName]map[string]*Slice{},
	}
}

// Snapshot is the present state, immutable. It costs next to nothing until the next
// write, which clones the one map that it changes, or the part of it.
func (s *Store) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.namespacesShared, s.gatesShared = true, true
	s.next.Services, s.next.Slices = s.services.View(), s.slices.View()
	return s.marked()
}

// SetService takes a Service, or nil for one that has nothing to announce now.
func (s *Store) SetService(key types.NamespacedName, service *Service) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.services.Get(key)
	if service == nil {
		return old != nil && s.dropService(key)
	}
	if old != nil && old.equal(service) && s.read.ofServices.Same(old.Labels, service.Labels) {
		if !maps.Equal(old.Labels, service.Labels) {
			s.setService(key, service) // a selector that comes may read them
		}
		return false
	}
	s.carryGate(old, service)
	s.setService(key, service)
	if slices, found := s.strangers[key]; found {
		s.slices.Set(key, slices)
		delete(s.strangers, key)
	}
	return true
}

// DeleteService forgets a Service and its gate: another Service of that name
// starts anew.
func (s *Store) DeleteService(key types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropGate(key)
	return s.services.Get(key) != nil && s.dropService(key)
}

func (s *Store) dropService(key types.NamespacedName) bool {
	s.changed(key)
	s.services.Delete(key)
	if slices := s.slices.Get(key); slices != nil {
		s.slices.Delete(key)
		s.strangers[key] = slices
	}
	return true
}

// equal compares all but the labels.
func (s *Service) equal(other *Service) bool {
	return ptr.Equal(s.Class, other.Class) && s.Local == other.Local && s.HealthCheckNodePort == other.HealthCheckNodePort &&
		s.OtherProxy == other.OtherProxy &&
		slices.Equal(s.Addresses, other.Addresses) && slices.Equal(s.Ports, other.Ports)
}

// SetSlice takes an EndpointSlice of a Service, or nil for one without addresses.
func (s *Store) SetSlice(service types.NamespacedName, name string, slice *Slice) bool {
	if slice == nil {
		return s.DeleteSlice(service, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.slicesOf(service)[name]; old != nil && old.equal(slice) {
		return false
	}
	return s.replaceSlices(service, func(slices map[string]*Slice) { slices[name] = slice })
}

// DeleteSlice forgets an EndpointSlice of a Service.
func (s *Store) DeleteSlice(service types.NamespacedName, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slicesOf(service)[name] == nil {
		return false
	}
	return s.replaceSlices(service, func(slices map[string]*Slice) { delete(slices, name) })
}

func (s *Store) slicesOf(service types.NamespacedName) map[string]*Slice {
	if s.services.Get(service) != nil {
		return s.slices.Get(service)
	}
	return s.strangers[service]
}

// replaceSlices edits a copy of a Service's slices: the old map may be in a
// Snapshot. It says whether the Service is one that matters.
func (s *Store) replaceSlices(service types.NamespacedName, edit func(map[string]*Slice)) bool {
	edited := maps.Clone(s.slicesOf(service))
	if edited == nil {
		edited = map[string]*Slice{}
	}
	edit(edited)
	known := s.services.Get(service) != nil
	switch {
	case known && len(edited) == 0:
		s.slices.Delete(service)
	case known:
		s.slices.Set(service, edited)
	case len(edited) == 0:
		delete(s.strangers, service)
	default:
		s.strangers[service] = edited
	}
	if known {
		s.changed(service)
	}
	return known
}

func (s *Slice) equal(other *Slice) bool {
	return s.Family == other.Family && s.Usable == other.Usable && slices.Equal(s.Nodes, other.Nodes) && slices.Equal(s.Ready, other.Ready)
}

func (s *Store) setService(key types.NamespacedName, service *Service) {
	s.changed(key)
	s.services.Set(key, service)
}

// SetSecret takes a Secret of the namespace of Herald's secrets.
func (s *Store) SetSecret(name string, secret *Secret) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.next.Secrets[name]; old != nil && *old == *secret {
		return false
	}
	s.next.Secrets = maps.Clone(s.next.Secrets)
	s.next.Secrets[name] = secret
	return true
}

// DeleteSecret forgets a Secret.
func (s *Store) DeleteSecret(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next.Secrets[name] == nil {
		return false
	}
	s.next.Secrets = maps.Clone(s.next.Secrets)
	delete(s.next.Secrets, name)
	return true
}

// SetNode takes the node itself. Only its addresses matter, whether it may
// announce at all, those labels that a node selector reads, and the labels and
// annotations that a peer has values from.
func (s *Store) SetNode(node *Node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latestNode = node
	return s.refreshNode()
}

// DeleteNode forgets the node: nothing can be compiled until it is back.
func (s *Store) DeleteNode() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.next.Node != nil
	s.latestNode, s.next.Node = nil, nil
	return known
}

func (s *Store) refreshNode() bool {
	old, latest := s.next.Node, s.latestNode
	if latest == nil || (old != nil && s.sameNode(old, latest)) {
		return false
	}
	s.next.Node = latest
	return true
}

func (s *Store) sameNode(a, b *Node) bool {
	return a.Name == b.Name && a.Excluded == b.Excluded && a.NetworkUnavailable == b.NetworkUnavailable && sameTriggers(a, b) &&
		slices.Equal(a.Addresses, b.Addresses) && s.read.ofNodes.Same(a.Labels, b.Labels) &&
		s.read.annotationsOfNodes.Same(a.Annotations, b.Annotations)
}

// NodeAddresses are the node's InternalIPs; nil while the node is not known.
func (s *Store) NodeAddresses() []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latestNode == nil {
		return nil
	}
	return s.latestNode.Addresses
}
