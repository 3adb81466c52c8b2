package status

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Silence is that no agent vouches for a node.
type Silence struct {
	// Since is zero if it can't be told.
	Since time.Time
	// Why, with the remedy.
	Why string
}

// SilenceOf looks at the agent's pods on one node: nil if one of them is ready.
func SilenceOf(pods []corev1.Pod) *Silence {
	const remedy = "; what FRR announced before stays"
	if len(pods) == 0 {
		return &Silence{Why: "there is no pod of the agent on this node: look at the DaemonSet herald-agent" + remedy}
	}
	var silence *Silence
	for i := range pods {
		since := pods[i].CreationTimestamp.Time
		for _, condition := range pods[i].Status.Conditions {
			if condition.Type != corev1.PodReady {
				continue
			}
			if condition.Status == corev1.ConditionTrue {
				return nil
			}
			since = condition.LastTransitionTime.Time
		}
		if silence == nil || since.After(silence.Since) {
			silence = &Silence{Since: since, Why: fmt.Sprintf("the agent's pod %s is not ready: look at its containers' logs", pods[i].Name) + remedy}
		}
	}
	return silence
}

// Silent is the status of a BGPNode that looks healthy and for which nobody
// vouches, and whether that differs from the old one. What an agent or an earlier
// call has said of an unhealthy node stays: it knows better.
func Silent(old v1alpha1.BGPNodeStatus, silence Silence, generation int64, now time.Time) (v1alpha1.BGPNodeStatus, bool) {
	if !meta.IsStatusConditionTrue(old.Conditions, v1alpha1.ConditionReady) {
		return old, false
	}
	next := *old.DeepCopy()
	meta.SetStatusCondition(&next.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonAgentNotReporting,
		Message: shorten(silence.Why, maxMessage), ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	})
	return next, true
}
