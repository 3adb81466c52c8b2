package scenarios

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
)

var _ = Describe("The exchange directory", func() {
	It("R10 that becomes read-only costs no route, is reported by agent and manager, and what came meanwhile is announced once it can be written, on both releases", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		before := steady(ctx, addr)
		for _, name := range bothReleases {
			defer exchangeDir(ctx, name, "rw") // before anything is looked at or removed
			exchangeDir(ctx, name, "ro")
		}
		meanwhile := lab.Service("meanwhile")
		podOn(ctx, "node2", "meanwhile")
		create(ctx, meanwhile)
		late := addressOf(ctx, meanwhile)
		expectEverywhere(ctx, late, "node3")
		for _, name := range bothReleases {
			Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionProgrammed).Should(
				And(HavePrefix("False "+v1alpha1.ReasonApplyFailed), ContainSubstring("read-only file system")), name)
			// The reloader can't tell anything any more either.
			Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionReady).WithTimeout(report.MaxAge+visible).Should(
				HavePrefix("False "+v1alpha1.ReasonReloaderNotReady), name)
		}
		Expect(before.holds(ctx, bothReleases...)).To(Succeed())

		By("writing again")
		for _, name := range bothReleases {
			exchangeDir(ctx, name, "rw")
		}
		expectEverywhere(ctx, late, allNodes...)
		healthy(ctx, allNodes...)
		expectEverywhere(ctx, addr, allNodes...)
	}, SpecTimeout(specTimeout))
})

// exchangeDir makes a node's exchange directory read-only ("ro") or not ("rw"), for
// its agent and its reloader.
func exchangeDir(ctx context.Context, nodeName, mode string) {
	GinkgoHelper()
	n := site.Node(nodeName)
	_, err := n.Box().Run(ctx, "mount", "-o", "remount,bind,"+mode, "/run/herald")
	Expect(err).NotTo(HaveOccurred())
	_, err = n.Container(node.Reloader).Box().Run(ctx, "mount", "-o", "remount,bind,"+mode, "/run/herald/exchange")
	Expect(err).NotTo(HaveOccurred())
}
