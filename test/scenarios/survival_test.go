package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/test/lab/kubelet"
	"github.com/herald-lb/herald/test/lab/node"
)

// What dies and what stays.
var _ = Describe("Staying up", func() {
	DescribeTable("R1 no router loses a route or hears anything, and after the restart nothing is applied, when this is killed:",
		func(ctx SpecContext, victims func() []*kubelet.Container) {
			first := announced(ctx, "first")
			before, count := steady(ctx, first), appliesOfAll()
			kill(ctx, victims()...)
			Consistently(ctx, before.holds).WithArguments(ctx).Should(Succeed())

			// The new one does its work, and only the one prefix that is new.
			announcedToo(ctx, "second")
			for _, name := range allNodes {
				Expect(applies(name)).To(Equal(count[name]+1), "%s: applies after the restart", name)
			}
			expectEverywhere(ctx, first, allNodes...)
			expectNoReset(ctx)
		},
		SpecTimeoutEntry("every agent", func() []*kubelet.Container { return containersOf(node.Agent) }),
		SpecTimeoutEntry("every reloader", func() []*kubelet.Container { return containersOf(node.Reloader) }),
		SpecTimeoutEntry("every manager", func() []*kubelet.Container { return site.Managers() }),
	)

	It("R1 no router loses a route while the API server is down, even if agents and reloaders restart meanwhile", func(ctx SpecContext) {
		first := announced(ctx, "first")
		before, count := steady(ctx, first), appliesOfAll()
		cp := site.ControlPlane()
		cp.KillAPI()
		defer func() {
			if ready, err := cp.Ready(ctx); err != nil || !ready {
				Expect(cp.StartAPI(ctx)).To(Succeed())
			}
		}()
		kill(ctx, containersOf(node.Agent)...)
		kill(ctx, containersOf(node.Reloader)...)
		Consistently(ctx, before.holds).WithArguments(ctx).Should(Succeed())
		Expect(cp.StartAPI(ctx)).To(Succeed())

		announcedToo(ctx, "second")
		for _, name := range allNodes {
			Expect(applies(name)).To(Equal(count[name]+1), "%s: applies after the restart", name)
		}
		expectEverywhere(ctx, first, allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("R2 FRR comes back by itself with what was applied, agent and reloader dead, on both releases", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		mayReset("node1", "node2")
		running := map[string][]string{}
		for _, name := range []string{"node1", "node2"} {
			running[name] = runningBlocks(ctx, name)
		}
		for _, name := range []string{"node1", "node2"} {
			defer stopped(name, node.Agent, node.Reloader)()
		}
		before := steady(ctx, addr)
		kill(ctx, containersOf(node.FRR, "node1", "node2")...)
		Eventually(ctx, before.holds).WithArguments(ctx, "node1", "node2").ShouldNot(Succeed())
		expectEverywhere(ctx, addr, allNodes...)
		for name, want := range running {
			Eventually(ctx, runningBlocks).WithArguments(ctx, name).Should(Equal(want), name)
		}
		Expect(before.holds(ctx, "node3")).To(Succeed())

		// When they are back they find all as it should be.
		restored, count := steady(ctx, addr), appliesOfAll()
		startAll("node1")
		startAll("node2")
		healthy(ctx, allNodes...)
		Consistently(ctx, restored.holds).WithArguments(ctx).Should(Succeed())
		Expect(appliesOfAll()).To(Equal(count))
	}, SpecTimeout(specTimeout))

	It("R2 FRR comes back under a living reloader, which finds nothing to apply; a single daemon too", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		mayReset("node1", "node2")
		count := appliesOfAll()
		for _, crash := range []func(string){
			func(name string) { kill(ctx, containersOf(node.FRR, name)...) },
			func(name string) { killDaemon(ctx, name, "bgpd") },
		} {
			before := steady(ctx, addr)
			for _, name := range []string{"node1", "node2"} {
				crash(name)
			}
			Eventually(ctx, before.holds).WithArguments(ctx, "node1").ShouldNot(Succeed())
			expectEverywhere(ctx, addr, allNodes...)
			healthy(ctx, "node1", "node2")
			Expect(before.holds(ctx, "node3")).To(Succeed())
		}
		Expect(appliesOfAll()).To(Equal(count))
	}, SpecTimeout(specTimeout))
})

// SpecTimeoutEntry is an Entry with the timeout of a spec.
func SpecTimeoutEntry(description string, args ...any) TableEntry {
	return Entry(description, append(args, SpecTimeout(specTimeout))...)
}

// killDaemon ends one of FRR's daemons on a node with SIGKILL.
func killDaemon(ctx SpecContext, nodeName, daemon string) {
	GinkgoHelper()
	_, err := site.Node(nodeName).Container(node.FRR).Box().Run(ctx, "sh", "-c", "kill -9 $(cat /run/frr/"+daemon+".pid)")
	Expect(err).NotTo(HaveOccurred())
}
