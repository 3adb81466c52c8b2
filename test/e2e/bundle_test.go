//go:build e2e

package e2e

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/test/cluster"
)

// namespace is what a user makes before an operator is installed there by OLM.
const namespace = `
apiVersion: v1
kind: Namespace
metadata:
  name: ` + system + `
  labels: {pod-security.kubernetes.io/enforce: privileged}
`

var _ = Describe("Herald installed by the bundle's manifests, as OLM would", Ordered, func() {
	var (
		web announcement
		b   *bundle
	)

	BeforeAll(func() { b = readBundle() })
	AfterAll(func(ctx context.Context) { removeService(ctx) }, NodeTimeout(specTimeout))

	It("E10 is installed and announces a Service of a real Deployment from every node", func(ctx context.Context) {
		apply(ctx, namespace)
		apply(ctx, text(b.crds))
		kubectl(ctx, "wait", "--for=condition=Established", "crd/heralds.herald-lb.io", "--timeout=60s")
		apply(ctx, text(b.install(firstVersion)))
		kubectl(ctx, "apply", "--server-side", "--filename="+filepath.Join(b.dir, "after-install.yaml"))
		apply(ctx, cluster.HeraldObject)
		waitHerald(ctx, firstVersion)
		web = announce(ctx)
		web.expectSpread(ctx)
	}, SpecTimeout(specTimeout))

	It("E11 is upgraded under traffic: no request fails, no route goes, FRR isn't restarted", func(ctx context.Context) {
		web.expectUpgradeUnseen(ctx, func(version string) { apply(ctx, text(b.install(version))) })
	}, SpecTimeout(specTimeout))

	It("E12 is uninstalled without a trace", func(ctx context.Context) {
		_, err := site.Kubectl(ctx, "delete", "heralds", "default")
		Expect(err).To(MatchError(ContainSubstring("confirm-delete")), "the admission policies beside the bundle work")
		deleteHerald(ctx, web)
		remove(ctx, b.install(secondVersion))
		kubectl(ctx, "delete", "--filename="+filepath.Join(b.dir, "after-install.yaml"), "--timeout="+rollout.String())
		remove(ctx, b.crds)
		kubectl(ctx, "delete", "namespace", system, "--timeout="+rollout.String())
		expectNoTrace(ctx)
	}, SpecTimeout(specTimeout))
})
