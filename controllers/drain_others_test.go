package controllers_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/controllers/snapshot"
)

var _ = Describe("An agent whose node drains", func() {
	It("knows all other nodes at once or none, what they lack, and nothing once it ends", func() {
		const many = 40
		for i := range many {
			name := fmt.Sprintf("n%02d", i)
			readyNode(name)
			reports(name, true)
			changeStatus(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(n *v1alpha1.BGPNode) {
				meta.SetStatusCondition(&n.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReporting})
			})
			session(name, "tor", v1alpha1.SessionEstablished)
		}
		create(endpoints("web", "IPv4", "n01"))

		// With no more rights than the manifests give it.
		mgr, err := ctrl.NewManager(asAccount("herald-agent"), ctrl.Options{Scheme: k8s.Scheme(), Metrics: server.Options{BindAddress: "0"}})
		Expect(err).NotTo(HaveOccurred())
		told := make(chan *snapshot.Others, 1000)
		watch := controllers.NewDrainWatch(mgr, "n00", func(others *snapshot.Others) { told <- others })
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- watch.Start(running) }()
		DeferCleanup(func() {
			stop()
			Eventually(done).Should(Receive(BeNil()))
		})
		lacks := func(name string) func(*snapshot.Others) snapshot.Lack {
			return func(others *snapshot.Others) snapshot.Lack {
				for _, other := range others.Nodes {
					if other.Node.Name == name {
						return other.Lacks
					}
				}
				return 0
			}
		}
		for range 3 { // drains that begin and end
			watch.Want(true)
			var first *snapshot.Others
			Eventually(told).Should(Receive(&first))
			Expect(first.Nodes).To(HaveLen(many - 1))
			for _, other := range first.Nodes {
				Expect(other.Lacks).To(Equal(snapshot.LackNothing), other.Node.Name)
				Expect(other.Sessions).To(HaveKey("tor"), other.Node.Name)
			}
			Expect(first.Slices).To(HaveKey(types.NamespacedName{Namespace: "default", Name: "web"}))

			reports("n01", false)
			Eventually(told).Should(Receive(WithTransform(lacks("n01"), Equal(snapshot.LackProgrammed))))
			reports("n01", true)
			Eventually(told).Should(Receive(WithTransform(lacks("n01"), Equal(snapshot.LackNothing))))
			watch.Want(false)
			Eventually(told).Should(Receive(BeNil()))
		}
	})
})

// readyNode makes a Node that its kubelet says is Ready.
func readyNode(name string) {
	GinkgoHelper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	create(node)
	changeStatus(node, func(n *corev1.Node) {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	})
}
