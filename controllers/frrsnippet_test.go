package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
)

var _ = Describe("FRRSnippets", func() {
	status := func(name string) func() string {
		return func() string {
			snippet := &v1alpha1.FRRSnippet{}
			_ = k8s.Get(ctx, client.ObjectKey{Name: name}, snippet)
			return brief(snippet.Status.Conditions, v1alpha1.ConditionAccepted)
		}
	}
	says := func(node string, states ...v1alpha1.NodeSnippet) {
		GinkgoHelper()
		object := &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: node}}
		changeStatus(object, func(n *v1alpha1.BGPNode) { n.Status.Snippets = states })
	}

	It("are accepted where every node's FRR says so, and refused line by line", func() {
		runManager()
		create(newNode("a", nil), newNode("b", map[string]string{"rack": "r2"}))
		good := &v1alpha1.FRRSnippet{ObjectMeta: metav1.ObjectMeta{Name: "good"}, Spec: v1alpha1.FRRSnippetSpec{Config: "ip route 10.9.0.0/24 192.0.2.9"}}
		bad := &v1alpha1.FRRSnippet{ObjectMeta: metav1.ObjectMeta{Name: "bad"}, Spec: v1alpha1.FRRSnippetSpec{Config: "!\nhostname x"}}
		create(good, bad)
		Eventually(status("bad")).Should(Equal("False InvalidSnippet"))
		Eventually(status("good")).Should(Equal("Unknown SnippetPending"))

		issue := v1alpha1.NodeIssue{Kind: "FRRSnippet", Name: "good", Reason: v1alpha1.ReasonSnippetRefused, Message: "spec.config: FRR: no"}
		reports("a", true)
		reports("b", true, issue)
		says("a", v1alpha1.NodeSnippet{Name: "good", Generation: 1, State: v1alpha1.NodeSnippetAccepted})
		says("b", v1alpha1.NodeSnippet{Name: "good", Generation: 1, State: v1alpha1.NodeSnippetRefused})
		Eventually(status("good")).Should(Equal("True PartiallyAccepted"))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(good), good)).To(Succeed())
		Expect(good.Status.NodesSelected).To(Equal(int32(2)))
		Expect(good.Status.NodesAccepted).To(Equal(int32(1)))

		By("an edit, of which the nodes have said nothing yet")
		change(good, func(s *v1alpha1.FRRSnippet) {
			s.Spec.NodeSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"rack": "r2"}}}
		})
		Eventually(status("good")).Should(Equal("Unknown SnippetPending"))
		says("b", v1alpha1.NodeSnippet{Name: "good", Generation: 2, State: v1alpha1.NodeSnippetAccepted})
		Eventually(status("good")).Should(Equal("True Accepted"))
	})
})
