package scenarios

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wire"
)

var _ = Describe("Applying", func() {
	It("R4 nothing is applied and nothing is sent when the state is the same again", func(ctx SpecContext) {
		all := lab.Advertisement("all")
		create(ctx, lab.Pool("public", block4), all)
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)
		for _, name := range allNodes {
			Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionProgrammed).Should(HavePrefix("True Applied"))
		}
		settled(ctx)
		before := map[string]*report.Apply{}
		for _, name := range allNodes {
			last, err := lastApply(name)
			Expect(err).NotTo(HaveOccurred())
			before[name] = last
		}
		wires := captures()

		By("writing what is there already, and what concerns nobody")
		update(ctx, all, func(a *v1alpha1.BGPAdvertisement) { metav1.SetMetaDataAnnotation(&a.ObjectMeta, "note", "again") })
		update(ctx, svc, func(s *corev1.Service) { metav1.SetMetaDataLabel(&s.ObjectMeta, "note", "again") })
		_, err := site.SyncEndpoints(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, name := range allNodes {
			heartbeat(ctx, name)
		}

		By("restarting agent and reloader of node2")
		for _, name := range []string{node.Agent, node.Reloader} {
			container := site.Node("node2").Container(name)
			starts := container.Starts()
			container.Kill()
			Eventually(ctx, func() bool { return container.Running() && container.Starts() > starts }).Should(BeTrue())
		}
		Eventually(ctx, condition).WithArguments(ctx, "node2", v1alpha1.ConditionReady).Should(HavePrefix("True"))
		Eventually(ctx, condition).WithArguments(ctx, "node2", v1alpha1.ConditionProgrammed).Should(HavePrefix("True Applied"))

		// The new reloader knows of no apply, since it made none.
		before["node2"] = nil
		Eventually(ctx, lastApply).WithArguments("node2").Should(BeNil())
		Consistently(ctx, func(g Gomega) {
			for name, want := range before {
				last, err := lastApply(name)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(last).To(Equal(want), name)
			}
		}).Should(Succeed())
		for name, c := range wires {
			Expect(messages(c, updates)).To(BeEmpty(), "updates to %s", name)
		}
		expectEverywhere(ctx, addr, allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("R5 what FRR refuses leaves the old routes, is told within 2 s, is tried ever more rarely, and heals by itself", func(ctx SpecContext) {
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionProgrammed).Should(HavePrefix("True Applied"))

		refusedForGood(ctx, "node1")
		Eventually(ctx, lastError).WithArguments("node1").Should(ContainSubstring("local system"))
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionProgrammed).WithTimeout(visible).Should(
			And(HavePrefix("False "+v1alpha1.ReasonApplyFailed), ContainSubstring("local system")))

		By("watching for a while")
		attempts := map[time.Time]bool{}
		Consistently(ctx, func(g Gomega) {
			last, err := lastApply("node1")
			g.Expect(err).NotTo(HaveOccurred())
			attempts[last.Time] = true
			g.Expect(hopsAt(ctx, site.Router("tor-a"), addr)).To(Equal(site.NodeAddresses(router.IPv4, allNodes...)))
		}).WithTimeout(2 * absence).Should(Succeed())
		Expect(len(attempts)).To(BeNumerically("<=", 6), "attempts in %s", 2*absence)
		remains(ctx, addr, time.Second, allNodes...)

		By("taking the cause away, without any change in the API")
		removeOwnAddress("node1")
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionProgrammed).WithTimeout(time.Minute).Should(HavePrefix("True Applied"))
		remains(ctx, addr, time.Second, allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))
})

// updates is true for messages that announce or withdraw; the End-of-RIB marker
// of a young session (RFC 4724 section 2) does neither.
func updates(m wire.Message) bool { return len(m.Announced)+len(m.Withdrawn) > 0 }

// lastApply is what a node's reloader last did, nil if it did nothing since it
// started.
func lastApply(nodeName string) (*report.Apply, error) { return lastApplyOn(site.Node(nodeName)) }

func lastApplyOn(n *node.Node) (*report.Apply, error) {
	data, err := os.ReadFile(filepath.Join(n.ExchangeDir(), exchange.ReportFile))
	if err != nil {
		return nil, err
	}
	r, err := report.Decode(data)
	return r.LastApply, err
}

// lastError is FRR's word on the last apply.
func lastError(nodeName string) (string, error) {
	last, err := lastApply(nodeName)
	if err == nil && last == nil {
		err = errors.New("nothing was applied")
	}
	if err != nil {
		return "", err
	}
	return last.Error, nil
}
