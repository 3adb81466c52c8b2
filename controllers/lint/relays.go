package lint

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
)

// relays are what the relays miss on their machines (rp_filter, the kernel, the tunnel's
// port and MTU, the dataplane): only they see it, and say so in BGPNodes. What several
// say alike is told once.
func relays(objects *offline.Objects) []Finding {
	var findings []Finding
	for _, node := range objects.BGPNodes {
		ready := meta.FindStatusCondition(node.Status.Conditions, v1alpha1.ConditionRelayReady)
		if ready == nil || ready.Status != metav1.ConditionFalse {
			continue
		}
		at := slices.IndexFunc(findings, func(f Finding) bool { return f.Reason == ready.Reason && f.Message == ready.Message })
		if at < 0 {
			at = len(findings)
			ref := compile.ObjectRef{Kind: "BGPNode", Name: node.Name}
			findings = append(findings, about(ref, Note, ready.Reason, ready.Message))
		}
		findings[at].Nodes = append(findings[at].Nodes, node.Name)
	}
	for i := range findings {
		slices.Sort(findings[i].Nodes)
		findings[i].Name = findings[i].Nodes[0]
	}
	return findings
}
