package compile

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// selectsNode says whether a node matches at least one selector; no selector is
// all nodes. A malformed selector matches nothing, so that a mistake announces
// less and never more.
func (b *builder) selectsNode(object ObjectRef, selectors []metav1.LabelSelector) bool {
	if len(selectors) == 0 {
		return b.node != nil
	}
	selected := false
	for i := range selectors {
		selector, err := metav1.LabelSelectorAsSelector(&selectors[i])
		if err != nil {
			b.refuse(object, v1alpha1.ReasonInvalidSelector, fmt.Sprintf(
				"spec.nodeSelectors[%d] is malformed and selects no node: %v", i, err))
			continue
		}
		selected = selected || b.node != nil && selector.Matches(labels.Set(b.node.Labels))
	}
	return selected
}

// selectPools are the pools that an advertisement names or selects by label; nil
// is all, where it does neither.
func (b *builder) selectPools(object ObjectRef, spec *v1alpha1.BGPAdvertisementSpec) map[string]bool {
	if len(spec.IPAddressPools) == 0 && len(spec.IPAddressPoolSelectors) == 0 {
		return nil
	}
	selected := map[string]bool{}
	for _, name := range spec.IPAddressPools {
		selected[name] = true
	}
	for i := range spec.IPAddressPoolSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&spec.IPAddressPoolSelectors[i])
		if err != nil {
			b.refuse(object, v1alpha1.ReasonInvalidSelector, fmt.Sprintf(
				"spec.ipAddressPoolSelectors[%d] is malformed and selects no pool: %v", i, err))
			continue
		}
		for _, pool := range b.policy.Pools.Pools {
			selected[pool.Name] = selected[pool.Name] || selector.Matches(labels.Set(pool.Object.Labels))
		}
	}
	return selected
}
