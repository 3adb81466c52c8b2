package install

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
)

// scriptDir is where the start script lies in FRR's container.
const scriptDir = "/opt/herald"

// frrCapabilities are what FRR's container has of root's rights. FRR's daemons
// start with SYS_ADMIN, NET_ADMIN, NET_RAW and NET_BIND_SERVICE, and give up the
// rest by SETUID and SETGID. The start script gives FRR's user its directory
// (CHOWN, DAC_OVERRIDE, FOWNER); watchfrr ends daemons that hang (KILL).
var frrCapabilities = []corev1.Capability{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW", "SETGID", "SETUID", "SYS_ADMIN",
}

const (
	// endSeconds is how long a container gets from SIGTERM until SIGKILL.
	endSeconds = 10
	// drainSeconds is how long FRR waits at most for the node to give its routes up. The
	// agent says how long it really takes: a limit that follows spec.drain.convergeTime
	// would have every pod of FRR made anew to take effect.
	drainSeconds = 300
)

// frr is the DaemonSet with FRR. Its pods are only replaced by hand (OnDelete):
// whatever changes, no session is reset unless somebody decides so, node by node.
func (m *maker) frr() *appsac.DaemonSetApplyConfiguration {
	container := coreac.Container().WithName(FRRContainer).
		WithImage(m.spec.FRRImage).WithImagePullPolicy(m.spec.ImagePullPolicy).
		WithCommand("/bin/sh", scriptDir+"/frr-start.sh").
		WithSecurityContext(rootWith(frrCapabilities...)).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithResources(resources(m.spec.Resources.FRR, "50m", "128Mi")).
		// watchfrr looks after the daemons: a liveness probe would reset sessions.
		WithReadinessProbe(coreac.Probe().WithExec(coreac.ExecAction().
			WithCommand("/bin/sh", "-c", "test -S /run/frr/zebra.vty && test -S /run/frr/bgpd.vty")).
			WithPeriodSeconds(5).WithTimeoutSeconds(5)).
		WithLifecycle(coreac.Lifecycle().WithPreStop(coreac.LifecycleHandler().WithExec(coreac.ExecAction().
			WithCommand("/bin/sh", scriptDir+"/frr-start.sh", "stop", strconv.Itoa(drainSeconds))))).
		WithVolumeMounts(
			mount("run", frrRun), mount("exchange", hostExchange), mount("start", scriptDir).WithReadOnly(true), mount("etc", "/etc/frr"),
			mount("tmp", "/tmp"), mount("var-tmp", "/var/tmp"), mount("state", "/var/lib/frr"), mount("log", "/var/log/frr"),
		)
	pod := m.pod(FRR).
		WithAutomountServiceAccountToken(false).
		WithTerminationGracePeriodSeconds(drainSeconds+endSeconds).
		WithContainers(container).
		WithVolumes(
			hostDirectory("run", hostFRR), hostDirectory("exchange", hostExchange),
			coreac.Volume().WithName("start").WithConfigMap(coreac.ConfigMapVolumeSource().WithName(StartScript).WithDefaultMode(0o555)),
			scratch("etc"), scratch("tmp"), scratch("var-tmp"), scratch("state"), scratch("log"),
		)
	return m.daemonSet(FRR, ComponentFRR).WithSpec(
		m.spread(ComponentFRR, pod).WithUpdateStrategy(appsac.DaemonSetUpdateStrategy().WithType(appsv1.OnDeleteDaemonSetStrategyType)))
}
