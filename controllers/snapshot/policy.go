package snapshot

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// SetPool takes an IPAddressPool; its status does not matter, its labels do.
func (s *Store) SetPool(pool *v1alpha1.IPAddressPool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.pools[pool.Name]
	if old != nil && sameIdentity(old, pool) && maps.Equal(old.Labels, pool.Labels) && equality.Semantic.DeepEqual(old.Spec, pool.Spec) {
		return false
	}
	s.pools[pool.Name] = pool
	s.next.Pools = values(s.pools)
	return true
}

// DeletePool forgets an IPAddressPool.
func (s *Store) DeletePool(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pools[name] == nil {
		return false
	}
	delete(s.pools, name)
	s.next.Pools = values(s.pools)
	return true
}

// SetPeer takes a BGPPeer; its status does not matter. Labels that nothing reads
// now are kept for an advertisement that will.
func (s *Store) SetPeer(peer *v1alpha1.BGPPeer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.peers[peer.Name]
	same := old != nil && sameIdentity(old, peer) && equality.Semantic.DeepEqual(old.Spec, peer.Spec)
	if same && maps.Equal(old.Labels, peer.Labels) {
		return false
	}
	s.peers[peer.Name] = peer
	s.peersChanged()
	return !same || !s.read.ofPeers.Same(old.Labels, peer.Labels)
}

// DeletePeer forgets a BGPPeer.
func (s *Store) DeletePeer(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peers[name] == nil {
		return false
	}
	delete(s.peers, name)
	s.peersChanged()
	return true
}

func (s *Store) peersChanged() {
	s.next.Peers = values(s.peers)
	s.selectorsChanged()
}

// SetProfile takes a BFDProfile; its status does not matter.
func (s *Store) SetProfile(profile *v1alpha1.BFDProfile) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.profiles[profile.Name]
	if old != nil && equality.Semantic.DeepEqual(old.Spec, profile.Spec) {
		return false
	}
	s.profiles[profile.Name] = profile
	s.next.BFDProfiles = values(s.profiles)
	return true
}

// DeleteProfile forgets a BFDProfile.
func (s *Store) DeleteProfile(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.profiles[name] == nil {
		return false
	}
	delete(s.profiles, name)
	s.next.BFDProfiles = values(s.profiles)
	return true
}

// SetSnippet takes a FRRSnippet; its status does not matter.
func (s *Store) SetSnippet(snippet *v1alpha1.FRRSnippet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.snippets[snippet.Name]
	if old != nil && old.UID == snippet.UID && old.Generation == snippet.Generation && equality.Semantic.DeepEqual(old.Spec, snippet.Spec) {
		return false
	}
	s.snippets[snippet.Name] = snippet
	s.snippetsChanged()
	return true
}

// DeleteSnippet forgets a FRRSnippet.
func (s *Store) DeleteSnippet(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snippets[name] == nil {
		return false
	}
	delete(s.snippets, name)
	s.snippetsChanged()
	return true
}

func (s *Store) snippetsChanged() {
	s.next.Snippets = values(s.snippets)
	s.selectorsChanged()
}

// SetFlowPolicy takes a FlowPolicy; its status does not matter.
func (s *Store) SetFlowPolicy(policy *v1alpha1.FlowPolicy) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.flows[policy.Name]
	if old != nil && sameIdentity(old, policy) && equality.Semantic.DeepEqual(old.Spec, policy.Spec) {
		return false
	}
	s.flows[policy.Name] = policy
	s.flowsChanged()
	return true
}

// DeleteFlowPolicy forgets a FlowPolicy.
func (s *Store) DeleteFlowPolicy(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flows[name] == nil {
		return false
	}
	delete(s.flows, name)
	s.flowsChanged()
	return true
}

func (s *Store) flowsChanged() {
	s.next.FlowPolicies = values(s.flows)
	s.selectorsChanged()
}

// SetAdvertisement takes a BGPAdvertisement; its status does not matter.
func (s *Store) SetAdvertisement(advertisement *v1alpha1.BGPAdvertisement) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.advertisements[advertisement.Name]
	if old != nil && sameIdentity(old, advertisement) && equality.Semantic.DeepEqual(old.Spec, advertisement.Spec) {
		return false
	}
	s.advertisements[advertisement.Name] = advertisement
	s.advertisementsChanged()
	return true
}

// DeleteAdvertisement forgets a BGPAdvertisement.
func (s *Store) DeleteAdvertisement(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.advertisements[name] == nil {
		return false
	}
	delete(s.advertisements, name)
	s.advertisementsChanged()
	return true
}

func (s *Store) advertisementsChanged() {
	s.next.Advertisements = values(s.advertisements)
	s.selectorsChanged()
}

// SetCommunity takes a Community; its status does not matter.
func (s *Store) SetCommunity(community *v1alpha1.Community) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.communities[community.Name]
	if old != nil && sameIdentity(old, community) && equality.Semantic.DeepEqual(old.Spec, community.Spec) {
		return false
	}
	s.communities[community.Name] = community
	s.next.Communities = values(s.communities)
	return true
}

// DeleteCommunity forgets a Community.
func (s *Store) DeleteCommunity(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.communities[name] == nil {
		return false
	}
	delete(s.communities, name)
	s.next.Communities = values(s.communities)
	return true
}

// sameIdentity: a conflict goes by age, so an object made anew is another one.
func sameIdentity(a, b metav1.Object) bool {
	created := a.GetCreationTimestamp()
	again := b.GetCreationTimestamp()
	return a.GetUID() == b.GetUID() && created.Equal(&again)
}

// values is a new slice: the old one may be in a Snapshot. It is sorted by
// nothing; nobody may depend on its order.
func values[T any](byName map[string]*T) []*T {
	all := make([]*T, 0, len(byName))
	for _, object := range byName {
		all = append(all, object)
	}
	return slices.Clip(all)
}
