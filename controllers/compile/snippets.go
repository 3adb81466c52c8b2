package compile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/snippet"
)

const (
	// MaxSnippets of a node: what its BGPNode can list.
	MaxSnippets = 64
	// defaultSnippetPriority where the API server hasn't set it.
	defaultSnippetPriority = 100
)

// Snippet is a FRRSnippet that the node's FRR is to try.
type Snippet struct {
	Name       string
	Generation int64
	// Lines as they are rendered, as many as were written.
	Lines []string
}

// acceptSnippets orders the node's FRRSnippets and refuses what can be told without
// FRR. Peers are accepted by then: their neighbors are not a snippet's to change.
// Without a node, all are looked at, for what is wrong with them anywhere.
func (b *builder) acceptSnippets(all []*v1alpha1.FRRSnippet) {
	owned := snippet.Owned{Neighbors: map[snippet.Neighbor]bool{}}
	for _, peer := range b.policy.Peers {
		owned.Neighbors[snippet.Neighbor{VRF: peer.VRF, Name: peer.End.String()}] = true
	}
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(x, y *v1alpha1.FRRSnippet) int {
		return cmp.Or(cmp.Compare(priorityOf(x), priorityOf(y)), cmp.Compare(x.Name, y.Name))
	})
	for _, object := range sorted {
		ref := ObjectRef{Kind: "FRRSnippet", Name: object.Name}
		if !b.selectsNode(ref, object.Spec.NodeSelectors) && b.node != nil {
			continue
		}
		lines, problem := snippet.Check(object.Spec.Config, owned)
		switch {
		case !snippet.IsName(object.Name):
			b.refuse(ref, v1alpha1.ReasonInvalidSnippet, fmt.Sprintf("metadata.name %q is not one that Kubernetes allows", object.Name))
		case problem != nil:
			b.refuse(ref, v1alpha1.ReasonInvalidSnippet, "spec.config: "+problem.Error())
		case b.node == nil:
		case len(b.policy.Snippets) == MaxSnippets:
			b.refuse(ref, v1alpha1.ReasonTooManySnippets, fmt.Sprintf(
				"node %q has %d FRRSnippets already: join some, or give them spec.nodeSelectors", b.node.Name, MaxSnippets))
		default:
			b.policy.Snippets = append(b.policy.Snippets, Snippet{Name: object.Name, Generation: object.Generation, Lines: lines})
		}
	}
}

func priorityOf(object *v1alpha1.FRRSnippet) int32 {
	if object.Spec.Priority == nil {
		return defaultSnippetPriority
	}
	return *object.Spec.Priority
}
