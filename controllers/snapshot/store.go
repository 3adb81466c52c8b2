package snapshot

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Store collects trimmed objects, event by event. Every Set and Delete says
// whether anything changed that a configuration can depend on, so that
// heartbeats, foreign labels and other nodes' endpoints cause no compile at all.
// It is safe for concurrent use.
type Store struct {
	mu sync.Mutex
	// shared says that a Snapshot holds the map: it is cloned before the next write.
	servicesShared, namespacesShared, slicesShared, gatesShared bool

	// next is handed out by Snapshot. Its Node lags behind latestNode while only
	// labels and annotations differ that nobody reads.
	next       Snapshot
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
			Services:   map[types.NamespacedName]*Service{},
			Slices:     map[types.NamespacedName]map[string]*Slice{},
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

// Snapshot is the present state, immutable. It costs nothing until the next
// write, which clones the one map that it changes.
func (s *Store) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servicesShared, s.namespacesShared, s.slicesShared, s.gatesShared = true, true, true, true
	return s.marked()
}

// SetService takes a Service, or nil for one that has nothing to announce now.
func (s *Store) SetService(key types.NamespacedName, service *Service) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.next.Services[key]
	if service == nil {
		return old != nil && s.dropService(key)
	}
	if old != nil && old.equal(service) && s.read.ofServices.Same(old.Labels, service.Labels) {
		if !maps.Equal(old.Labels, service.Labels) {
			s.writableServices(key)[key] = service // a selector that comes may read them
		}
		return false
	}
	s.carryGate(old, service)
	s.writableServices(key)[key] = service
	if slices, found := s.strangers[key]; found {
		s.writableSlices(key)[key] = slices
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
	return s.next.Services[key] != nil && s.dropService(key)
}

func (s *Store) dropService(key types.NamespacedName) bool {
	delete(s.writableServices(key), key)
	if slices, found := s.next.Slices[key]; found {
		delete(s.writableSlices(key), key)
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
	if s.next.Services[service] != nil {
		return s.next.Slices[service]
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
	known := s.next.Services[service] != nil
	all := s.strangers
	if known {
		all = s.writableSlices(service)
	}
	if len(edited) == 0 {
		delete(all, service)
	} else {
		all[service] = edited
	}
	return known
}

func (s *Slice) equal(other *Slice) bool {
	return s.Family == other.Family && s.Usable == other.Usable && slices.Equal(s.Nodes, other.Nodes) && slices.Equal(s.Ready, other.Ready)
}

// writableServices is for a change of one.
func (s *Store) writableServices(key types.NamespacedName) map[types.NamespacedName]*Service {
	s.changed(key)
	if s.servicesShared {
		s.next.Services, s.servicesShared = maps.Clone(s.next.Services), false
	}
	return s.next.Services
}

// writableSlices is for a change of one Service's.
func (s *Store) writableSlices(service types.NamespacedName) map[types.NamespacedName]map[string]*Slice {
	s.changed(service)
	if s.slicesShared {
		s.next.Slices, s.slicesShared = maps.Clone(s.next.Slices), false
	}
	return s.next.Slices
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
