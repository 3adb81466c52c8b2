package install

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Directories of the host that containers share, on tmpfs: they outlive a container,
// not a boot. And FRR's in its containers.
const (
	hostFRR      = "/run/herald/frr"
	hostExchange = "/run/herald/exchange"
	hostRelay    = "/run/herald/relay"
	frrRun       = "/run/frr"
)

// priority: without Herald a node loses its traffic.
const priority = "system-node-critical"

// maker makes the DaemonSets of one Herald object, whose spec is complete.
type maker struct {
	spec      v1alpha1.HeraldSpec
	namespace string
	owner     *v1alpha1.Herald
}

func selector(component string) map[string]string {
	return map[string]string{PartOfLabel: PartOf, ComponentLabel: component}
}

func labels(component string) map[string]string {
	return map[string]string{PartOfLabel: PartOf, ComponentLabel: component, NameLabel: "herald-" + component}
}

func (m *maker) daemonSet(name, component string) *appsac.DaemonSetApplyConfiguration {
	return appsac.DaemonSet(name, m.namespace).WithLabels(labels(component)).
		WithOwnerReferences(metaac.OwnerReference().
			WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("Herald").WithName(m.owner.Name).WithUID(m.owner.UID).
			WithController(true).WithBlockOwnerDeletion(true))
}

func (m *maker) spread(component string, pod *coreac.PodSpecApplyConfiguration) *appsac.DaemonSetSpecApplyConfiguration {
	return appsac.DaemonSetSpec().
		WithSelector(metaac.LabelSelector().WithMatchLabels(selector(component))).
		WithTemplate(coreac.PodTemplateSpec().WithLabels(labels(component)).WithSpec(pod))
}

// pod has what all have in common.
func (m *maker) pod(account string) *coreac.PodSpecApplyConfiguration {
	pod := coreac.PodSpec().
		WithServiceAccountName(account).
		WithHostNetwork(true).
		WithDNSPolicy(corev1.DNSDefault). // the cluster's DNS may be behind what Herald announces
		WithEnableServiceLinks(false).
		WithPriorityClassName(priority).
		WithTerminationGracePeriodSeconds(endSeconds).
		WithNodeSelector(map[string]string{corev1.LabelOSStable: "linux"}).
		WithNodeSelector(m.spec.NodeSelector).
		WithSecurityContext(coreac.PodSecurityContext().
			WithSeccompProfile(coreac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault)).
			// Directories of the host are closed to other types.
			WithSELinuxOptions(coreac.SELinuxOptions().WithType("spc_t")))
	for i := range m.spec.Tolerations {
		pod.WithTolerations(toleration(&m.spec.Tolerations[i]))
	}
	for _, secret := range m.spec.ImagePullSecrets {
		pod.WithImagePullSecrets(coreac.LocalObjectReference().WithName(secret.Name))
	}
	return pod
}

func toleration(of *corev1.Toleration) *coreac.TolerationApplyConfiguration {
	t := coreac.Toleration()
	if of.Key != "" {
		t.WithKey(of.Key)
	}
	if of.Operator != "" {
		t.WithOperator(of.Operator)
	}
	if of.Value != "" {
		t.WithValue(of.Value)
	}
	if of.Effect != "" {
		t.WithEffect(of.Effect)
	}
	if of.TolerationSeconds != nil {
		t.WithTolerationSeconds(*of.TolerationSeconds)
	}
	return t
}

// rootWith is root with these capabilities and no other, and a root filesystem
// that it can't write to.
func rootWith(capabilities ...corev1.Capability) *coreac.SecurityContextApplyConfiguration {
	has := coreac.Capabilities().WithDrop("ALL")
	if len(capabilities) > 0 {
		has.WithAdd(capabilities...)
	}
	return coreac.SecurityContext().WithRunAsUser(0).WithRunAsGroup(0).WithReadOnlyRootFilesystem(true).WithCapabilities(has)
}

// resources are those asked for, or requests of processor time and memory.
func resources(asked *corev1.ResourceRequirements, cpu, memory string) *coreac.ResourceRequirementsApplyConfiguration {
	if asked == nil {
		return coreac.ResourceRequirements().WithRequests(corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
		})
	}
	made := coreac.ResourceRequirements()
	if asked.Requests != nil {
		made.WithRequests(asked.Requests)
	}
	if asked.Limits != nil {
		made.WithLimits(asked.Limits)
	}
	return made
}

func mount(volume, path string) *coreac.VolumeMountApplyConfiguration {
	return coreac.VolumeMount().WithName(volume).WithMountPath(path)
}

func hostDirectory(name, path string) *coreac.VolumeApplyConfiguration {
	return coreac.Volume().WithName(name).WithHostPath(
		coreac.HostPathVolumeSource().WithPath(path).WithType(corev1.HostPathDirectoryOrCreate))
}

// scratch is without a limit: what exceeds one is evicted, FRR too.
func scratch(name string) *coreac.VolumeApplyConfiguration {
	return coreac.Volume().WithName(name).WithEmptyDir(coreac.EmptyDirVolumeSource())
}
