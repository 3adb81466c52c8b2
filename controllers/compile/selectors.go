package compile

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// anyOf matches what at least one of its selectors matches. Nil is no restriction;
// one without a selector that can be read matches nothing, so that a mistake
// announces less and never more.
type anyOf []labels.Selector

func (a anyOf) matches(of map[string]string) bool {
	return a == nil || slices.ContainsFunc(a, func(s labels.Selector) bool { return s.Matches(labels.Set(of)) })
}

// selectors reads a list of an object's spec. What says what the field selects.
func (b *builder) selectors(object ObjectRef, field, what string, list []metav1.LabelSelector) anyOf {
	if len(list) == 0 {
		return nil
	}
	all := anyOf{}
	for i := range list {
		selector, err := metav1.LabelSelectorAsSelector(&list[i])
		if err != nil {
			b.refuse(object, v1alpha1.ReasonInvalidSelector, fmt.Sprintf(
				"spec.%s[%d] is malformed and selects no %s: %v", field, i, what, err))
			continue
		}
		all = append(all, selector)
	}
	return all
}

// selectsNode says whether the node matches at least one selector; no selector is
// all nodes.
func (b *builder) selectsNode(object ObjectRef, selectors []metav1.LabelSelector) bool {
	any := b.selectors(object, "nodeSelectors", "node", selectors)
	return b.node != nil && any.matches(b.node.Labels)
}

// selectPools are the pools that an object names or selects by label; nil is all,
// where it does neither.
func (b *builder) selectPools(object ObjectRef, names []string, selectors []metav1.LabelSelector) map[string]bool {
	if len(names) == 0 && len(selectors) == 0 {
		return nil
	}
	selected := map[string]bool{}
	for _, name := range names {
		selected[name] = true
	}
	byLabel := b.selectors(object, "ipAddressPoolSelectors", "pool", selectors)
	for _, pool := range b.policy.Pools.Pools {
		if byLabel != nil && byLabel.matches(pool.Object.Labels) {
			selected[pool.Name] = true
		}
	}
	return selected
}

// selectPeers are the peers that an advertisement names or selects by label, of
// this node or not; nil is all, where it does neither.
func (b *builder) selectPeers(object ObjectRef, spec *v1alpha1.BGPAdvertisementSpec, all []*v1alpha1.BGPPeer) map[string]bool {
	if len(spec.Peers) == 0 && len(spec.PeerSelectors) == 0 {
		return nil
	}
	selected := map[string]bool{}
	for _, name := range spec.Peers {
		selected[name] = true
	}
	byLabel := b.selectors(object, "peerSelectors", "peer", spec.PeerSelectors)
	for _, peer := range all {
		if byLabel != nil && byLabel.matches(peer.Labels) {
			selected[peer.Name] = true
		}
	}
	return selected
}
