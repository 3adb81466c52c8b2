package agent_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/relay/exchange"
)

// relayedAgent is an agent whose node has a relay, which the test plays.
type relayedAgent struct {
	*runningAgent
	dir     string
	reports int
}

func startRelayed(dir, relayDir string) *relayedAgent {
	GinkgoHelper()
	return &relayedAgent{dir: relayDir, runningAgent: startAgent(nodeName, dir, ready(), func(o *controllers.AgentOptions) {
		o.RelayDir = relayDir
	})}
}

// told are the addresses of the frontends that the relay is to learn.
func (a *relayedAgent) told() []string {
	desired, _, err := exchange.ReadDesired(a.dir)
	if err != nil {
		return nil
	}
	var addresses []string
	for _, frontend := range desired.Learn {
		addresses = append(addresses, frontend.Address.String())
	}
	return addresses
}

// relayReports that what the relay was told last is in force.
func (a *relayedAgent) relayReports(edits ...func(*exchange.Report)) {
	GinkgoHelper()
	_, hash, err := exchange.ReadDesired(a.dir)
	Expect(err).NotTo(HaveOccurred())
	a.reports++
	report := exchange.Report{Time: a.clock.Now().Add(-time.Duration(a.reports) * time.Millisecond), Applied: hash, Learning: true}
	for _, edit := range edits {
		edit(&report)
	}
	Expect(exchange.WriteReport(a.dir, report)).To(Succeed())
}

// reasons of the issues of the BGPNode.
func reasons() []string {
	var all []string
	for _, issue := range bgpNode().Status.Issues {
		all = append(all, issue.Reason)
	}
	return all
}

var _ = Describe("the node's relay", func() {
	announces := func(address string) OmegaMatcher { return ContainSubstring("network " + address + "/32 route-map") }
	const plainIP, lateIP = "203.0.113.8", "203.0.113.9"
	service := func(name, ip string) {
		GinkgoHelper()
		create(newService(name, ip))
		create(newSlice(name, nodeName))
	}

	// Where there is no Herald object nothing is relayed.
	newHerald := func() *v1alpha1.Herald {
		return &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}}
	}

	It("L5 N8: what FlowPolicies select is first announced when the relay has its rules; nothing else waits, and what is announced stays", func() {
		baseWorld()
		create(newHerald())
		policy := &v1alpha1.FlowPolicy{ObjectMeta: metav1.ObjectMeta{Name: "keep"}}
		policy.Spec.ServiceSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"tier": "gold"}}}
		create(policy)
		gold := newService("web", webIP)
		gold.Labels = map[string]string{"tier": "gold"}
		create(gold)
		create(newSlice("web", nodeName))
		service("plain", plainIP)
		dir, relayDir := GinkgoT().TempDir(), GinkgoT().TempDir()
		agent := startRelayed(dir, relayDir)
		Eventually(agent.frrConf).Should(announces(plainIP))
		Eventually(agent.told).Should(Equal([]string{webIP}))
		agent.report()
		Eventually(reasons).Should(ContainElement(v1alpha1.ReasonRelayPending))
		Expect(agent.frrConf()).NotTo(announces(webIP))

		By("a policy that comes to select what is announced")
		edit(policy, func(p *v1alpha1.FlowPolicy) { p.Spec.ServiceSelectors = nil })
		Eventually(agent.told).Should(Equal([]string{webIP, plainIP}))
		agent.relayReports(func(r *exchange.Report) { r.Applied = "another" })
		Consistently(agent.frrConf).Should(And(announces(plainIP), Not(announces(webIP))))

		By("the relay has its rules")
		agent.relayReports(func(r *exchange.Report) {
			r.Counters.Relayed, r.Preserved, r.Owned = 7, 2, map[netip.Addr]int{netip.MustParseAddr(webIP): 3}
		})
		Eventually(agent.frrConf).Should(And(announces(plainIP), announces(webIP)))
		agent.report()
		Eventually(reasons).Should(BeEmpty())
		Eventually(condition(v1alpha1.ConditionRelayReady)).Should(HavePrefix("True " + v1alpha1.ReasonReporting))
		Eventually(func() *v1alpha1.NodeRelay { return bgpNode().Status.Relay }).Should(
			Equal(&v1alpha1.NodeRelay{Learning: true, Relayed: 7, OwnedConnections: 3, PreservedConnections: 2}))

		By("a new Service, of which it doesn't know yet")
		service("late", lateIP)
		Eventually(agent.frrConf).Should(announces(lateIP))
	})

	It("L5 N8: announcing waits for a relay some seconds only, and never again in this boot", func() {
		baseWorld()
		create(newHerald())
		create(&v1alpha1.FlowPolicy{ObjectMeta: metav1.ObjectMeta{Name: "keep"}})
		service("web", webIP)
		dir, relayDir := GinkgoT().TempDir(), GinkgoT().TempDir()
		agent := startRelayed(dir, relayDir)
		Eventually(agent.told).Should(Equal([]string{webIP}))
		Expect(agent.frrConf()).NotTo(announces(webIP))
		agent.relayReports(func(r *exchange.Report) {
			r.Learning = false
			r.Problems = []exchange.Problem{{Reason: exchange.ReasonRPFilter, Message: "rp_filter is 1", Learning: true}}
		})
		Consistently(agent.frrConf, "300ms").ShouldNot(announces(webIP), "what keeps a relay from learning may pass at boot")
		agent.clock.forward(gates.RelayTimeout)
		Eventually(agent.frrConf).Should(announces(webIP))
		agent.report()
		Eventually(reasons).Should(Equal([]string{v1alpha1.ReasonRelayTimedOut}))
		Eventually(condition(v1alpha1.ConditionRelayReady)).Should(Equal("False " + exchange.ReasonRPFilter + ": rp_filter is 1"))

		By("it learns in the end")
		agent.relayReports()
		Eventually(reasons).Should(BeEmpty())
		agent.stop()

		By("another agent, without a relay")
		Expect(os.Remove(filepath.Join(relayDir, exchange.ReportFile))).To(Succeed())
		again := startRelayed(dir, relayDir)
		service("late", lateIP)
		Eventually(again.told).Should(Equal([]string{webIP, lateIP}))
		Eventually(again.frrConf).Should(And(announces(webIP), announces(lateIP)))
	})

	It("takes its rules away when Herald is uninstalled, and makes none without a Herald object", func() {
		baseWorld()
		herald := newHerald()
		create(herald)
		create(&v1alpha1.FlowPolicy{ObjectMeta: metav1.ObjectMeta{Name: "keep"}})
		service("web", webIP)
		dir, relayDir := GinkgoT().TempDir(), GinkgoT().TempDir()
		agent := startRelayed(dir, relayDir)
		Eventually(agent.told).Should(Equal([]string{webIP}))
		agent.relayReports()
		Eventually(agent.frrConf).Should(announces(webIP))

		By("the object goes, as where its finalizer was taken away by hand")
		Expect(api.Delete(ctx, herald)).To(Succeed())
		removes := func(a *relayedAgent) func() bool {
			return func() bool {
				desired, _, err := exchange.ReadDesired(a.dir)
				return err == nil && desired.Remove
			}
		}
		Eventually(removes(agent)).Should(BeTrue())
		Consistently(agent.frrConf, "300ms").Should(announces(webIP), "routes go with FRR")

		By("another agent, before its pod goes")
		agent.stop()
		again := startRelayed(dir, relayDir)
		Eventually(again.compiles.Load).Should(BeNumerically(">", 0))
		Consistently(removes(again)).Should(BeTrue())
		Expect(again.frrConf()).To(announces(webIP))
		again.stop()

		By("an agent that has seen nothing of it")
		Expect(os.Remove(filepath.Join(relayDir, exchange.DesiredFile))).To(Succeed())
		late := startRelayed(dir, relayDir)
		Eventually(removes(late)).Should(BeTrue())

		By("Herald is installed again")
		create(newHerald())
		Eventually(late.told).Should(Equal([]string{webIP}))
	})
})
