//go:build e2e

package e2e

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/test/lab/wait"
)

// deleteHerald is how every uninstallation begins, see docs/upgrade.md. The routers
// lose the routes.
func deleteHerald(ctx context.Context, web announcement) {
	GinkgoHelper()
	kubectl(ctx, "annotate", "heralds", "default", "herald-lb.io/confirm-delete=true")
	kubectl(ctx, "delete", "heralds", "default", "--timeout="+rollout.String())
	Expect(web.waitRoutes(ctx)).To(Succeed())
}

// expectNoTrace fails if anything of Herald's is left in the cluster or, but for
// what docs/upgrade.md says remains, on a node.
func expectNoTrace(ctx context.Context) {
	GinkgoHelper()
	for _, kinds := range []string{
		"crds", "namespaces", "clusterroles,clusterrolebindings,roles,rolebindings",
		"validatingadmissionpolicies,validatingadmissionpolicybindings",
		"daemonsets,deployments,pods,serviceaccounts,configmaps,secrets,networkpolicies,poddisruptionbudgets,services",
	} {
		left := kubectl(ctx, "get", kinds, "--all-namespaces", "--output=name", "--ignore-not-found")
		Expect(strings.Split(left, "\n")).NotTo(ContainElement(ContainSubstring("herald")), kinds)
	}
	for _, n := range site.Nodes() {
		out, err := n.Box().Run(ctx, "ip", "route", "show", "table", "all")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).NotTo(Or(ContainSubstring("proto bgp"), ContainSubstring("proto 196")), "routes of FRR's on %s", n.Name())
		for _, list := range [][]string{{"nft", "list", "tables"}, {"ip", "-br", "link"}} {
			Expect(n.Box().Run(ctx, list...)).NotTo(ContainSubstring("herald"), "rules and devices of the relay on %s", n.Name())
		}
		Eventually(func() (string, error) { return n.Box().Run(ctx, "ps", "-eo", "comm") }).
			WithTimeout(wait.Process).WithPolling(time.Second).ShouldNot(Or(ContainSubstring("bgpd"), ContainSubstring("herald"), ContainSubstring("reloader")))
		// A directory in memory.
		Expect(n.Box().Run(ctx, "ls", "/run/herald")).To(Equal("exchange\nfrr\nrelay\n"))
	}
}
