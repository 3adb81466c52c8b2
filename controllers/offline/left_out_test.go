package offline

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

func TestTaintsThatLeaveANodeOut(t *testing.T) {
	const no, away = corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute
	gpu := corev1.Taint{Key: "dedicated", Value: "gpu", Effect: no}
	cases := map[string]struct {
		taints      []corev1.Taint
		tolerations []corev1.Toleration
		out         bool
	}{
		"none":                       {},
		"one":                        {taints: []corev1.Taint{gpu}, out: true},
		"it is tolerated":            {taints: []corev1.Taint{gpu}, tolerations: []corev1.Toleration{{Key: "dedicated", Value: "gpu"}}},
		"any is":                     {taints: []corev1.Taint{gpu}, tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}},
		"another value is":           {taints: []corev1.Taint{gpu}, tolerations: []corev1.Toleration{{Key: "dedicated", Value: "db"}}, out: true},
		"another effect is":          {taints: []corev1.Taint{gpu}, tolerations: []corev1.Toleration{{Key: "dedicated", Value: "gpu", Effect: away}}, out: true},
		"one of two is":              {taints: []corev1.Taint{gpu, {Key: "x", Effect: away}}, tolerations: []corev1.Toleration{{Key: "dedicated", Value: "gpu"}}, out: true},
		"a wish":                     {taints: []corev1.Taint{{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule}}},
		"the node is cordoned":       {taints: []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: no}}},
		"its kubelet is silent":      {taints: []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: no}, {Key: corev1.TaintNodeUnreachable, Effect: away}}},
		"it hasn't its network yet":  {taints: []corev1.Taint{{Key: corev1.TaintNodeNetworkUnavailable, Effect: no}}},
		"of the control plane, none": {taints: []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: no}}, out: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := &Objects{
				Nodes:   []*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: corev1.NodeSpec{Taints: c.taints}}},
				Heralds: []*v1alpha1.Herald{{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}, Spec: v1alpha1.HeraldSpec{Tolerations: c.tolerations}}},
			}
			if got := o.LeftOut()["a"]; (got != "") != c.out {
				t.Errorf("%q", got)
			}
			o.Heralds = nil // agents that somebody runs otherwise
			if got := o.LeftOut(); len(got) > 0 {
				t.Errorf("without a Herald object: %v", got)
			}
		})
	}
}
