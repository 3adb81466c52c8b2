package compile

import (
	"fmt"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// taken is false for an object that the node's FRR has refused. Where the version
// that FRR took before stands in the object's place, that one holds.
func (b *builder) taken(ref ObjectRef) bool {
	refusal, refused := b.refused[snapshot.ObjectKey{Kind: ref.Kind, Name: ref.Name}]
	if !refused {
		return true
	}
	what := "it is left out there"
	if refusal.Stands {
		what = "its version before holds there"
	}
	b.refuse(ref, v1alpha1.ReasonRefusedByFRR, fmt.Sprintf(
		"FRR on node %q refuses what it becomes: %s; %s until it is corrected, and is tried again now and then", b.policy.Node, refusal.Why, what))
	return refusal.Stands
}
