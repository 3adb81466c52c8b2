//go:build e2e

package e2e

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/test/cluster"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

var _ = Describe("Herald installed by kustomize", Ordered, func() {
	var web announcement

	AfterAll(func(ctx context.Context) { removeService(ctx) }, NodeTimeout(specTimeout))

	It("E1 is installed by its kustomization and the Herald object", func(ctx context.Context) {
		kubectl(ctx, "apply", "--server-side", "--kustomize="+overlay(firstVersion))
		kubectl(ctx, "wait", "--for=condition=Established", "crd/heralds.herald-lb.io", "--timeout=60s")
		apply(ctx, cluster.HeraldObject)
		waitHerald(ctx, firstVersion)
		Expect(frrPods(ctx)).To(HaveLen(len(allNodes)))
	}, SpecTimeout(specTimeout))

	It("E2 announces a dual-stack Service of a real Deployment from every node, and a client reaches it over all of them", func(ctx context.Context) {
		web = announce(ctx)
		web.expectSpread(ctx)
	}, SpecTimeout(specTimeout))

	It("E3 is upgraded under traffic: no request fails, no route goes, FRR isn't restarted", func(ctx context.Context) {
		web.expectUpgradeUnseen(ctx, func(version string) {
			kubectl(ctx, "apply", "--server-side", "--kustomize="+overlay(version))
		})
	}, SpecTimeout(specTimeout))

	It("E4 loses a crashed node's route and no other, and gets it back with the node's dataplane", func(ctx context.Context) {
		others := []string{"node1", "node2"}
		site.Node("node3").Crash()
		// The routers' hold time is 30 s: there is no BFD here.
		Eventually(func() error { return web.waitRoutes(ctx, others...) }).WithTimeout(wait.BringUp).Should(Succeed())
		waitEndpoints(ctx, 2*len(others))
		w := startWatch(ctx, web.ipv4())
		defer w.end()
		Expect(site.Node("node3").Boot(ctx, cluster.KubeProxy)).To(Succeed())
		// Without kube-proxy the node would drop what routers send it.
		Consistently(func(ctx context.Context) (bool, error) {
			routes, err := site.Router("tor-a").Routes(ctx, router.IPv4)
			return slices.Equal(routes.NextHops(lab.HostRoute(web.ipv4())), site.NodeAddresses(router.IPv4, others...)), err
		}).WithContext(ctx).WithTimeout(absence).WithPolling(pace).Should(BeTrue())
		Expect(site.Node("node3").StartKubeProxy()).To(Succeed())
		Eventually(func() error { return web.waitRoutes(ctx, allNodes...) }).WithTimeout(rollout).Should(Succeed())
		back := time.Now()
		waitEndpoints(ctx, 2*len(allNodes))
		w.end().expectRehashAtMost(back)
		web.expectSpread(ctx)
	}, SpecTimeout(specTimeout))

	It("E5 is uninstalled without a trace", func(ctx context.Context) {
		_, err := site.Kubectl(ctx, "delete", "heralds", "default")
		Expect(err).To(MatchError(ContainSubstring("confirm-delete")), "while nodes announce")
		deleteHerald(ctx, web)
		kubectl(ctx, "delete", "--kustomize="+overlay(secondVersion), "--timeout="+rollout.String())
		expectNoTrace(ctx)
	}, SpecTimeout(specTimeout))
})
