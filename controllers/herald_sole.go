package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/install"
	"github.com/herald-lb/herald/internal/cluster"
)

// managerLabels are those of the manager's Deployment.
var managerLabels = labels.Set{install.PartOfLabel: install.PartOf, install.ComponentLabel: install.ComponentManager}

// nodePods selects the pods of both DaemonSets.
var nodePods = podsOf(install.ComponentAgent, install.ComponentFRR)

func podsOf(components ...string) labels.Selector {
	component, err := labels.NewRequirement(install.ComponentLabel, selection.In, components)
	if err != nil {
		panic(err) // constants
	}
	return labels.SelectorFromSet(labels.Set{install.PartOfLabel: install.PartOf}).Add(*component)
}

// CheckSole says why a manager must not work: Herald runs from another namespace,
// and two managers would give one address to two Services.
func CheckSole(ctx context.Context, config *rest.Config, namespace string) error {
	scheme, err := cluster.NewScheme()
	if err != nil {
		return err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	herald := &v1alpha1.Herald{}
	if err := c.Get(ctx, client.ObjectKey{Name: v1alpha1.HeraldName}, herald); err != nil {
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			err = fmt.Errorf("%w: apply config/rbac, or use the ServiceAccount that it names", err)
		}
		return client.IgnoreNotFound(err)
	}
	return checkSole(ctx, c, herald, namespace)
}

// checkSole: the Herald object is the manager's that it names, as long as that
// one's DaemonSets exist.
func checkSole(ctx context.Context, reader client.Reader, herald *v1alpha1.Herald, namespace string) error {
	claimed := herald.Status.Namespace
	if claimed == "" || claimed == namespace {
		return nil
	}
	for _, name := range []string{install.Agent, install.FRR} {
		err := reader.Get(ctx, client.ObjectKey{Namespace: claimed, Name: name}, &appsv1.DaemonSet{})
		switch {
		case err == nil:
			return fmt.Errorf("another installation: Herald runs from namespace %s already (DaemonSet %s/%s), so the manager in namespace %s does nothing: uninstall one of the two; to move Herald, first delete the Herald object, whose manager removes them",
				claimed, claimed, name, namespace)
		case !apierrors.IsNotFound(err):
			return fmt.Errorf("DaemonSet %s/%s: %w", claimed, name, err)
		}
	}
	return nil
}

// others are the namespaces, sorted, that hold parts of another installation.
func others(own string, sets *appsv1.DaemonSetList, deployments *appsv1.DeploymentList) []string {
	found := map[string]struct{}{}
	for i := range sets.Items {
		for _, owner := range sets.Items[i].OwnerReferences {
			if owner.Kind == "Herald" {
				found[sets.Items[i].Namespace] = struct{}{}
			}
		}
	}
	for i := range deployments.Items {
		found[deployments.Items[i].Namespace] = struct{}{}
	}
	delete(found, own)
	return slices.Sorted(maps.Keys(found))
}

// OwnPod completes what the manager knows of itself by its own pod. Without the
// name of one it runs outside of the cluster.
func OwnPod(ctx context.Context, config *rest.Config, name string, self install.Self) (install.Self, error) {
	if name == "" {
		return self, nil
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		return self, err
	}
	pod := &corev1.Pod{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: self.Namespace, Name: name}, pod); err != nil {
		return self, fmt.Errorf("the manager's own pod: %w: POD_NAME must be its name, and --namespace its namespace", err)
	}
	for i := range pod.Spec.Containers {
		if container := &pod.Spec.Containers[i]; container.Name == install.ManagerContainer {
			self.Image, self.PullPolicy = container.Image, container.ImagePullPolicy
		}
	}
	self.PullSecrets = pod.Spec.ImagePullSecrets
	return self, nil
}

func hashOf(set *appsac.DaemonSetApplyConfiguration) string {
	data, err := json.Marshal(set)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
