package snapshot

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// Cluster is what the whole cluster has for itself.
type Cluster struct {
	// Prefixes are the nodes' InternalIPs and the CIDRs of pods and Services, each
	// address once: sorted, and as few as can be.
	Prefixes []netip.Prefix
}

// NodePrefixes are a Node's InternalIPs and the CIDRs of its pods.
func NodePrefixes(node *corev1.Node) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, entry := range node.Status.Addresses {
		if address, ok := parseAddress(entry.Address); ok && entry.Type == corev1.NodeInternalIP {
			prefixes = append(prefixes, netip.PrefixFrom(address, address.BitLen()))
		}
	}
	return append(prefixes, parsePrefixes(append(slices.Clone(node.Spec.PodCIDRs), node.Spec.PodCIDR))...)
}

// ServicePrefixes are the CIDRs of a ServiceCIDR.
func ServicePrefixes(cidr *networkingv1.ServiceCIDR) []netip.Prefix {
	return parsePrefixes(cidr.Spec.CIDRs)
}

func parsePrefixes(texts []string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			prefixes = append(prefixes, prefix.Masked())
		}
	}
	return prefixes
}

// Aggregate is the fewest prefixes with exactly these addresses, sorted.
func Aggregate(prefixes []netip.Prefix) []netip.Prefix {
	sorted := slices.Clone(prefixes)
	slices.SortFunc(sorted, netip.Prefix.Compare)
	var out []netip.Prefix
	for _, prefix := range sorted {
		if last := len(out) - 1; last >= 0 && out[last].Overlaps(prefix) {
			continue // the wider one comes first
		}
		out = append(out, prefix)
		for len(out) > 1 {
			whole, ok := joined(out[len(out)-2], out[len(out)-1])
			if !ok {
				break
			}
			out = append(out[:len(out)-2], whole)
		}
	}
	return out
}

// joined is the prefix of which two are the halves.
func joined(low, high netip.Prefix) (netip.Prefix, bool) {
	if low.Bits() != high.Bits() || low.Bits() == 0 || low.Addr().BitLen() != high.Addr().BitLen() {
		return netip.Prefix{}, false
	}
	whole := netip.PrefixFrom(low.Addr(), low.Bits()-1).Masked()
	return whole, whole.Addr() == low.Addr() && whole.Contains(high.Addr())
}

// SetCluster takes the prefixes of everything that the cluster has. Until the
// first time they are not known, and nothing is received.
func (s *Store) SetCluster(prefixes []netip.Prefix) bool {
	cluster := &Cluster{Prefixes: Aggregate(prefixes)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.next.Cluster; old != nil && slices.Equal(old.Prefixes, cluster.Prefixes) {
		return false
	}
	s.next.Cluster = cluster
	return true
}
