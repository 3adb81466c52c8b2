package install

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
)

const (
	// herald is the program in Herald's image; the reloader's lies beside it.
	herald = "/usr/local/bin/herald"
	// programs is where the reloader's program lies in FRR's image.
	programs = "/programs"

	// probePort of the agent, on the node's loopback only.
	probePort = 8082
	// metricsPort of the agent, on all addresses of the node: over HTTPS, and for
	// those only whom the cluster allows it.
	metricsPort = 9543
	// readyPeriod, in seconds: within two of them a dead agent is known.
	readyPeriod = 2

	// atOnce is how many agents are replaced at once. FRR announces meanwhile.
	atOnce = "5%"
)

// reloaderCapabilities: FRR's sockets and startup.conf belong to FRR's user
// (DAC_OVERRIDE, CHOWN, FOWNER); and the daemons that FRRSnippets are tried in need
// what FRR's need, and a network namespace (SYS_ADMIN).
var reloaderCapabilities = []corev1.Capability{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW", "SETGID", "SETUID", "SYS_ADMIN",
}

// agent is the DaemonSet with the agent and the reloader.
func (m *maker) agent() *appsac.DaemonSetApplyConfiguration {
	pod := m.pod(Agent).
		WithInitContainers(m.installReloader()).
		WithContainers(m.agentContainer(), m.reloaderContainer(), m.relayContainer()).
		WithVolumes(
			hostDirectory("exchange", hostExchange), hostDirectory("frr", hostFRR), hostDirectory("relay", hostRelay),
			scratch("programs"), scratch("tmp"))
	return m.daemonSet(Agent, ComponentAgent).WithSpec(
		m.spread(ComponentAgent, pod).WithUpdateStrategy(appsac.DaemonSetUpdateStrategy().
			WithType(appsv1.RollingUpdateDaemonSetStrategyType).
			WithRollingUpdate(appsac.RollingUpdateDaemonSet().WithMaxUnavailable(intstr.FromString(atOnce)))))
}

// installReloader copies the reloader out of Herald's image.
func (m *maker) installReloader() *coreac.ContainerApplyConfiguration {
	return m.heraldContainer("install-reloader").
		WithArgs("install-reloader", "--to", programs).
		WithVolumeMounts(mount("programs", programs))
}

func (m *maker) agentContainer() *coreac.ContainerApplyConfiguration {
	probe := func(path string) *coreac.ProbeApplyConfiguration {
		return coreac.Probe().WithHTTPGet(coreac.HTTPGetAction().
			WithHost("127.0.0.1").WithPort(intstr.FromInt32(probePort)).WithPath(path))
	}
	return m.heraldContainer(AgentContainer).
		WithArgs("agent",
			"--health-probe-bind-address=127.0.0.1:"+strconv.Itoa(probePort), "--metrics-bind-address=:"+strconv.Itoa(metricsPort)).
		WithPorts(coreac.ContainerPort().WithName("metrics").WithContainerPort(metricsPort)).
		WithEnv(coreac.EnvVar().WithName("NODE_NAME").WithValueFrom(coreac.EnvVarSource().
			WithFieldRef(coreac.ObjectFieldSelector().WithFieldPath("spec.nodeName")))).
		WithResources(resources(m.spec.Resources.Agent, "20m", "96Mi")).
		WithReadinessProbe(probe("/readyz").WithPeriodSeconds(readyPeriod).WithTimeoutSeconds(1).WithFailureThreshold(2)).
		WithLivenessProbe(probe("/healthz").WithPeriodSeconds(10).WithTimeoutSeconds(5).WithFailureThreshold(6)).
		WithVolumeMounts(mount("exchange", hostExchange), mount("relay", hostRelay))
}

func (m *maker) reloaderContainer() *coreac.ContainerApplyConfiguration {
	return coreac.Container().WithName(ReloaderContainer).
		WithImage(m.spec.FRRImage).WithImagePullPolicy(m.spec.ImagePullPolicy).
		WithCommand(programs+"/reloader", "--frr-run-dir="+frrRun).
		WithSecurityContext(rootWith(reloaderCapabilities...)).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithResources(resources(m.spec.Resources.Reloader, "20m", "64Mi")).
		WithVolumeMounts(
			mount("programs", programs).WithReadOnly(true), mount("exchange", hostExchange), mount("frr", frrRun), mount("tmp", "/tmp"))
}

// relayContainer takes packets to the nodes that own their connections. It needs
// NET_ADMIN for nftables, VXLAN and conntrack, and sees no file of FRR's.
func (m *maker) relayContainer() *coreac.ContainerApplyConfiguration {
	return m.heraldContainer(RelayContainer).
		WithArgs("relay").
		WithSecurityContext(rootWith("NET_ADMIN").WithAllowPrivilegeEscalation(false)).
		WithResources(resources(nil, "10m", "32Mi")).
		WithVolumeMounts(mount("relay", hostRelay))
}

// heraldContainer is one of Herald's image, with no right beyond its UID: the
// exchange directory belongs to root.
func (m *maker) heraldContainer(name string) *coreac.ContainerApplyConfiguration {
	return coreac.Container().WithName(name).
		WithImage(m.spec.Image).WithImagePullPolicy(m.spec.ImagePullPolicy).
		WithCommand(herald).
		WithSecurityContext(rootWith().WithAllowPrivilegeEscalation(false)).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError)
}
