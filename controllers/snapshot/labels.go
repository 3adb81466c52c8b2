package snapshot

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// readLabels are the keys of the labels that selectors read, and of the labels
// and annotations that peers have values from: no others make a difference.
type readLabels struct {
	ofNodes, ofPeers, ofServices, ofNamespaces Keys
	annotationsOfNodes                         Keys
	// namespaces: some selector looks at Namespaces, and be it at no label.
	namespaces bool
}

// Keys are those of labels or annotations.
type Keys map[string]struct{}

func (k Keys) add(selectors []metav1.LabelSelector) {
	for i := range selectors {
		for key := range selectors[i].MatchLabels {
			k[key] = struct{}{}
		}
		for j := range selectors[i].MatchExpressions {
			k[selectors[i].MatchExpressions[j].Key] = struct{}{}
		}
	}
}

func (k Keys) addKey(key v1alpha1.NodeKey) {
	if key != "" {
		k[string(key)] = struct{}{}
	}
}

// AnnotationsRead are those of Nodes that peers have values from.
func AnnotationsRead(peers []*v1alpha1.BGPPeer) Keys {
	keys := Keys{}
	for _, peer := range peers {
		for _, value := range NodeValues(&peer.Spec) {
			keys.addKey(value.NodeAnnotation)
		}
	}
	return keys
}

// NodeValues are the places on the Node where a peer has values from.
func NodeValues(spec *v1alpha1.BGPPeerSpec) []v1alpha1.NodeValueSource {
	var all []v1alpha1.NodeValueSource
	if spec.MyASNFrom != nil {
		all = append(all, *spec.MyASNFrom)
	}
	for _, from := range addressSources(spec) {
		all = append(all, v1alpha1.NodeValueSource{NodeLabel: from.NodeLabel, NodeAnnotation: from.NodeAnnotation})
	}
	return all
}

func addressSources(spec *v1alpha1.BGPPeerSpec) []*v1alpha1.NodeAddressSource {
	all := []*v1alpha1.NodeAddressSource{spec.PeerAddressFrom, spec.SourceAddressFrom, spec.RouterIDFrom}
	return slices.DeleteFunc(all, func(from *v1alpha1.NodeAddressSource) bool { return from == nil })
}

// Same says whether two objects' labels or annotations are the same as far as they are read.
func (k Keys) Same(a, b map[string]string) bool {
	for key := range k {
		valueA, inA := a[key]
		valueB, inB := b[key]
		if inA != inB || valueA != valueB {
			return false
		}
	}
	return true
}

// selectorsChanged gathers the keys, and looks at the node again: a label that
// nobody read may matter now.
func (s *Store) selectorsChanged() {
	s.read = readLabels{ofNodes: Keys{}, annotationsOfNodes: Keys{}, ofPeers: Keys{}, ofServices: Keys{}, ofNamespaces: Keys{}}
	s.readNetwork = readNetwork{interfaces: Keys{}}
	for _, peer := range s.peers {
		for _, from := range addressSources(&peer.Spec) {
			s.readNetwork.add(from)
		}
		s.readNetwork.addGateway(peer.Spec.DefaultGateway)
		s.readNetwork.addInterface(peer.Spec.Interface)
		s.read.ofNodes.add(peer.Spec.NodeSelectors)
		for _, value := range NodeValues(&peer.Spec) {
			s.read.ofNodes.addKey(value.NodeLabel)
			s.read.annotationsOfNodes.addKey(value.NodeAnnotation)
		}
	}
	for _, snippet := range s.snippets {
		s.read.ofNodes.add(snippet.Spec.NodeSelectors)
	}
	for _, advertisement := range s.advertisements {
		spec := &advertisement.Spec
		s.read.ofNodes.add(spec.NodeSelectors)
		s.read.ofPeers.add(spec.PeerSelectors)
		s.read.ofServices.add(spec.ServiceSelectors)
		s.read.ofNamespaces.add(spec.NamespaceSelectors)
		s.read.namespaces = s.read.namespaces || len(spec.NamespaceSelectors) > 0
	}
	for _, policy := range s.flows {
		s.read.ofServices.add(policy.Spec.ServiceSelectors)
		s.read.ofNamespaces.add(policy.Spec.NamespaceSelectors)
		s.read.namespaces = s.read.namespaces || len(policy.Spec.NamespaceSelectors) > 0
	}
	s.refreshNode()
	s.refreshNetwork()
}

// SetNamespace takes a Namespace.
func (s *Store) SetNamespace(namespace *Namespace) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.next.Namespaces[namespace.Name]
	if old != nil && maps.Equal(old.Labels, namespace.Labels) {
		return false
	}
	s.writableNamespaces()[namespace.Name] = namespace
	return s.read.namespaces && (old == nil || !s.read.ofNamespaces.Same(old.Labels, namespace.Labels))
}

// DeleteNamespace forgets a Namespace.
func (s *Store) DeleteNamespace(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next.Namespaces[name] == nil {
		return false
	}
	delete(s.writableNamespaces(), name)
	return s.read.namespaces
}

func (s *Store) writableNamespaces() map[string]*Namespace {
	s.everythingChanged()
	if s.namespacesShared {
		s.next.Namespaces, s.namespacesShared = maps.Clone(s.next.Namespaces), false
	}
	return s.next.Namespaces
}
