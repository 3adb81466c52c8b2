package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
)

func condition(kind string) func() string {
	return func() string {
		c := meta.FindStatusCondition(bgpNode().Status.Conditions, kind)
		if c == nil {
			return "absent"
		}
		return string(c.Status) + " " + c.Reason + ": " + c.Message
	}
}

func sessionState(peer string) func() v1alpha1.SessionState {
	return func() v1alpha1.SessionState {
		if session := bgpSession(peer); session != nil {
			return session.Status.State
		}
		return "absent"
	}
}

func established(address string, sent int64) report.Session {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return report.Session{
		Address: address, LocalASN: 64512, RemoteASN: 64513, State: "Established", Since: &since,
		IPv4: &report.Prefixes{Sent: sent},
	}
}

// reportingAgent is an agent whose first configuration is reported as applied.
func reportingAgent() *runningAgent {
	GinkgoHelper()
	agent := startAgent(nodeName, GinkgoT().TempDir(), ready())
	Eventually(agent.frrConf).Should(ContainSubstring("neighbor"))
	agent.report()
	Eventually(condition(v1alpha1.ConditionReady)).Should(HavePrefix("True Reporting"))
	Eventually(condition(v1alpha1.ConditionProgrammed)).Should(HavePrefix("True Applied"))
	return agent
}

var _ = Describe("what the agent publishes", func() {
	It("M1: one BGPSession per peer, which follows the report and goes with the peer", func() {
		node, peer := baseWorld()
		create(newPeer("tor-b", "192.0.2.2"))
		agent := reportingAgent()
		Eventually(sessionState(peerName)).Should(Equal(v1alpha1.SessionIdle), "FRR doesn't show it yet")

		agent.report(func(r *report.Report) {
			r.Sessions = []report.Session{established("192.0.2.1", 3), {Address: "192.0.2.2", State: "Active"}}
		})
		Eventually(sessionState(peerName)).Should(Equal(v1alpha1.SessionEstablished))
		Eventually(sessionState("tor-b")).Should(Equal(v1alpha1.SessionActive))
		session := bgpSession(peerName)
		Expect(session.Spec).To(Equal(v1alpha1.BGPSessionSpec{Node: nodeName, Peer: peerName}))
		Expect(session.OwnerReferences).To(HaveLen(1))
		Expect(session.OwnerReferences[0].UID).To(Equal(node.UID))
		Expect(session.Status.Since.UTC()).To(Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		session.Status.Since = nil
		Expect(session.Status).To(Equal(v1alpha1.BGPSessionStatus{
			Address: "192.0.2.1", LocalASN: 64512, RemoteASN: 64513, State: v1alpha1.SessionEstablished, Flaps: ptr.To(int64(0)),
			GracefulRestart: v1alpha1.GracefulRestartNotNegotiated,
			Prefixes:        v1alpha1.SessionPrefixes{IPv4: &v1alpha1.PrefixCount{Sent: 3}},
		}))

		agent.report(func(r *report.Report) {
			r.Sessions[0].State, r.Sessions[0].Flaps, r.Sessions[0].LastResetReason = "Active", 1, "Hold Timer Expired"
		})
		Eventually(sessionState(peerName)).Should(Equal(v1alpha1.SessionActive))
		Expect(bgpSession(peerName).Status.LastReset.Reason).To(Equal("Hold Timer Expired"))

		Expect(api.Delete(ctx, peer)).To(Succeed())
		Eventually(func() any { return bgpSession(peerName) }).Should(BeNil())
		Expect(sessionState("tor-b")()).To(Equal(v1alpha1.SessionActive))

		Expect(api.Delete(ctx, bgpSession("tor-b"))).To(Succeed())
		Eventually(sessionState("tor-b")).Should(Equal(v1alpha1.SessionActive), "what a foreign hand deletes comes back")
	})

	It("M2: hashes, FRR's error, and that it clears when the user goes back", func() {
		baseWorld()
		agent := reportingAgent()
		good, err := exchange.ReadConfig(agent.dir)
		Expect(err).NotTo(HaveOccurred())

		bad := newPeer("tor-b", "192.0.2.2")
		create(bad)
		Eventually(agent.frrConf).Should(ContainSubstring("192.0.2.2"))
		agent.report(func(r *report.Report) {
			r.AppliedHash = good.Hash
			r.LastApply = &report.Apply{Steps: []string{"frr-reload"}, Error: "% Unknown command: neighbor", Time: time.Now()}
		})
		Eventually(condition(v1alpha1.ConditionProgrammed)).Should(Equal("False ApplyFailed: % Unknown command: neighbor"))
		told := bgpNode().Status
		Expect(told.AppliedHash).To(Equal(good.Hash))
		Expect(told.DesiredHash).NotTo(Equal(good.Hash))
		Expect(told.LastApply.Error).To(Equal("% Unknown command: neighbor"))
		Expect(told.LastApply.Outcome).To(Equal(v1alpha1.ApplyFailed))

		Expect(api.Delete(ctx, bad)).To(Succeed())
		Eventually(condition(v1alpha1.ConditionProgrammed)).Should(HavePrefix("True Applied"))
	})

	It("says Pending when an apply is overdue, and Applied after it", func() {
		baseWorld()
		agent := reportingAgent()
		applied, err := exchange.ReadConfig(agent.dir)
		Expect(err).NotTo(HaveOccurred())
		create(newPeer("tor-b", "192.0.2.2"))
		Eventually(agent.frrConf).Should(ContainSubstring("192.0.2.2"))
		overdue := func() string {
			agent.clock.forward(status.PendingGrace)
			agent.report(func(r *report.Report) { r.AttemptedHash, r.AppliedHash = applied.Hash, applied.Hash })
			return condition(v1alpha1.ConditionProgrammed)()
		}
		Eventually(overdue).Should(HavePrefix("False Pending"))
		agent.report()
		Eventually(condition(v1alpha1.ConditionProgrammed)).Should(HavePrefix("True Applied"))
	})

	It("M9: a dead reloader is seen, and every session is Unknown", func() {
		baseWorld()
		agent := reportingAgent()
		agent.report(func(r *report.Report) { r.Sessions = []report.Session{established("192.0.2.1", 1)} })
		Eventually(sessionState(peerName)).Should(Equal(v1alpha1.SessionEstablished))
		Expect(agent.Ready(nil)).To(Succeed())

		agent.clock.forward(report.MaxAge + time.Second)
		agent.Reports.Wake()
		Eventually(condition(v1alpha1.ConditionReady)).Should(HavePrefix("False ReloaderNotReporting"))
		Eventually(condition(v1alpha1.ConditionProgrammed)).Should(HavePrefix("Unknown ReloaderNotReporting"))
		Eventually(sessionState(peerName)).Should(Equal(v1alpha1.SessionUnknown))
		Expect(agent.Ready(nil)).To(MatchError(ContainSubstring("reloader does not report")))

		agent.report()
		Eventually(condition(v1alpha1.ConditionReady)).Should(HavePrefix("True Reporting"))
		Eventually(sessionState(peerName)).Should(Equal(v1alpha1.SessionEstablished))

		agent.report(func(r *report.Report) { r.FRR = report.FRR{Error: "another FRR runs here: stop it"} })
		Eventually(condition(v1alpha1.ConditionReady)).Should(Equal("False FRRNotRunning: another FRR runs here: stop it"))
	})

	It("overwrites what the manager said of it while it was away", func() {
		baseWorld()
		reportingAgent()
		Eventually(func() error { // until the agent doesn't write at the same moment
			node := bgpNode()
			meta.SetStatusCondition(&node.Status.Conditions, metav1.Condition{
				Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonAgentNotReporting, Message: "gone",
			})
			return api.Status().Update(ctx, node)
		}).Should(Succeed())
		Eventually(condition(v1alpha1.ConditionReady)).Should(HavePrefix("True Reporting"))
	})

	It("lists what this node refuses, and M8: never a password", func() {
		baseWorld()
		withheld := newPeer("tor-b", "192.0.2.2")
		withheld.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: "tor-b"}
		create(withheld)
		agent := reportingAgent()
		Eventually(func() []v1alpha1.NodeIssue { return bgpNode().Status.Issues }).Should(ContainElement(And(
			HaveField("Kind", "BGPPeer"), HaveField("Name", "tor-b"), HaveField("Reason", v1alpha1.ReasonSecretNotFound))))
		Expect(agent.frrConf()).NotTo(ContainSubstring("192.0.2.2"))

		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: secretsNamespace}}
		Expect(client.IgnoreAlreadyExists(api.Create(ctx, namespace))).To(Succeed())
		create(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: secretsNamespace, Name: "tor-b"},
			Type:       corev1.SecretTypeBasicAuth, StringData: map[string]string{"username": "", "password": "hunter2"},
		})
		Eventually(agent.frrConf).Should(ContainSubstring("hunter2"))
		agent.report()
		Eventually(func() []v1alpha1.NodeIssue { return bgpNode().Status.Issues }).Should(BeEmpty())
		Eventually(sessionState("tor-b")).ShouldNot(Equal(v1alpha1.SessionState("absent")))
		text, err := yaml.Marshal([]any{bgpNode(), bgpSession("tor-b")})
		Expect(err).NotTo(HaveOccurred())
		Expect(string(text)).NotTo(ContainSubstring("hunter2"))
	})

	It("M10: counters are written at most once a minute, whatever churns", func() {
		baseWorld()
		agent := reportingAgent()
		agent.report(func(r *report.Report) { r.Sessions = []report.Session{established("192.0.2.1", 0)} })
		Eventually(sessionState(peerName)).Should(Equal(v1alpha1.SessionEstablished))
		writes := agent.writes.Load()
		for i := range 20 {
			create(newService(fmt.Sprint("web-", i), fmt.Sprint("203.0.113.", i+1)))
			create(newSlice(fmt.Sprint("web-", i), nodeName))
			Eventually(agent.frrConf).Should(ContainSubstring(fmt.Sprintf("network 203.0.113.%d/32", i+1)))
			agent.report(func(r *report.Report) { r.Sessions = []report.Session{established("192.0.2.1", int64(i+1))} })
		}
		Expect(agent.writes.Load()).To(Equal(writes))
		Expect(condition(v1alpha1.ConditionProgrammed)()).To(HavePrefix("True Applied"))

		By("a minute later they are")
		agent.clock.forward(75 * time.Second)
		agent.report()
		Eventually(func(g Gomega) {
			routes := bgpNode().Status.Routes
			g.Expect(routes).NotTo(BeNil())
			g.Expect(routes.IPv4).To(Equal(int64(20)))
		}).Should(Succeed())
		Eventually(func() int64 { return bgpSession(peerName).Status.Prefixes.IPv4.Sent }).Should(Equal(int64(20)))
		Expect(bgpNode().Status.AppliedHash).To(Equal(bgpNode().Status.DesiredHash))
		Expect(agent.writes.Load()).To(Equal(writes + 2))
	})

	It("R10: a directory that can't be written is reported, and the agent recovers", func() {
		baseWorld()
		agent := reportingAgent()
		aside := agent.dir + ".aside"
		Expect(os.Rename(agent.dir, aside)).To(Succeed())
		create(newPeer("tor-b", "192.0.2.2"))
		Eventually(condition(v1alpha1.ConditionProgrammed)).Should(And(HavePrefix("False ApplyFailed: exchange directory"), ContainSubstring("no such file")))

		Expect(os.Rename(aside, agent.dir)).To(Succeed())
		Eventually(agent.frrConf).Should(ContainSubstring("192.0.2.2"))
		agent.report()
		Eventually(condition(v1alpha1.ConditionProgrammed)).Should(HavePrefix("True Applied"))
	})

	It("refuses a report that it can't read, and says so", func() {
		baseWorld()
		agent := reportingAgent()
		data, err := os.ReadFile(filepath.Join(agent.dir, exchange.ReportFile))
		Expect(err).NotTo(HaveOccurred())
		later := strings.Replace(string(data), `"version": 1`, `"version": 99`, 1)
		Expect(exchange.WriteFile(agent.dir, exchange.ReportFile, []byte(later))).To(Succeed())
		Eventually(func() string { return agent.Reports.Report.Observe().Error }).Should(ContainSubstring("unknown report version 99"))
		agent.clock.forward(report.MaxAge + time.Second)
		agent.Reports.Wake()
		Eventually(condition(v1alpha1.ConditionReady)).Should(ContainSubstring("unknown report version 99"))
	})
})
