package install

import (
	"cmp"
	"errors"

	corev1 "k8s.io/api/core/v1"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Names of what is installed. ServiceAccounts have those of their DaemonSets.
const (
	FRR   = "herald-frr"
	Agent = "herald-agent"
	// StartScript is the ConfigMap with the script that starts FRR.
	StartScript = "herald-frr-start"
)

// Names of the containers.
const (
	FRRContainer      = "frr"
	AgentContainer    = "agent"
	ReloaderContainer = "reloader"
	RelayContainer    = "relay"
	// ManagerContainer is that of the manager's own pod.
	ManagerContainer = "manager"
)

// Labels of what is installed. PartOf and Component are what selects pods.
const (
	PartOfLabel    = "app.kubernetes.io/part-of"
	ComponentLabel = "app.kubernetes.io/component"
	NameLabel      = "app.kubernetes.io/name"
	PartOf         = "herald"
)

// Values of ComponentLabel.
const (
	ComponentAgent   = "agent"
	ComponentFRR     = "frr"
	ComponentManager = "manager"
)

// DefaultFRRImage is the stock image of FRR that Herald was tested with.
const DefaultFRRImage = "quay.io/frrouting/frr:10.3.1"

// Self is what the manager knows of itself: what a Herald object leaves open.
type Self struct {
	// Namespace that the manager runs in.
	Namespace string
	Version   string
	// Image, PullPolicy and PullSecrets are those of the manager's own pod.
	Image       string
	PullPolicy  corev1.PullPolicy
	PullSecrets []corev1.LocalObjectReference
	// FRRImage that this version of Herald was tested with.
	FRRImage string
}

// Installation is what the cluster should have.
type Installation struct {
	Image, FRRImage string
	FRR, Agent      *appsac.DaemonSetApplyConfiguration
}

// ErrNoImage is that nobody says which image the agents have.
var ErrNoImage = errors.New("spec.image is not set, and the manager does not know its own image: set spec.image, or run the manager in a pod with the environment variable POD_NAME")

// Of makes the DaemonSets of a Herald object.
func Of(herald *v1alpha1.Herald, self Self) (*Installation, error) {
	spec := herald.Spec
	spec.Image = cmp.Or(spec.Image, self.Image)
	spec.FRRImage = cmp.Or(spec.FRRImage, self.FRRImage, DefaultFRRImage)
	spec.ImagePullPolicy = cmp.Or(spec.ImagePullPolicy, self.PullPolicy, corev1.PullIfNotPresent)
	if len(spec.ImagePullSecrets) == 0 {
		spec.ImagePullSecrets = self.PullSecrets
	}
	if spec.Image == "" {
		return nil, ErrNoImage
	}
	of := &maker{spec: spec, namespace: self.Namespace, owner: herald}
	return &Installation{Image: spec.Image, FRRImage: spec.FRRImage, FRR: of.frr(), Agent: of.agent()}, nil
}
