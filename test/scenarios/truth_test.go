package scenarios

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

// visible is how long what FRR does may take to show in the API here. Herald takes
// tenths of a second; frr-reload.py alone takes seconds on a busy machine.
const visible = 10 * time.Second

var _ = Describe("Truth", func() {
	It("M1 every session of a node has one BGPSession, which follows it and goes with it", func(ctx SpecContext) {
		mayReset("tor-c")
		count := len(allNodes) * len(site.Routers()) * len(families)
		Eventually(ctx, establishedSessions).Should(HaveLen(count))

		By("the router closing its sessions with node1")
		addr := site.NodeAddresses(router.IPv4, "node1")[0]
		Expect(site.Router("tor-c").Disable(ctx, addr)).To(Succeed())
		closed := time.Now()
		name := v1alpha1.SessionName("node1", "tor-c")
		Eventually(ctx, sessionStatus).WithArguments(ctx, name).WithTimeout(visible).Should(And(
			HaveField("State", Not(Equal(v1alpha1.SessionEstablished))),
			HaveField("LastReset", HaveField("Reason", Not(BeEmpty()))),
			HaveField("Flaps", HaveValue(BeNumerically(">", 0))),
		))
		GinkgoWriter.Printf("visible after %s\n", time.Since(closed))
		Expect(establishedSessions(ctx)).To(HaveLen(count - 1))
		Expect(site.Router("tor-c").Enable(ctx, addr)).To(Succeed())
		Eventually(ctx, func() (string, error) {
			s, err := sessionOf(ctx, "tor-c", "node1", router.IPv4)
			return s.State, err
		}).WithTimeout(time.Minute).Should(Equal(router.Established))
		Eventually(ctx, sessionStatus).WithArguments(ctx, name).WithTimeout(visible).Should(
			HaveField("State", Equal(v1alpha1.SessionEstablished)))

		By("taking the peer away from node2")
		peer := steadyPeer("tor-c", router.IPv6)
		update(ctx, peer, func(p *v1alpha1.BGPPeer) {
			p.Spec.NodeSelectors = []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "kubernetes.io/hostname", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"node2"}},
			}}}
		})
		Eventually(ctx, sessionNames).WithArguments(ctx, peer.Name).Should(ConsistOf(
			v1alpha1.SessionName("node1", peer.Name), v1alpha1.SessionName("node3", peer.Name)))

		By("deleting the peer")
		remove(ctx, peer)
		Eventually(ctx, sessionNames).WithArguments(ctx, peer.Name).Should(BeEmpty())
		Expect(sessionNames(ctx, peerName("tor-c", router.IPv4))).To(HaveLen(len(allNodes)))
	}, SpecTimeout(specTimeout))

	It("M1 a BGPSession counts what the router received", func(ctx SpecContext) {
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		for i := range 3 {
			svc := webService(i)
			create(ctx, svc)
			expectEverywhere(ctx, addressOf(ctx, svc), allNodes...)
		}
		// Counts are written in intervals, with some spread: see counters.
		Eventually(ctx, sessionStatus).WithArguments(ctx, v1alpha1.SessionName("node2", "tor-b")).WithTimeout(4 * counters).Should(
			HaveField("Prefixes.IPv4", HaveValue(Equal(v1alpha1.PrefixCount{Sent: 3}))))
		Eventually(ctx, nodeStatus).WithArguments(ctx, "node2").WithTimeout(4 * counters).Should(
			HaveField("Routes", HaveValue(Equal(v1alpha1.RouteCount{IPv4: 3}))))
	}, SpecTimeout(specTimeout))

	It("M2 BGPNode has the hash of what runs, and FRR's own error when it refuses", func(ctx SpecContext) {
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)
		for _, n := range site.Nodes() {
			Eventually(ctx, condition).WithArguments(ctx, n.Name(), v1alpha1.ConditionProgrammed).Should(HavePrefix("True Applied"))
		}

		By("a peer at an address of the node's own, which no Node object tells")
		bad := refusedForGood(ctx, "node1")
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionProgrammed).Should(And(
			HavePrefix("False ApplyFailed"), ContainSubstring("local system")))
		Eventually(ctx, nodeStatus).WithArguments(ctx, "node1").Should(HaveField("LastApply", And(
			HaveField("Outcome", Equal(v1alpha1.ApplyFailed)), HaveField("Error", ContainSubstring("local system")))))
		expectExplained(ctx, map[string]string{"node1": "Unknown " + v1alpha1.ReasonApplyFailed, "node2": "Announced", "node3": "Announced"})
		Expect(condition(ctx, "node2", v1alpha1.ConditionProgrammed)).To(HavePrefix("True Applied"))
		remains(ctx, addr, absence, allNodes...)

		By("mending it")
		remove(ctx, bad)
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionProgrammed).Should(HavePrefix("True Applied"))
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("M2 the hashes of BGPNode are those of the node's file", func(ctx SpecContext) {
		expectRead(ctx)
		for _, n := range site.Nodes() {
			Eventually(ctx, func(g Gomega) {
				file, err := exchange.ReadConfig(n.ExchangeDir())
				g.Expect(err).NotTo(HaveOccurred())
				status, err := nodeStatus(ctx, n.Name())
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect([]string{status.DesiredHash, status.AppliedHash}).To(HaveEach(file.Hash))
				g.Expect(status.FRRVersion).To(HavePrefix(string(n.Config().FRRVersion)))
			}).WithTimeout(4 * counters).Should(Succeed())
		}
	}, SpecTimeout(specTimeout))

	It("M7 events tell transitions, and nothing else makes one", func(ctx SpecContext) {
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		expectEverywhere(ctx, addressOf(ctx, svc), allNodes...)
		Eventually(ctx, serviceCondition).WithArguments(ctx, svc, v1alpha1.ConditionAnnounced).Should(HavePrefix("True AllNodes"))
		told := func(ctx context.Context) ([]string, error) { return eventsAbout(ctx, svc, "Normal") }
		Eventually(ctx, told).Should(ContainElement(ContainSubstring(v1alpha1.ReasonAllocated)))
		var before []string
		Eventually(ctx, func() (err error) { before, err = told(ctx); return err }).Should(Succeed())

		By("touching labels, the advertisement and the agents")
		for i := range 5 {
			update(ctx, svc, func(s *corev1.Service) { metav1.SetMetaDataLabel(&s.ObjectMeta, "touched", fmt.Sprint(i)) })
		}
		site.Node("node2").Container(node.Agent).Kill()
		all := lab.Advertisement("all")
		update(ctx, all, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Communities = []v1alpha1.CommunityValue{"64512:7"} })
		Eventually(ctx, communitiesAt).WithArguments(ctx, "tor-a", addressOf(ctx, svc)).Should(HaveEach([]string{"64512:7"}))
		Consistently(ctx, told).Should(ConsistOf(before))
		Expect(warnings(ctx, svc)).To(BeEmpty())
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))
})

// expectRead asks a router something, for specs about files and objects: the
// sessions that they tell of are up.
func expectRead(ctx context.Context) {
	GinkgoHelper()
	Expect(checkSessions(ctx)).To(Succeed())
}

// bgpSessions are all BGPSession objects. Two for one node and peer are an error.
func bgpSessions(ctx context.Context) ([]v1alpha1.BGPSession, error) {
	var list v1alpha1.BGPSessionList
	if err := site.API().List(ctx, &list); err != nil {
		return nil, err
	}
	seen := map[v1alpha1.BGPSessionSpec]string{}
	for _, s := range list.Items {
		if other, double := seen[s.Spec]; double {
			return nil, StopTrying(fmt.Sprintf("%s and %s are of one session", s.Name, other))
		}
		seen[s.Spec] = s.Name
	}
	return list.Items, nil
}

func establishedSessions(ctx context.Context) ([]string, error) {
	all, err := bgpSessions(ctx)
	var names []string
	for _, s := range all {
		if s.Status.State == v1alpha1.SessionEstablished {
			names = append(names, s.Name)
		}
	}
	return names, err
}

// sessionNames of a peer.
func sessionNames(ctx context.Context, peer string) ([]string, error) {
	all, err := bgpSessions(ctx)
	var names []string
	for _, s := range all {
		if s.Spec.Peer == peer {
			names = append(names, s.Name)
		}
	}
	return names, err
}

func sessionStatus(ctx context.Context, name string) (v1alpha1.BGPSessionStatus, error) {
	var session v1alpha1.BGPSession
	err := site.API().Get(ctx, crclient.ObjectKey{Name: name}, &session)
	return session.Status, err
}

func nodeStatus(ctx context.Context, name string) (v1alpha1.BGPNodeStatus, error) {
	var n v1alpha1.BGPNode
	err := site.API().Get(ctx, crclient.ObjectKey{Name: name}, &n)
	return n.Status, err
}

// condition of a BGPNode as "Status Reason: message".
func condition(ctx context.Context, nodeName, conditionType string) (string, error) {
	status, err := nodeStatus(ctx, nodeName)
	return conditionText(status.Conditions, conditionType), err
}

// serviceCondition of a Service as "Status Reason: message".
func serviceCondition(ctx context.Context, svc *corev1.Service, conditionType string) (string, error) {
	err := site.API().Get(ctx, crclient.ObjectKeyFromObject(svc), svc)
	return conditionText(svc.Status.Conditions, conditionType), err
}

func conditionText(conditions []metav1.Condition, conditionType string) string {
	c := meta.FindStatusCondition(conditions, conditionType)
	if c == nil {
		return "none"
	}
	return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
}
