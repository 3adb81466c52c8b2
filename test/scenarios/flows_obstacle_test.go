package scenarios

import (
	"context"
	"fmt"
	"net"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wire"
)

var _ = Describe("A node whose machine can't relay", func() {
	It("N12 says so with cause and remedy, its FlowPolicies too, and announces as before; all is well when the cause is gone", func(ctx SpecContext) {
		own := siteOf(ctx, lab.Options{
			FRR: frr.V10_3, NodeFRR: map[int]frr.Version{1: frr.V8_4}, Relay: true, AgentArgs: agentArgs,
			Routers: []lab.RouterOptions{{Name: "tor-a", Make: router.FRR}, {Name: "tor-b", Make: router.BIRD}},
		})
		addrs := announcedFlows(ctx, own) // without a Herald object: no relay has the port yet
		heard := watchWithdrawals(ctx, own)

		By("another program has the tunnel's port on node2, and two FlowPolicies disagree")
		var held net.PacketConn
		Expect(own.Node("node2").Box().InNetwork(func() (err error) {
			held, err = net.ListenPacket("udp", ":14789")
			return err
		})).To(Succeed())
		defer held.Close()
		Expect(own.Create(ctx, &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}})).To(Succeed())
		older := &v1alpha1.FlowPolicy{ObjectMeta: metav1.ObjectMeta{Name: "all"}}
		younger := &v1alpha1.FlowPolicy{ObjectMeta: metav1.ObjectMeta{Name: "younger"}, Spec: v1alpha1.FlowPolicySpec{Mode: v1alpha1.FlowModeOff}}
		Expect(own.Create(ctx, older, younger)).To(Succeed())
		of := func(policy *v1alpha1.FlowPolicy, conditionType string) func() (string, error) {
			return func() (string, error) {
				err := own.API().Get(ctx, crclient.ObjectKeyFromObject(policy), policy)
				return conditionText(policy.Status.Conditions, conditionType), err
			}
		}
		relayOf := func(name string) func() (string, error) {
			return func() (string, error) {
				reported := &v1alpha1.BGPNode{}
				err := own.API().Get(ctx, crclient.ObjectKey{Name: name}, reported)
				return conditionText(reported.Status.Conditions, v1alpha1.ConditionRelayReady), err
			}
		}
		const cause = "UDP port 14789 is in use on this node (see ss -ulnp): give the tunnel another port"
		Eventually(of(older, v1alpha1.ConditionReady)).Should(Equal("False " + exchange.ReasonPort + ": 1 of 3 nodes don't preserve connections: on node2: " + cause))
		Eventually(relayOf("node2")).Should(Equal("False " + exchange.ReasonPort + ": " + cause))
		for _, name := range []string{"node1", "node3"} {
			Eventually(relayOf(name)).Should(HavePrefix("True "), name)
		}
		Eventually(of(younger, v1alpha1.ConditionAccepted)).Should(And(
			HavePrefix("True "+v1alpha1.ReasonConflict+": "), ContainSubstring(`FlowPolicies "all" and "younger"`), ContainSubstring("default/flows")))
		Expect(of(older, v1alpha1.ConditionAccepted)()).To(HavePrefix("True Accepted: "))

		By("events say so")
		told := func() ([]string, error) { return warningsOf(ctx, own) }
		Eventually(told).Should(ContainElements(
			And(HavePrefix("FlowPolicy all "+exchange.ReasonPort+": Ready: "), ContainSubstring("on node2: "+cause)),
			"BGPNode node2 "+exchange.ReasonPort+": RelayReady: "+cause,
		))

		By("routers are told nothing else, for as long as it takes")
		Consistently(heard).Should(BeEmpty())
		kernelsHave(ctx, own, addrs, allNodes...)

		By("the program ends")
		Expect(held.Close()).To(Succeed())
		Eventually(of(older, v1alpha1.ConditionReady)).Should(HavePrefix("True " + v1alpha1.ReasonLearning + ": "))
		Expect(older.Status.NodesLearning).To(BeEquivalentTo(3))
		Eventually(relayOf("node2")).Should(HavePrefix("True "))
		Consistently(heard).Should(BeEmpty())
		kernelsHave(ctx, own, addrs, allNodes...)

		By("control: a route that is withdrawn is heard")
		Expect(own.LabelNode(ctx, "node2", map[string]string{corev1.LabelNodeExcludeBalancers: "true"})).To(Succeed())
		kernelsHave(ctx, own, addrs, "node1", "node3")
		Eventually(func() int { return len(heard()) }).Should(BeNumerically(">=", 2*len(addrs)), "each router, each address")
	}, SpecTimeout(specTimeout))
})

// watchWithdrawals begins to collect what routers hear when their sessions are up: what it
// returns are the messages that withdraw something, and those that begin or end a session.
func watchWithdrawals(ctx context.Context, l *lab.Lab) func() []wire.Message {
	GinkgoHelper()
	var all []*wire.Capture
	for _, r := range l.Routers() {
		for _, family := range families {
			_, err := l.WaitSettled(ctx, r, family)
			Expect(err).NotTo(HaveOccurred())
		}
		c, err := l.Capture(r.Config().Name)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(c.Close)
		all = append(all, c)
	}
	return func() []wire.Message {
		GinkgoHelper()
		var heard []wire.Message
		for _, c := range all {
			heard = append(heard, messages(c, func(m wire.Message) bool { return opensOrCloses(m) || withdraws()(m) })...)
		}
		return heard
	}
}

// warningsOf are the Warning events of a site, as "Kind name Reason: note".
func warningsOf(ctx context.Context, l *lab.Lab) ([]string, error) {
	var events eventsv1.EventList
	err := l.API().List(ctx, &events)
	var all []string
	for _, e := range events.Items {
		if e.Type == corev1.EventTypeWarning {
			all = append(all, fmt.Sprintf("%s %s %s: %s", e.Regarding.Kind, e.Regarding.Name, e.Reason, e.Note))
		}
	}
	return all, err
}
