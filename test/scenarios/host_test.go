package scenarios

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/wire"
)

var _ = Describe("The host", func() {
	It("R11 after a reboot no router is sent anything before kube-proxy is ready, on both releases", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		mayReset(bothReleases...)
		for _, name := range bothReleases {
			Expect(site.Reboot(ctx, name, node.Containers...)).To(Succeed())
			defer startAll(name)
		}
		// Not before: what announcing the Service sent may come late.
		wires := captures()
		ready := map[string]func(){}
		for _, name := range bothReleases {
			ready[name] = answerNotReady(site.Node(name))
			for _, container := range []string{node.FRR, node.Reloader, node.Agent} {
				Expect(site.Node(name).StartContainer(container)).To(Succeed())
			}
		}
		for _, r := range site.Routers() {
			for _, name := range bothReleases {
				expectEstablished(ctx, r.Config().Name, name)
			}
		}
		Consistently(ctx, func() []wire.Message {
			var sent []wire.Message
			for _, c := range wires {
				sent = append(sent, messages(c, updatesFrom(bothReleases...))...)
			}
			return sent
		}).Should(BeEmpty())
		Expect(site.WaitRoutes(ctx, site.Router("tor-a"), lab.HostRoute(addr), "node3")).To(Succeed())

		for _, name := range bothReleases {
			ready[name]()
			startAll(name)
		}
		expectEverywhere(ctx, addr, allNodes...)
	}, SpecTimeout(specTimeout))

	It("R12 not one network sysctl of a host without forwarding is changed by Herald's first start and end, on both releases", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		mayReset(bothReleases...)
		before := map[string][]string{}
		for _, name := range bothReleases {
			beginAnew(name, "0")
			defer func() {
				beginAnew(name, "1")
				startAll(name)
			}()
			before[name] = sysctlsOf(ctx, name)
			Expect(before[name]).To(ContainElement("net.ipv4.ip_forward = 0"))
			startAll(name)
		}
		expectEverywhere(ctx, addr, allNodes...) // before: node3 alone
		for _, name := range bothReleases {
			healthy(ctx, name)
			Expect(sysctlsOf(ctx, name)).To(Equal(before[name]), "%s: with FRR running", name)
			for _, container := range []string{node.Agent, node.Reloader, node.FRR} {
				site.Node(name).Stop(container, time.Second)
			}
			Expect(sysctlsOf(ctx, name)).To(Equal(before[name]), "%s: with FRR ended", name)
		}
	}, SpecTimeout(specTimeout))

	It("M9 a dead agent is told within seconds, its routes stay, and it heals", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		before := steady(ctx, addr)
		defer stopped("node3", node.Agent)()
		// The kubelet's probe, the manager's grace of 5 s, and a busy machine.
		Eventually(ctx, condition).WithArguments(ctx, "node3", v1alpha1.ConditionReady).Should(
			HavePrefix("Unknown " + v1alpha1.ReasonAgentNotReporting))
		Expect(condition(ctx, "node2", v1alpha1.ConditionReady)).To(HavePrefix("True"))
		Expect(before.holds(ctx)).To(Succeed())

		By("starting it again")
		startAll("node3")
		healthy(ctx, allNodes...)
		Consistently(ctx, condition).WithArguments(ctx, "node3", v1alpha1.ConditionReady).Should(HavePrefix("True"))
		Expect(before.holds(ctx)).To(Succeed())
	}, SpecTimeout(specTimeout))

	It("M9 a dead reloader and a dead FRR are told within seconds, and routes outlive the reloader", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		mayReset("node3")
		before := steady(ctx, addr)
		defer stopped("node3", node.Reloader)()
		Eventually(ctx, condition).WithArguments(ctx, "node3", v1alpha1.ConditionReady).WithTimeout(report.MaxAge + visible).Should(
			HavePrefix("False " + v1alpha1.ReasonReloaderNotReady))
		Eventually(ctx, sessionStatus).WithArguments(ctx, v1alpha1.SessionName("node3", "tor-a")).WithTimeout(visible).Should(
			HaveField("State", v1alpha1.SessionUnknown))
		Expect(before.holds(ctx)).To(Succeed())
		startAll("node3")
		healthy(ctx, "node3")
		Expect(before.holds(ctx)).To(Succeed())

		site.Node("node3").Stop(node.FRR, 0)
		Eventually(ctx, condition).WithArguments(ctx, "node3", v1alpha1.ConditionReady).WithTimeout(visible).Should(
			HavePrefix("False " + v1alpha1.ReasonFRRNotRunning))
		Eventually(ctx, sessionStatus).WithArguments(ctx, v1alpha1.SessionName("node3", "tor-a")).WithTimeout(visible).ShouldNot(
			HaveField("State", v1alpha1.SessionEstablished))
		expectEverywhere(ctx, addr, "node1", "node2")
		expectExplained(ctx, map[string]string{"node1": "Announced", "node2": "Announced", "node3": "NotAnnounced " + v1alpha1.ReasonFRRNotRunning})
		startAll("node3")
		healthy(ctx, "node3")
		expectEverywhere(ctx, addr, allNodes...)
	}, SpecTimeout(specTimeout))
})

// updatesFrom is true for messages of these nodes that announce anything.
func updatesFrom(nodes ...string) func(wire.Message) bool {
	from := map[string]bool{}
	for _, family := range families {
		for _, addr := range site.NodeAddresses(family, nodes...) {
			from[addr.String()] = true
		}
	}
	return func(m wire.Message) bool { return from[m.From.String()] && len(m.Announced) > 0 }
}

// beginAnew takes Herald off a node, with all that it left, and lets the kernel
// forward ("1") or not ("0").
func beginAnew(nodeName, forwarding string) {
	GinkgoHelper()
	n := site.Node(nodeName)
	for _, container := range []string{node.Agent, node.Reloader, node.FRR} {
		n.Stop(container, time.Second)
	}
	for _, dir := range []string{n.ExchangeDir(), n.FRRDir()} {
		entries, err := os.ReadDir(dir)
		Expect(err).NotTo(HaveOccurred())
		for _, e := range entries {
			Expect(os.RemoveAll(filepath.Join(dir, e.Name()))).To(Succeed())
		}
	}
	Expect(n.Box().Sysctl(map[string]string{
		"net.ipv4.ip_forward": forwarding, "net.ipv6.conf.all.forwarding": forwarding,
	})).To(Succeed())
}

// sysctlsOf are all of the node's network sysctls that aren't counters. Those
// that can't be read are left out. Counted as a read of the kernel.
func sysctlsOf(ctx context.Context, nodeName string) []string {
	GinkgoHelper()
	_, err := site.Node(nodeName).Sysctl(ctx, "net.ipv4.ip_forward")
	Expect(err).NotTo(HaveOccurred())
	out, err := site.Node(nodeName).Box().Run(ctx, "sh", "-c", "sysctl -a -r '^net' 2>/dev/null || true")
	Expect(err).NotTo(HaveOccurred())
	Expect(out).To(ContainSubstring("net.ipv6.conf.all.accept_redirects"))
	var kept []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "_count = ") {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	return kept
}
