package scenarios

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("What is told", func() {
	It("M5 an agent's metrics tell each session, and a peer's series go with it", func(ctx SpecContext) {
		mayReset("tor-c")
		up := func(peer string, value int) string {
			return fmt.Sprintf("herald_session_up{address=%q,peer=%q,vrf=\"\"} %d\n", site.RouterAddress("tor-c", router.IPv4), peer, value)
		}
		for _, n := range site.Nodes() {
			Eventually(ctx, metricsOf).WithArguments(ctx, n).Should(ContainSubstring(up("tor-c", 1)), n.Name())
		}

		for _, series := range []string{
			`herald_session_messages_total\{address="[^"]+",direction="received",peer="tor-c",type="open",vrf=""\} [1-9]`,
			`herald_apply_duration_seconds_count\{outcome="Applied",path="[a-z-]+"\} [1-9]`,
			`herald_event_to_applied_seconds_count [1-9]`,
		} {
			Eventually(ctx, metricsOf).WithArguments(ctx, site.Node("node1")).Should(MatchRegexp(series))
		}

		By("the router closing its session with node1")
		addr := site.NodeAddresses(router.IPv4, "node1")[0]
		Expect(site.Router("tor-c").Disable(ctx, addr)).To(Succeed())
		Eventually(ctx, metricsOf).WithArguments(ctx, site.Node("node1")).Should(ContainSubstring(up("tor-c", 0)))
		Expect(metricsOf(ctx, site.Node("node2"))).To(ContainSubstring(up("tor-c", 1)))
		Expect(site.Router("tor-c").Enable(ctx, addr)).To(Succeed())

		By("removing the peer")
		others := strings.Count(seriesOf(ctx, "node1", "herald_session_up"), "\n")
		remove(ctx, steadyPeer("tor-c", router.IPv4))
		for _, n := range site.Nodes() {
			Eventually(ctx, metricsOf).WithArguments(ctx, n).ShouldNot(ContainSubstring(`peer="tor-c"`), n.Name())
		}
		Expect(strings.Count(seriesOf(ctx, "node1", "herald_session_up"), "\n")).To(Equal(others - 1))
		Eventually(ctx, func() (string, error) {
			s, err := sessionOf(ctx, "tor-c", "node1", router.IPv4)
			return s.State, err
		}).ShouldNot(Equal(router.Established))
	}, SpecTimeout(specTimeout))

	It("M6 an error clears when the user goes back to the last good state", func(ctx SpecContext) {
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)

		// An address of the node's own that no object of the cluster tells.
		n := site.Node("node2")
		bad := refusedForGood(ctx, "node2")
		Eventually(ctx, condition).WithArguments(ctx, "node2", v1alpha1.ConditionProgrammed).Should(HavePrefix("False " + v1alpha1.ReasonApplyFailed))
		Eventually(ctx, metricsOf).WithArguments(ctx, n).Should(And(ContainSubstring("herald_last_apply_failed 1\n"), ContainSubstring("herald_programmed 0\n")))

		By("taking the mistake back")
		remove(ctx, bad)
		Eventually(ctx, condition).WithArguments(ctx, "node2", v1alpha1.ConditionProgrammed).Should(HavePrefix("True Applied"))
		Eventually(ctx, nodeStatus).WithArguments(ctx, "node2").WithTimeout(4 * counters).Should(
			HaveField("LastApply.Error", BeEmpty()))
		Eventually(ctx, metricsOf).WithArguments(ctx, n).Should(And(ContainSubstring("herald_last_apply_failed 0\n"), ContainSubstring("herald_programmed 1\n")))
		remains(ctx, addr, absence/3, allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("M3 a Service's condition follows its sessions", func(ctx SpecContext) {
		mayReset("tor-c")
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)
		announced := func() AsyncAssertion { // written at most twice in 30 s
			return Eventually(ctx, serviceCondition).WithArguments(ctx, svc, v1alpha1.ConditionAnnounced).WithTimeout(time.Minute)
		}
		announced().Should(HavePrefix("True AllNodes"))
		node1 := site.NodeAddresses(router.IPv4, "node1")[0]
		Expect(site.Router("tor-c").Disable(ctx, node1)).To(Succeed())
		expectAt(ctx, "tor-c", addr, "node2", "node3")
		announced().Should(HavePrefix("True SomeNodes"))
		expectExplained(ctx, map[string]string{"node1": "Announced", "node2": "Announced", "node3": "Announced"})
		Eventually(ctx, routesExplained).WithArguments(ctx, "web", "node1").Should(
			Equal(map[string]string{"tor-a": "Announced", "tor-b": "Announced", "tor-c": "NotAnnounced SessionDown"}))
		Expect(site.Router("tor-c").Enable(ctx, node1)).To(Succeed())
		announced().Should(HavePrefix("True AllNodes"))
		expectEverywhere(ctx, addr, allNodes...)
	}, SpecTimeout(specTimeout))
})

// seriesOf are the lines of one metric of a node's agent.
func seriesOf(ctx context.Context, nodeName, metric string) string {
	GinkgoHelper()
	text, err := metricsOf(ctx, site.Node(nodeName))
	Expect(err).NotTo(HaveOccurred())
	var series strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, metric+"{") {
			series.WriteString(line)
		}
	}
	return series.String()
}
