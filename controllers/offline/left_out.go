package offline

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// LeftOut are the nodes that Herald isn't to run on, by name, and why. An agent may be there all
// the same: where it isn't, that is no mistake.
func (o *Objects) LeftOut() map[string]string {
	all := map[string]string{}
	for _, node := range o.Nodes {
		if why := o.whyLeftOut(node); why != "" {
			all[node.Name] = why
		}
	}
	return all
}

func (o *Objects) whyLeftOut(node *corev1.Node) string {
	if os := node.Labels[corev1.LabelOSStable]; os != "" && os != string(corev1.Linux) {
		return fmt.Sprintf("its operating system is %s (label %s)", os, corev1.LabelOSStable)
	}
	herald := o.herald()
	if herald == nil { // its agents are no DaemonSet's
		return ""
	}
	if !snapshot.SettingsOf(herald).RunsOn(node.Labels) {
		return "spec.nodeSelector of the Herald object leaves it out"
	}
	for i := range node.Spec.Taints {
		if taint := &node.Spec.Taints[i]; keepsAway(taint, herald.Spec.Tolerations) {
			return fmt.Sprintf("spec.tolerations of the Herald object has nothing for its taint %s", taint.ToString())
		}
	}
	return ""
}

// ofDaemons are the taints that each pod of a DaemonSet tolerates, those of the host's
// network too (the DaemonSet controller adds them).
var ofDaemons = []string{
	corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable, corev1.TaintNodeDiskPressure, corev1.TaintNodeMemoryPressure,
	corev1.TaintNodePIDPressure, corev1.TaintNodeUnschedulable, corev1.TaintNodeNetworkUnavailable,
}

func keepsAway(taint *corev1.Taint, tolerations []corev1.Toleration) bool {
	if taint.Effect == corev1.TaintEffectPreferNoSchedule || slices.Contains(ofDaemons, taint.Key) {
		return false
	}
	return !slices.ContainsFunc(tolerations, func(t corev1.Toleration) bool {
		return t.ToleratesTaint(klog.Background(), taint, true)
	})
}

// herald is the object that counts, nil where there is none.
func (o *Objects) herald() *v1alpha1.Herald {
	for _, herald := range o.Heralds {
		if snapshot.SettingsOf(herald) != nil {
			return herald
		}
	}
	return nil
}
