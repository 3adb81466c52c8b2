//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/test/cluster"
	"github.com/herald-lb/herald/test/lab/binaries"
)

// helmEnv names helm; `make e2e` sets it. Without it there must be one in PATH.
const helmEnv = "HERALD_HELM"

// helm runs Helm, as the cluster's admin and with nothing of this machine's user.
func helm(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := tryHelm(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

func tryHelm(ctx context.Context, args ...string) (string, error) {
	GinkgoHelper()
	program, err := exec.LookPath(cmp.Or(os.Getenv(helmEnv), "helm"))
	Expect(err).NotTo(HaveOccurred(), "%s names no helm, nor is there one in PATH", helmEnv)
	kubeconfig, err := site.ControlPlane().AdminKubeconfig()
	Expect(err).NotTo(HaveOccurred())
	home := filepath.Join(site.Dir(), "helm")
	out, err := site.ControlPlane().Box().Run(ctx, append([]string{
		"env", "HOME=" + home, "HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home, "KUBECONFIG=" + kubeconfig,
		program, "--namespace=" + system,
	}, args...)...)
	return strings.TrimSpace(out), err
}

// chart is the chart's directory, and values what a user without our registry says.
func chart() string {
	GinkgoHelper()
	source, err := binaries.Source()
	Expect(err).NotTo(HaveOccurred())
	return filepath.Join(source, "charts", "herald")
}

func values(version string) []string {
	return []string{"--set=image.repository=localhost/herald", "--set=image.tag=" + version, "--set=herald.spec.frrImage=" + cluster.FRRImage}
}

var _ = Describe("Herald installed by Helm", Ordered, func() {
	var web announcement

	AfterAll(func(ctx context.Context) { removeService(ctx) }, NodeTimeout(specTimeout))

	It("E6 is installed by its chart and announces a Service of a real Deployment from every node", func(ctx context.Context) {
		if helm(ctx, "list", "--short") == "" { // else the attempt before has done it
			helm(ctx, append([]string{"install", "herald", chart(), "--create-namespace"}, values(firstVersion)...)...)
		}
		kubectl(ctx, "label", "namespace", system, "pod-security.kubernetes.io/enforce=privileged")
		waitHerald(ctx, firstVersion)
		web = announce(ctx)
		web.expectSpread(ctx)
	}, SpecTimeout(specTimeout))

	It("E7 passes the chart's own test", func(ctx context.Context) {
		// What is announced stands in the Service's condition up to 30 s later.
		Eventually(func(ctx context.Context) (string, error) {
			return tryHelm(ctx, "test", "herald", "--timeout="+rollout.String())
		}).WithContext(ctx).WithTimeout(rollout).WithPolling(time.Second).Should(MatchRegexp(`Phase:\s+Succeeded`))
	}, SpecTimeout(specTimeout))

	It("E8 is upgraded under traffic: no request fails, no route goes, FRR isn't restarted", func(ctx context.Context) {
		web.expectUpgradeUnseen(ctx, func(version string) {
			helm(ctx, append([]string{"upgrade", "herald", chart()}, values(version)...)...)
		})
	}, SpecTimeout(specTimeout))

	It("E9 is uninstalled without a trace", func(ctx context.Context) {
		deleteHerald(ctx, web)
		helm(ctx, "uninstall", "herald", "--timeout="+rollout.String())
		kubectl(ctx, "delete", "--filename="+filepath.Join(chart(), "crds"), "--timeout="+rollout.String())
		kubectl(ctx, "delete", "namespace", system, "--timeout="+rollout.String())
		Expect(helm(ctx, "list", "--all-namespaces", "--short")).To(BeEmpty())
		expectNoTrace(ctx)
	}, SpecTimeout(specTimeout))
})
