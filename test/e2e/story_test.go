//go:build e2e

package e2e

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/test/cluster"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

// requests are opened to see how they spread.
const requests = 60

var _ = Describe("Herald on a real cluster", Ordered, func() {
	var (
		service  = lab.Service("web")
		address  netip.Addr
		prefix   netip.Prefix
		allNodes = []string{"node1", "node2", "node3"}
	)
	expectRoutes := func(ctx context.Context, nodes ...string) {
		GinkgoHelper()
		for _, r := range site.Routers() {
			Expect(site.WaitRoutes(ctx, r, prefix, nodes...)).To(Succeed())
			Expect(site.WaitKernel(ctx, r, prefix, nodes...)).To(Succeed())
		}
	}
	sessions := func(ctx context.Context) map[string]map[netip.Addr]router.Session {
		GinkgoHelper()
		all := map[string]map[netip.Addr]router.Session{}
		for _, r := range site.Routers() {
			established, err := site.WaitEstablished(ctx, r, router.IPv4)
			Expect(err).NotTo(HaveOccurred())
			all[r.Config().Name] = established
		}
		return all
	}

	It("E1 is installed by its kustomization and the Herald object", func(ctx context.Context) {
		kubectl(ctx, "apply", "--server-side", "--kustomize="+overlay(firstVersion))
		kubectl(ctx, "wait", "--for=condition=Established", "crd/heralds.herald-lb.io", "--timeout=60s")
		apply(ctx, heraldObject)
		waitHerald(ctx, firstVersion)
		Expect(frrPods(ctx)).To(HaveLen(len(allNodes)))
	}, SpecTimeout(specTimeout))

	It("E2 announces a Service of a real Deployment from every node, and a client reaches it over all of them", func(ctx context.Context) {
		apply(ctx, echoDeployment)
		kubectl(ctx, "rollout", "status", "deployment/web", "--timeout="+rollout.String())
		Expect(site.API().Create(ctx, lab.Pool("public", "203.0.113.0/24"))).To(Succeed())
		Expect(site.API().Create(ctx, lab.Advertisement("all"))).To(Succeed())
		for _, r := range site.Routers() {
			Expect(site.API().Create(ctx, site.Peer(r.Config().Name, router.IPv4))).To(Succeed())
		}
		Expect(site.API().Create(ctx, service)).To(Succeed())
		addresses, err := site.WaitAddress(ctx, service)
		Expect(err).NotTo(HaveOccurred())
		address, prefix = addresses[0], lab.HostRoute(addresses[0])
		sessions(ctx)
		expectRoutes(ctx, allNodes...)
		waitEndpoints(ctx, 3)
		for _, r := range site.Routers() {
			spread := site.Client().Open(ctx, requests, site.Via(r.Config().Name, router.IPv4), netip.AddrPortFrom(address, 80))
			Expect(spread.Errors).To(BeEmpty())
			Expect(site.EnteredBy(spread)).To(And(HaveKey("node1"), HaveKey("node2"), HaveKey("node3")))
			Expect(spread.ByNode()).To(HaveLen(3), "pods of all nodes answered")
		}
	}, SpecTimeout(specTimeout))

	It("E3 is upgraded under traffic: no request fails, no route goes, FRR isn't restarted", func(ctx context.Context) {
		second, err := cluster.HeraldImage(filepath.Join(programs, secondVersion), secondVersion)
		Expect(err).NotTo(HaveOccurred())
		Expect(site.Import(ctx, second)).To(Succeed())
		before, frrBefore := sessions(ctx), frrPods(ctx)
		w := startWatch(ctx, address)
		defer w.end()
		kubectl(ctx, "apply", "--server-side", "--kustomize="+overlay(secondVersion))
		waitHerald(ctx, secondVersion)
		w.end().expectNothingLost()
		for _, r := range site.Routers() {
			Expect(lab.CheckNoReset(ctx, r, before[r.Config().Name])).To(Succeed())
		}
		Expect(frrPods(ctx)).To(ConsistOf(frrBefore), "FRR's pods")
	}, SpecTimeout(specTimeout))

	It("E4 loses a crashed node's route and no other, and gets it back with the node's dataplane", func(ctx context.Context) {
		others := []string{"node1", "node2"}
		site.Node("node3").Crash()
		// The routers' hold time is 30 s: there is no BFD here.
		for _, r := range site.Routers() {
			Eventually(func() error { return site.WaitRoutes(ctx, r, prefix, others...) }).WithTimeout(wait.BringUp).Should(Succeed())
		}
		expectRoutes(ctx, others...)
		waitEndpoints(ctx, 2)
		w := startWatch(ctx, address)
		defer w.end()
		Expect(site.Node("node3").Boot(ctx, cluster.KubeProxy)).To(Succeed())
		// Without kube-proxy the node would drop what routers send it.
		Consistently(func(ctx context.Context) (bool, error) {
			routes, err := site.Router("tor-a").Routes(ctx, router.IPv4)
			return slices.Equal(routes.NextHops(prefix), site.NodeAddresses(router.IPv4, others...)), err
		}).WithContext(ctx).WithTimeout(absence).WithPolling(pace).Should(BeTrue())
		Expect(site.Node("node3").StartKubeProxy()).To(Succeed())
		for _, r := range site.Routers() {
			Eventually(func() error { return site.WaitRoutes(ctx, r, prefix, allNodes...) }).WithTimeout(rollout).Should(Succeed())
		}
		expectRoutes(ctx, allNodes...)
		waitEndpoints(ctx, 3)
		Expect(w.end().failed).To(BeEmpty(), "of %d requests while the node came back", w.requests)
		for _, r := range site.Routers() {
			spread := site.Client().Open(ctx, requests, site.Via(r.Config().Name, router.IPv4), netip.AddrPortFrom(address, 80))
			Expect(spread.Errors).To(BeEmpty())
			Expect(site.EnteredBy(spread)).To(HaveKey("node3"))
		}
	}, SpecTimeout(specTimeout))

	It("E5 is uninstalled without a trace", func(ctx context.Context) {
		_, err := site.Kubectl(ctx, "delete", "heralds", "default")
		Expect(err).To(MatchError(ContainSubstring("confirm-delete")), "while nodes announce")
		kubectl(ctx, "annotate", "heralds", "default", "herald-lb.io/confirm-delete=true")
		kubectl(ctx, "delete", "heralds", "default", "--timeout="+rollout.String())
		expectRoutes(ctx)
		kubectl(ctx, "delete", "--kustomize="+overlay(secondVersion), "--timeout="+rollout.String())
		for _, kinds := range []string{
			"crds", "namespaces", "clusterroles,clusterrolebindings", "validatingadmissionpolicies,validatingadmissionpolicybindings",
			"daemonsets,deployments,pods,serviceaccounts,configmaps,secrets",
		} {
			left := kubectl(ctx, "get", kinds, "--all-namespaces", "--output=name", "--ignore-not-found")
			Expect(strings.Split(left, "\n")).NotTo(ContainElement(ContainSubstring("herald")), kinds)
		}
		for _, n := range site.Nodes() {
			out, err := n.Box().Run(ctx, "ip", "route", "show", "table", "all")
			Expect(err).NotTo(HaveOccurred())
			Expect(out).NotTo(Or(ContainSubstring("proto bgp"), ContainSubstring("proto 196")), "routes of FRR's on %s", n.Name())
			Eventually(func() (string, error) { return n.Box().Run(ctx, "ps", "-eo", "comm") }).
				WithTimeout(wait.Process).WithPolling(time.Second).ShouldNot(Or(ContainSubstring("bgpd"), ContainSubstring("herald"), ContainSubstring("reloader")))
			// What docs/upgrade.md says remains: a directory in memory.
			Expect(n.Box().Run(ctx, "ls", "/run/herald")).To(Equal("exchange\nfrr\n"))
		}
	}, SpecTimeout(specTimeout))
})
