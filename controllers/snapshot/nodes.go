package snapshot

import (
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// ClusterNode is a node of the cluster, as the others see it.
type ClusterNode struct {
	Name   string
	Labels map[string]string
	// Addresses are the InternalIPs, in the order of the Node's status.
	Addresses []netip.Addr
}

// ClusterNodeOf keeps of a Node what matters to other nodes.
func ClusterNodeOf(node *corev1.Node) *ClusterNode {
	return &ClusterNode{Name: node.Name, Labels: node.Labels, Addresses: TrimNode(node).Addresses}
}

// NodesOf are those that Herald runs on, by its settings.
func NodesOf(all []*ClusterNode, settings *Settings) []*ClusterNode {
	return slices.DeleteFunc(slices.Clone(all), func(n *ClusterNode) bool { return !settings.RunsOn(n.Labels) })
}

// SetNodes takes all Nodes of the cluster, sorted by name.
func (s *Store) SetNodes(all []*ClusterNode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latestNodes = slices.Clone(all)
	if s.latestNodes == nil {
		s.latestNodes = []*ClusterNode{}
	}
	return s.refreshNodes()
}

func (s *Store) refreshNodes() bool {
	if s.latestNodes == nil {
		return false // unknown
	}
	nodes := NodesOf(s.latestNodes, s.next.Settings)
	if s.next.Nodes != nil && slices.EqualFunc(s.next.Nodes, nodes, (*ClusterNode).equal) {
		return false
	}
	s.next.Nodes = nodes
	return true
}

// equal leaves out the labels: they have selected the node already.
func (n *ClusterNode) equal(other *ClusterNode) bool {
	return n.Name == other.Name && slices.Equal(n.Addresses, other.Addresses)
}

// Same says whether nothing of a node has changed.
func (n *ClusterNode) Same(other *ClusterNode) bool {
	return n.equal(other) && maps.Equal(n.Labels, other.Labels)
}
