package controllers_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/relay/exchange"
)

func newFlowPolicy(name string) *v1alpha1.FlowPolicy {
	return &v1alpha1.FlowPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func getFlowPolicy(name string) *v1alpha1.FlowPolicy {
	policy := &v1alpha1.FlowPolicy{}
	_ = k8s.Get(ctx, client.ObjectKey{Name: name}, policy)
	return policy
}

// flowStatus as "Accepted; Ready; learning/nodes".
func flowStatus(name string) func() string {
	return func() string {
		s := getFlowPolicy(name).Status
		return fmt.Sprintf("%s; %s; %d/%d", brief(s.Conditions, v1alpha1.ConditionAccepted), brief(s.Conditions, v1alpha1.ConditionReady), s.NodesLearning, s.Nodes)
	}
}

// relays makes a BGPNode as the agent writes it of its node's relay.
func relays(node string, learning bool, reason, text string, issues ...v1alpha1.NodeIssue) {
	GinkgoHelper()
	object := &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: node}}
	Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, object))).To(Succeed())
	changeStatus(object, func(n *v1alpha1.BGPNode) {
		n.Status.Relay, n.Status.Issues = &v1alpha1.NodeRelay{Learning: learning}, issues
		status := metav1.ConditionFalse
		if reason == v1alpha1.ReasonReporting {
			status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&n.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionRelayReady, Status: status, Reason: reason, Message: text})
	})
}

func flowIssue(policy, reason, text string) v1alpha1.NodeIssue {
	return v1alpha1.NodeIssue{Kind: "FlowPolicy", Name: policy, Reason: reason, Message: text}
}

var _ = Describe("FlowPolicy status", func() {
	BeforeEach(func() {
		create(newNode("n1", nil), newNode("n2", nil), newHerald())
		runManager()
	})
	learns := func(nodes ...string) {
		GinkgoHelper()
		for _, node := range nodes {
			relays(node, true, v1alpha1.ReasonReporting, "connections of FlowPolicies' Services are preserved")
		}
	}
	ready := func(name string) func() string {
		return func() string { return message(getFlowPolicy(name).Status.Conditions, v1alpha1.ConditionReady) }
	}

	It("N8 M1 says which nodes don't preserve connections, and each cause with its remedy", func() {
		create(newFlowPolicy("keep"))
		Eventually(flowStatus("keep")).Should(Equal("True Accepted; Unknown AgentNotReporting; 0/0"))
		learns("n1", "n2")
		Eventually(flowStatus("keep")).Should(Equal("True Accepted; True Learning; 2/2"))
		for _, reason := range []string{
			exchange.ReasonKernel, exchange.ReasonRPFilter, exchange.ReasonDataplane, exchange.ReasonPort,
			exchange.ReasonMTU, exchange.ReasonPeers, exchange.ReasonFailed, v1alpha1.ReasonRelayNotReporting,
		} {
			By(reason)
			relays("n2", false, reason, "the cause: the remedy for "+reason)
			Eventually(flowStatus("keep")).Should(Equal("True Accepted; False " + reason + "; 1/2"))
			Expect(ready("keep")()).To(Equal("1 of 2 nodes don't preserve connections: on n2: the cause: the remedy for " + reason))
		}

		By("another cause on another node, and one that has only begun")
		relays("n1", false, exchange.ReasonRPFilter, "set rp_filter to 2")
		Eventually(ready("keep")).Should(And(
			HavePrefix("2 of 2 nodes don't preserve connections: "), ContainSubstring("on n1: set rp_filter to 2"),
			ContainSubstring("on n2: the cause: the remedy for "+v1alpha1.ReasonRelayNotReporting)))
		learns("n2")
		relays("n1", false, v1alpha1.ReasonReporting, "there is nothing to relay")
		Eventually(flowStatus("keep")).Should(Equal("True Accepted; False Pending; 1/2"))
		learns("n1")
		Eventually(flowStatus("keep")).Should(Equal("True Accepted; True Learning; 2/2"))

		By("a node that is gone counts no more, and an Off policy preserves nothing anywhere")
		Expect(k8s.Delete(ctx, newNode("n2", nil))).To(Succeed())
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n2"}}))).To(Succeed())
		Eventually(flowStatus("keep")).Should(Equal("True Accepted; True Learning; 1/1"))
		change(newFlowPolicy("keep"), func(p *v1alpha1.FlowPolicy) { p.Spec.Mode = v1alpha1.FlowModeOff })
		Eventually(flowStatus("keep")).Should(Equal("True Accepted; True Off; 0/1"))
	})

	It("N8 says that without a Herald object nothing is preserved, and what to do", func() {
		learns("n1", "n2")
		create(newFlowPolicy("keep"))
		off := newFlowPolicy("off")
		off.Spec.Mode = v1alpha1.FlowModeOff
		create(off)
		Eventually(flowStatus("keep")).Should(Equal("True Accepted; True Learning; 2/2"))
		events := eventCounts(newFlowPolicy("keep"))
		Consistently(events).Should(BeEmpty())

		change(newHerald(), func(h *v1alpha1.Herald) { h.Finalizers = nil })
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, newHerald()))).To(Succeed())
		Eventually(flowStatus("keep")).Should(HavePrefix("True Accepted; False NoHerald; "))
		Expect(ready("keep")()).To(And(ContainSubstring(`there is no Herald object "default"`), ContainSubstring("make one")))
		Eventually(events).Should(Equal(map[string]int{"Warning NoHerald": 1}))
		Consistently(flowStatus("off")).Should(HavePrefix("True Accepted; True Off; "))

		create(newHerald())
		Eventually(flowStatus("keep")).Should(Equal("True Accepted; True Learning; 2/2"))
		Eventually(events).Should(Equal(map[string]int{"Warning NoHerald": 1, "Normal Learning": 1}))
	})

	It("V9 what can't be used is told, and heals; a policy that selects nothing says so", func() {
		learns("n1", "n2")
		malformed, poolless := newFlowPolicy("malformed"), newFlowPolicy("poolless")
		malformed.Spec.ServiceSelectors = []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}
		poolless.Spec.IPAddressPools = []string{"p"}
		create(malformed, poolless, newFlowPolicy("idle"))
		Eventually(flowStatus("malformed")).Should(Equal("False InvalidSelector; False NotAccepted; 2/2"))
		Eventually(flowStatus("poolless")).Should(Equal("False PoolNotFound; False NotAccepted; 2/2"))
		Eventually(flowStatus("idle")).Should(Equal("True Accepted; True Learning; 2/2"))
		create(newPool("p", "203.0.113.0/24"))
		Eventually(flowStatus("poolless")).Should(Equal("True Accepted; True Learning; 2/2"))

		nothing := flowIssue("idle", v1alpha1.ReasonNoServiceSelected, "spec selects no Service: correct the selectors")
		for _, node := range []string{"n1", "n2"} {
			relays(node, false, v1alpha1.ReasonReporting, "there is nothing to relay", nothing)
		}
		Eventually(flowStatus("idle")).Should(Equal("True NoServiceSelected; False NoServiceSelected; 0/2"))
		Expect(ready("idle")()).To(Equal(nothing.Message))
		Eventually(flowStatus("poolless")).Should(Equal("True Accepted; False Pending; 0/2"), "others say nothing of it")
		learns("n1", "n2")
		Eventually(flowStatus("idle")).Should(Equal("True Accepted; True Learning; 2/2"))
	})

	It("V4 of two on one Service the younger says that the older holds, and too many nodes are told", func() {
		learns("n1", "n2")
		create(newFlowPolicy("older"), newFlowPolicy("younger"))
		Eventually(flowStatus("younger")).Should(Equal("True Accepted; True Learning; 2/2"))
		conflict := flowIssue("younger", v1alpha1.ReasonConflict, `FlowPolicies "older" and "younger" both select Services, such as shop/web`)
		for _, node := range []string{"n1", "n2"} {
			relays(node, true, v1alpha1.ReasonReporting, "", conflict)
		}
		Eventually(flowStatus("younger")).Should(Equal("True Conflict; True Learning; 2/2"))
		Expect(message(getFlowPolicy("younger").Status.Conditions, v1alpha1.ConditionAccepted)).To(ContainSubstring("such as shop/web"))
		Eventually(flowStatus("older")).Should(Equal("True Accepted; True Learning; 2/2"))

		many := flowIssue("older", v1alpha1.ReasonTooManyNodes, "Herald runs on more than 65 nodes")
		for _, node := range []string{"n1", "n2"} {
			relays(node, false, v1alpha1.ReasonReporting, "", many)
		}
		Eventually(flowStatus("older")).Should(Equal("False TooManyNodes; False NotAccepted; 0/2"))
		Eventually(flowStatus("younger")).Should(Equal("True Accepted; False Pending; 0/2"))
	})
})
