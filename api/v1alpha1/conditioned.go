package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Conditioned is an object whose status has conditions: every Kind of this package
// but BGPSession, whose whole status is one.
// +kubebuilder:object:generate=false
type Conditioned interface {
	// GetConditions are the status' conditions, not a copy.
	GetConditions() []metav1.Condition
}

// GetConditions implements Conditioned.
func (p *IPAddressPool) GetConditions() []metav1.Condition { return p.Status.Conditions }

// GetConditions implements Conditioned.
func (p *BGPPeer) GetConditions() []metav1.Condition { return p.Status.Conditions }

// GetConditions implements Conditioned.
func (a *BGPAdvertisement) GetConditions() []metav1.Condition { return a.Status.Conditions }

// GetConditions implements Conditioned.
func (c *Community) GetConditions() []metav1.Condition { return c.Status.Conditions }

// GetConditions implements Conditioned.
func (p *BFDProfile) GetConditions() []metav1.Condition { return p.Status.Conditions }

// GetConditions implements Conditioned.
func (s *FRRSnippet) GetConditions() []metav1.Condition { return s.Status.Conditions }

// GetConditions implements Conditioned.
func (p *FlowPolicy) GetConditions() []metav1.Condition { return p.Status.Conditions }

// GetConditions implements Conditioned.
func (n *BGPNode) GetConditions() []metav1.Condition { return n.Status.Conditions }

// GetConditions implements Conditioned.
func (h *Herald) GetConditions() []metav1.Condition { return h.Status.Conditions }
