package v1alpha1

import (
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
}
