package status

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

func TestSilence(t *testing.T) {
	pod := func(name string, ready corev1.ConditionStatus, since time.Time) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
				{Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.NewTime(since)},
			}},
		}
	}
	young := pod("starting", "", time.Time{})
	young.CreationTimestamp, young.Status.Conditions = metav1.NewTime(noon), nil
	tests := map[string]struct {
		pods  []corev1.Pod
		since time.Time
		ready string
	}{
		"ready":                       {[]corev1.Pod{pod("a", corev1.ConditionTrue, noon)}, time.Time{}, "True Reporting"},
		"not ready":                   {[]corev1.Pod{pod("a", corev1.ConditionFalse, noon)}, noon, "Unknown AgentNotReporting the agent's pod a is not ready"},
		"its node is silent too":      {[]corev1.Pod{pod("a", corev1.ConditionUnknown, noon)}, noon, "Unknown AgentNotReporting the agent's pod a"},
		"one takes over":              {[]corev1.Pod{pod("a", corev1.ConditionFalse, noon), pod("b", corev1.ConditionTrue, noon)}, time.Time{}, "True Reporting"},
		"the last one that was":       {[]corev1.Pod{pod("a", corev1.ConditionFalse, noon.Add(-time.Hour)), pod("b", corev1.ConditionFalse, noon)}, noon, "Unknown AgentNotReporting the agent's pod b"},
		"kubelet has not said yet":    {[]corev1.Pod{young}, noon, "Unknown AgentNotReporting the agent's pod starting"},
		"none, nobody knows how long": {nil, time.Time{}, "Unknown AgentNotReporting there is no pod of the agent"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			node := Node(goodView(), v1alpha1.BGPNodeStatus{}, 1)
			silence := SilenceOf(test.pods)
			if silence != nil {
				if !silence.Since.Equal(test.since) {
					t.Errorf("since %s, want %s", silence.Since, test.since)
				}
				var changed bool
				if node, changed = Silent(node, *silence, 1, noon); !changed {
					t.Error("not said")
				}
				if _, again := Silent(node, *silence, 1, noon); again {
					t.Error("said twice")
				}
			}
			check(t, node.Conditions, v1alpha1.ConditionReady, test.ready)
		})
	}
}

func TestSilenceLeavesWhatIsKnown(t *testing.T) {
	view := goodView()
	view.Fresh = false
	node := Node(view, v1alpha1.BGPNodeStatus{}, 1)
	if _, changed := Silent(node, Silence{Why: "x"}, 1, noon); changed {
		t.Error("the reason that the agent gave was replaced")
	}
}
