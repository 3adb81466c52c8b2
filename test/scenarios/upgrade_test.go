package scenarios

import (
	"fmt"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/test/lab/node"
)

var _ = Describe("An upgrade", func() {
	It("R13 of agents and reloaders doesn't start FRR again, applies nothing, and no router hears anything of it, on both releases", func(ctx SpecContext) {
		first := announced(ctx, "first")
		before, count, files := steady(ctx, first), appliesOfAll(), stampsOfFiles()
		daemons := map[string]string{}
		for _, name := range allNodes {
			daemons[name] = daemonsOf(ctx, name)
		}
		next := fmt.Sprintf("next-%d", time.Now().Unix())
		Expect(site.Upgrade(next)).To(Succeed())
		for _, name := range allNodes { // as DaemonSets do: the old pod ends, then the new one starts
			for _, container := range []string{node.Agent, node.Reloader} {
				site.Node(name).Stop(container, time.Second)
			}
			startAll(name)
			Eventually(ctx, func(g Gomega) {
				for _, container := range []string{node.Agent, node.Reloader} {
					log, err := os.ReadFile(site.Node(name).LogFile(container))
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(string(log)).To(ContainSubstring(next), "%s of %s", container, name)
				}
			}).Should(Succeed())
			healthy(ctx, name)
			Expect(before.holds(ctx)).To(Succeed())
		}
		Consistently(ctx, before.holds).WithArguments(ctx).Should(Succeed())
		for _, name := range allNodes {
			Expect(daemonsOf(ctx, name)).To(Equal(daemons[name]), "%s: FRR's processes", name)
		}
		Expect(stampsOfFiles()).To(Equal(files))
		Expect(appliesOfAll()).To(Equal(count))

		announcedToo(ctx, "second")
		expectNoReset(ctx)
	}, SpecTimeout(2*specTimeout))
})

// daemonsOf are the process numbers of a node's FRR.
func daemonsOf(ctx SpecContext, nodeName string) string {
	GinkgoHelper()
	out, err := site.Node(nodeName).Container(node.FRR).Box().Run(ctx, "sh", "-c", "cat /run/frr/*.pid")
	Expect(err).NotTo(HaveOccurred())
	return out
}
