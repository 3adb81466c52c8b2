package scenarios

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("Truth", func() {
	It("M1 two BGPPeers of one address never make two BGPSessions of one session", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		before := steady(ctx, addr)
		twin := site.Peer("tor-a", router.IPv4)
		twin.Name = "twin"
		create(ctx, twin)
		Eventually(ctx, func() (string, error) {
			err := site.API().Get(ctx, crclient.ObjectKeyFromObject(twin), twin)
			return conditionText(twin.Status.Conditions, v1alpha1.ConditionAccepted), err
		}).Should(And(HavePrefix("False "+v1alpha1.ReasonDuplicatePeer), ContainSubstring(`"tor-a"`)))
		Consistently(ctx, sessionNames).WithArguments(ctx, twin.Name).Should(BeEmpty())
		Expect(sessionNames(ctx, "tor-a")).To(HaveLen(len(allNodes)))
		Expect(before.holds(ctx)).To(Succeed())
	}, SpecTimeout(specTimeout))

	It("M7 what happens while no manager lives is told once by the next, and nothing old is told again", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		svc := lab.Service("web")
		Eventually(ctx, serviceCondition).WithArguments(ctx, svc, v1alpha1.ConditionAnnounced).Should(HavePrefix("True"))
		Eventually(ctx, toldAbout).WithArguments(ctx, svc, corev1.EventTypeNormal).Should(HaveKey(v1alpha1.ReasonAllocated))
		normal, err := toldAbout(ctx, svc, corev1.EventTypeNormal)
		Expect(err).NotTo(HaveOccurred())

		kill(ctx, site.Managers()...)
		_, err = site.RemovePod(ctx, "web-node2")
		Expect(err).NotTo(HaveOccurred())
		expectEverywhere(ctx, addr) // no manager is needed for it
		Eventually(ctx, toldAbout).WithArguments(ctx, svc, corev1.EventTypeWarning).WithTimeout(2 * controllers.DefaultLease.Duration).Should(
			Equal(map[string]int{v1alpha1.ReasonNoEndpoint: 1}))
		Consistently(ctx, func(g Gomega) {
			g.Expect(toldAbout(ctx, svc, corev1.EventTypeWarning)).To(Equal(map[string]int{v1alpha1.ReasonNoEndpoint: 1}))
			g.Expect(toldAbout(ctx, svc, corev1.EventTypeNormal)).To(Equal(normal))
		}).Should(Succeed())
		Expect(serviceCondition(ctx, svc, v1alpha1.ConditionAnnounced)).To(HavePrefix("False " + v1alpha1.ReasonNoEndpoint))
		expectExplained(ctx, onAll("NotAnnounced NoEndpoint"))
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))
})

// toldAbout counts the events of a type about an object by reason, repetitions
// included.
func toldAbout(ctx context.Context, obj crclient.Object, eventType string) (map[string]int, error) {
	var events eventsv1.EventList
	if err := site.API().List(ctx, &events); err != nil {
		return nil, err
	}
	told := map[string]int{}
	for _, e := range events.Items {
		if e.Type != eventType || e.Regarding.UID != obj.GetUID() {
			continue
		}
		told[e.Reason]++
		if e.Series != nil {
			told[e.Reason] += int(e.Series.Count) - 1
		}
	}
	return told, nil
}
