package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AnnotationDrain on a Node drains it: its routes are given up in order, and its
// sessions stay up. The value is the reason, in words; "false" is as good as no
// annotation.
const AnnotationDrain = GroupName + "/drain"

// Drain says how nodes give up their routes: first they tell the routers to prefer
// others (GRACEFUL_SHUTDOWN, RFC 8326), then they withdraw, and they go on serving
// the connections that they have.
type Drain struct {
	// convergeTime is how long routers get, once they are told, to send new
	// connections elsewhere: between GRACEFUL_SHUTDOWN and the withdrawal, and again
	// after it.
	// Default: 10s. 0s to 10m. Resets no session.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('10m')",message="must be 0s to 10m"
	ConvergeTime *metav1.Duration `json:"convergeTime,omitempty"`

	// connectionTimeout is how long a node that has withdrawn its routes waits for the
	// end of the connections that it still owns, before it is called safe to shut down
	// all the same. Where they aren't counted it always waits so long.
	// Default: 5m. 0s to 24h. Resets no session.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be 0s to 24h"
	ConnectionTimeout *metav1.Duration `json:"connectionTimeout,omitempty"`

	// taints: a node with one of these taints drains, until the taint goes.
	// Default: those that the Cluster Autoscaler and Karpenter put on a node that they
	// are about to remove: ToBeDeletedByClusterAutoscaler and karpenter.sh/disrupted. An
	// empty list is none. Resets no session.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Taints []DrainTaint `json:"taints,omitempty"`

	// onCordon: a node that is cordoned (spec.unschedulable) drains, until it is
	// uncordoned.
	// Default: false: a node that takes no new pods goes on serving those that it has.
	// Resets no session.
	// +optional
	OnCordon bool `json:"onCordon,omitempty"`

	// onShutdown: a node whose kubelet shuts down gracefully drains, as far as the
	// kubelet's shutdownGracePeriod gives it time: see convergeTime.
	// Default: true. Resets no session.
	// +optional
	OnShutdown *bool `json:"onShutdown,omitempty"`

	// onFRRStop: a node whose pod of FRR is deleted (to upgrade FRR, say) gives its routes
	// up before FRR ends, and announces them again when the next one has started. Not
	// where graceful restart (enableGracefulRestart) of every peer keeps them.
	// Default: true. Resets no session; the end of FRR does.
	// +optional
	OnFRRStop *bool `json:"onFRRStop,omitempty"`
}

// DrainTaint selects taints of nodes.
type DrainTaint struct {
	// key of the taint.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Key string `json:"key"`
	// value of the taint. Default: any.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Value *string `json:"value,omitempty"`
	// effect of the taint. Default: any.
	// +optional
	// +kubebuilder:validation:Enum=NoSchedule;PreferNoSchedule;NoExecute
	Effect corev1.TaintEffect `json:"effect,omitempty"`
}
