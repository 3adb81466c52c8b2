package snapshot

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// readLabels are the keys of the labels that selectors read: no other label
// makes a difference.
type readLabels struct {
	ofNodes, ofPeers, ofServices, ofNamespaces labelKeys
	// namespaces: some selector looks at Namespaces, and be it at no label.
	namespaces bool
}

type labelKeys map[string]struct{}

func (k labelKeys) add(selectors []metav1.LabelSelector) {
	for i := range selectors {
		for key := range selectors[i].MatchLabels {
			k[key] = struct{}{}
		}
		for j := range selectors[i].MatchExpressions {
			k[selectors[i].MatchExpressions[j].Key] = struct{}{}
		}
	}
}

// same says whether two objects' labels are the same as far as they are read.
func (k labelKeys) same(a, b map[string]string) bool {
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
	s.read = readLabels{ofNodes: labelKeys{}, ofPeers: labelKeys{}, ofServices: labelKeys{}, ofNamespaces: labelKeys{}}
	for _, peer := range s.peers {
		s.read.ofNodes.add(peer.Spec.NodeSelectors)
	}
	for _, advertisement := range s.advertisements {
		spec := &advertisement.Spec
		s.read.ofNodes.add(spec.NodeSelectors)
		s.read.ofPeers.add(spec.PeerSelectors)
		s.read.ofServices.add(spec.ServiceSelectors)
		s.read.ofNamespaces.add(spec.NamespaceSelectors)
		s.read.namespaces = s.read.namespaces || len(spec.NamespaceSelectors) > 0
	}
	s.refreshNode()
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
	return s.read.namespaces && (old == nil || !s.read.ofNamespaces.same(old.Labels, namespace.Labels))
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
	if s.namespacesShared {
		s.next.Namespaces, s.namespacesShared = maps.Clone(s.next.Namespaces), false
	}
	return s.next.Namespaces
}
