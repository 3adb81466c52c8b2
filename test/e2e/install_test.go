//go:build e2e

package e2e

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"
)

// system is the namespace that config/ installs into.
const system = "herald-system"

func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := site.Kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(out)
}

func apply(ctx context.Context, manifest string) {
	GinkgoHelper()
	_, err := site.KubectlInput(ctx, manifest, "apply", "--server-side", "--filename=-")
	Expect(err).NotTo(HaveOccurred())
}

// overlay is cluster.Overlay.
func overlay(version string) string {
	GinkgoHelper()
	dir, err := site.Overlay(version)
	Expect(err).NotTo(HaveOccurred())
	return dir
}

// waitHerald waits until all agents and FRRs are there and the agents are of a
// version.
func waitHerald(ctx context.Context, version string) {
	GinkgoHelper()
	kubectl(ctx, "rollout", "status", "deployment/herald-manager", "--namespace="+system, "--timeout="+rollout.String())
	Eventually(func(ctx context.Context) (string, error) {
		return site.Kubectl(ctx, "get", "heralds", "default", "--output=jsonpath={.status.version} {.status.image}")
	}).WithContext(ctx).WithTimeout(rollout).Should(Equal(version + " localhost/herald:" + version))
	kubectl(ctx, "rollout", "status", "daemonset/herald-agent", "--namespace="+system, "--timeout="+rollout.String())
	kubectl(ctx, "wait", "heralds/default", "--for=condition=Ready", "--timeout="+rollout.String())
	Eventually(func(ctx context.Context) (string, error) {
		return site.Kubectl(ctx, "get", "heralds", "default", "--output=jsonpath={.status.nodes.desired}/{.status.nodes.ready}/{.status.nodes.programmed}")
	}).WithContext(ctx).WithTimeout(rollout).Should(Equal("3/3/3"))
}

// frrPod is what must not change of a pod that isn't restarted.
type frrPod struct {
	name, node, started string
	restarts            int32
}

func frrPods(ctx context.Context) []frrPod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(site.API().List(ctx, &list, crclient.InNamespace(system), crclient.MatchingLabels{"app.kubernetes.io/component": "frr"})).To(Succeed())
	var pods []frrPod
	for _, p := range list.Items {
		Expect(p.Status.ContainerStatuses).To(HaveLen(1))
		c := p.Status.ContainerStatuses[0]
		Expect(c.State.Running).NotTo(BeNil(), "FRR on %s runs", p.Spec.NodeName)
		pods = append(pods, frrPod{name: p.Name, node: p.Spec.NodeName, started: c.State.Running.StartedAt.String(), restarts: c.RestartCount})
	}
	return pods
}
