package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/wire"
)

// graceful is GRACEFUL_SHUTDOWN (RFC 8326) as routers spell it, and on the wire.
const (
	graceful       = "graceful-shutdown"
	gracefulOnWire = "65535:0"
)

// longConverge is longer than a spec.
const longConverge = 10 * time.Minute

var _ = Describe("A node that drains", func() {
	It("N4 tells the routers, withdraws, is safe to shut down, and comes back: sessions stay, on both releases", func(ctx SpecContext) {
		const converge = 3 * time.Second
		herald := drainTimes(ctx, longConverge, 3*time.Second)
		addrs := announcedDualStack(ctx, "web")
		for _, name := range []string{"node1", "node2"} {
			By("draining " + name + ": the routers get all the time that they need")
			rest := without(name)
			setConverge(ctx, herald, longConverge)
			Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionDraining).Should(HavePrefix("False NotDraining"))
			wires, seen := captures(), watchDrain(ctx, name)
			drainNode(ctx, name, "new disks")
			for _, addr := range addrs {
				for _, r := range site.Routers() {
					Eventually(ctx, saysGraceful).WithArguments(ctx, r, addr).Should(Equal(site.NodeAddresses(familyOf(addr), name)), "%s at %s", addr, r.Config().Name)
				}
				// FRR heeds the community unasked, over eBGP (RFC 8326 section 4.2).
				Expect(site.WaitKernel(ctx, site.Router("tor-a"), lab.HostRoute(addr), rest...)).To(Succeed())
			}
			By("they have had it")
			setConverge(ctx, herald, converge)
			for _, addr := range addrs {
				expectEverywhere(ctx, addr, rest...)
			}
			Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("True TimeLimit"))
			Expect(condition(ctx, name, v1alpha1.ConditionDraining)).To(Equal("True Drained: annotation herald-lb.io/drain: new disks"))
			expectInOrder(seen("Drained True"), "NotDraining False", "GracefulShutdown False", "Withdrawing False", "Serving False", "Drained True")
			for routerName, c := range wires {
				expectGracefulFirst(c, routerName, name, addrs, converge)
			}

			By("killing the agent of the drained node: nothing comes back")
			wires = captures()
			kill(ctx, containersOf(node.Agent, name)...)
			healthy(ctx, name)
			for _, addr := range addrs {
				remains(ctx, addr, absence, rest...)
			}
			for routerName, c := range wires {
				Expect(messages(c, updatesFrom(name))).To(BeEmpty(), routerName)
			}
			Expect(condition(ctx, name, v1alpha1.ConditionSafeToShutdown)).To(HavePrefix("True TimeLimit"))

			By("ending the drain: the routes come back as they were")
			undrainNode(ctx, name)
			for _, addr := range addrs {
				expectEverywhere(ctx, addr, allNodes...)
				for _, r := range site.Routers() {
					Eventually(ctx, saysGraceful).WithArguments(ctx, r, addr).Should(BeEmpty(), "%s at %s", addr, r.Config().Name)
				}
			}
			Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionDraining).Should(HavePrefix("False NotDraining"))
			Expect(condition(ctx, name, v1alpha1.ConditionSafeToShutdown)).To(HavePrefix("False NotDraining"))
		}
		expectNoReset(ctx)
	}, SpecTimeout(2*specTimeout))

	It("N5 goes on announcing what no other node can, and of several that drain the last does", func(ctx SpecContext) {
		drainTimes(ctx, time.Second, 0)
		create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))
		var addrs []netip.Addr
		for _, name := range []string{"alone", "shared"} {
			podOn(ctx, "node1", name)
			svc := onlyIPv4.service(name)
			svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			create(ctx, svc)
			addrs = append(addrs, addressOf(ctx, svc))
		}
		podOn(ctx, "node2", "shared")
		anywhere := onlyIPv4.service("anywhere")
		anywhere.Spec.Selector = map[string]string{"app": "alone"}
		create(ctx, anywhere)
		alone, shared, cluster := addrs[0], addrs[1], addressOf(ctx, anywhere)
		expectEverywhere(ctx, alone, "node1")
		expectEverywhere(ctx, shared, "node1", "node2")
		expectEverywhere(ctx, cluster, allNodes...)
		wires := captures()

		By("node1 drains: it alone has a pod of one Service")
		drainNode(ctx, "node1", "true")
		expectEverywhere(ctx, shared, "node2")
		expectEverywhere(ctx, cluster, "node2", "node3")
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("False LastHolder"))
		Expect(lastHolderOf(ctx, "node1")).To(Equal([]string{"default/alone"}))
		remains(ctx, alone, absence, "node1")

		By("its agent is killed: what it keeps stays")
		kill(ctx, containersOf(node.Agent, "node1")...)
		healthy(ctx, "node1")
		remains(ctx, alone, absence, "node1")
		remains(ctx, shared, absence, "node2")
		for name, c := range wires {
			Expect(messages(c, withdraws(lab.HostRoute(alone)))).To(BeEmpty(), name)
		}

		By("the pod moves: now another node can")
		podOn(ctx, "node3", "alone")
		expectEverywhere(ctx, alone, "node3")
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("True"))

		By("the others drain too, one after another: the last stays")
		drainNode(ctx, "node3", "true")
		expectEverywhere(ctx, cluster, "node2")
		expectEverywhere(ctx, alone, "node3")
		Eventually(ctx, condition).WithArguments(ctx, "node3", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("False LastHolder"))
		drainNode(ctx, "node2", "true")
		Eventually(ctx, condition).WithArguments(ctx, "node2", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("False LastHolder"))
		remains(ctx, cluster, absence, "node2")
		remains(ctx, shared, absence, "node2")
		remains(ctx, alone, absence, "node3")
		for name, c := range wires {
			Expect(messages(c, func(m wire.Message) bool {
				return slices.Contains(site.NodeAddresses(router.IPv4, "node2"), m.From) && withdraws(lab.HostRoute(cluster), lab.HostRoute(shared))(m)
			})).To(BeEmpty(), name)
		}

		By("one is there again: the last goes")
		undrainNode(ctx, "node1")
		expectEverywhere(ctx, cluster, "node1")
		expectEverywhere(ctx, alone, "node1")
		Eventually(ctx, condition).WithArguments(ctx, "node2", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("True"))
		expectNoReset(ctx)
	}, SpecTimeout(2*specTimeout))

	It("N6 is as before when the drain ends while the routers are told, and an agent that is killed then tells them nothing else", func(ctx SpecContext) {
		drainTimes(ctx, longConverge, 0)
		addrs := announcedDualStack(ctx, "web")
		wires := captures()
		drainNode(ctx, "node1", "true")
		drainNode(ctx, "node2", "true")
		told := func(name string) {
			GinkgoHelper()
			for _, addr := range addrs {
				for _, r := range site.Routers() {
					Eventually(ctx, saysGraceful).WithArguments(ctx, r, addr).Should(ContainElements(site.NodeAddresses(familyOf(addr), name)), "%s at %s", addr, r.Config().Name)
				}
			}
		}
		told("node1")
		told("node2")
		between := captures()
		kill(ctx, containersOf(node.Agent, "node1", "node2")...)
		healthy(ctx, "node1", "node2")
		told("node1")
		Expect(condition(ctx, "node1", v1alpha1.ConditionDraining)).To(HavePrefix("True GracefulShutdown"))
		for name, c := range between {
			Expect(messages(c, func(m wire.Message) bool {
				return updatesFrom("node1", "node2")(m) && !slices.Contains(m.Communities, gracefulOnWire)
			})).To(BeEmpty(), name)
		}

		undrainNode(ctx, "node1")
		undrainNode(ctx, "node2")
		for _, addr := range addrs {
			for _, r := range site.Routers() {
				Eventually(ctx, saysGraceful).WithArguments(ctx, r, addr).Should(BeEmpty(), "%s at %s", addr, r.Config().Name)
			}
			expectEverywhere(ctx, addr, allNodes...)
		}
		for name, c := range wires {
			Expect(messages(c, withdraws())).To(BeEmpty(), name)
		}
		expectNoReset(ctx)
	}, SpecTimeout(2*specTimeout))

	It("N11 keeps what another node has no session for, and until that has had the time to announce it", func(ctx SpecContext) {
		const converge = 4 * time.Second
		mayReset("tor-a")
		drainTimes(ctx, converge, 0)
		create(ctx, lab.Pool("public", block4, block6), advertisement("gold", "public", []string{peerName("tor-a", router.IPv4)}))
		podOn(ctx, "node1", "web")
		podOn(ctx, "node2", "web")
		svc := onlyIPv4.service("web")
		svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectAt(ctx, "tor-a", addr, "node1", "node2")

		By("node2 loses its session with the one router that gets the route, and keeps all others")
		tor, node2 := site.Router("tor-a"), site.NodeAddresses(router.IPv4, "node2")[0]
		DeferCleanup(func(ctx context.Context) { Expect(tor.Enable(ctx, node2)).To(Succeed()) })
		Expect(tor.Disable(ctx, node2)).To(Succeed())
		expectAt(ctx, "tor-a", addr, "node1")
		Eventually(ctx, sessionStatus).WithArguments(ctx, v1alpha1.SessionName("node2", peerName("tor-a", router.IPv4))).Should(
			HaveField("State", Not(Equal(v1alpha1.SessionEstablished))))
		Expect(sessionStatus(ctx, v1alpha1.SessionName("node2", peerName("tor-b", router.IPv4)))).To(HaveField("State", Equal(v1alpha1.SessionEstablished)))
		wires := captures()

		By("node1 drains: it is the last holder")
		drainNode(ctx, "node1", "true")
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("False LastHolder"))
		Expect(lastHolderOf(ctx, "node1")).To(Equal([]string{"default/web"}))
		Expect(condition(ctx, "node1", v1alpha1.ConditionSafeToShutdown)).To(HaveSuffix(
			"; default/web (%s): node2 has no Established session with %s (kubectl get bgpsessions)", addr, peerName("tor-a", router.IPv4)))
		Consistently(ctx, hopsAt).WithArguments(ctx, tor, addr).Should(Equal(site.NodeAddresses(router.IPv4, "node1")))
		told := wires["tor-a"]
		Expect(messages(told, withdraws(lab.HostRoute(addr)))).To(BeEmpty())

		By("the session is back: node2 takes over, and node1 goes when the routers have had their time, though its agent is killed meanwhile")
		Expect(tor.Enable(ctx, node2)).To(Succeed())
		Eventually(ctx, hopsAt).WithArguments(ctx, tor, addr).WithTimeout(patience).Should(ContainElement(node2))
		kill(ctx, containersOf(node.Agent, "node1")...)
		expectAt(ctx, "tor-a", addr, "node2")
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("True"))
		taken := messages(told, func(m wire.Message) bool {
			return m.From == node2 && slices.Contains(m.Announced, lab.HostRoute(addr))
		})
		gone := messages(told, func(m wire.Message) bool {
			return slices.Contains(site.NodeAddresses(router.IPv4, "node1"), m.From) && withdraws(lab.HostRoute(addr))(m)
		})
		Expect(taken).NotTo(BeEmpty())
		Expect(gone).NotTo(BeEmpty())
		Expect(gone[0].At.Sub(taken[0].At)).To(BeNumerically(">=", converge-time.Second), "node1 withdrew too early")
	}, SpecTimeout(2*specTimeout))

	It("X5 kubectl herald drain --wait ends when the node is safe to shut down, and undrain brings it back", func(ctx SpecContext) {
		drainTimes(ctx, time.Second, 0)
		addrs := announcedDualStack(ctx, "web")
		DeferCleanup(func(ctx context.Context) { undrainNode(ctx, "node2") })
		told, err := plugin(ctx, "drain", "node2", "--reason", "new disks", "--wait")
		Expect(err).NotTo(HaveOccurred())
		Expect(told).To(And(HavePrefix("node node2: annotated with herald-lb.io/drain\n"), ContainSubstring("node node2: Drained: ")))
		Expect(condition(ctx, "node2", v1alpha1.ConditionSafeToShutdown)).To(HavePrefix("True"))
		for _, addr := range addrs {
			expectEverywhere(ctx, addr, "node1", "node3")
		}
		Expect(plugin(ctx, "status")).To(ContainSubstring("Draining  node2: Drained: "))
		explained, err := plugin(ctx, "explain", "default/web", "-o", "wide")
		Expect(err).NotTo(HaveOccurred())
		Expect(explained).To(ContainSubstring("NodeDrains"))

		told, err = plugin(ctx, "undrain", "node2", "--wait")
		Expect(err).NotTo(HaveOccurred())
		Expect(told).To(HavePrefix("node node2: annotation herald-lb.io/drain removed\n"))
		for _, addr := range addrs {
			expectEverywhere(ctx, addr, allNodes...)
		}
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("N7 announces nothing when it boots, until the drain ends", func(ctx SpecContext) {
		mayReset("node3")
		drainTimes(ctx, 0, 0)
		addrs := announcedDualStack(ctx, "web")
		wires := captures()
		Expect(site.AnnotateNode(ctx, "node3", map[string]string{v1alpha1.AnnotationDrain: "true"})).To(Succeed())
		DeferCleanup(func(ctx context.Context) { undrainNode(ctx, "node3") })
		for _, addr := range addrs {
			expectEverywhere(ctx, addr, "node1", "node2")
		}
		booted := time.Now()
		Expect(site.Reboot(ctx, "node3")).To(Succeed())
		for _, r := range site.Routers() {
			expectEstablished(ctx, r.Config().Name, "node3")
		}
		healthy(ctx, "node3")
		Eventually(ctx, condition).WithArguments(ctx, "node3", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("True"))
		for _, addr := range addrs {
			remains(ctx, addr, absence, "node1", "node2")
		}
		for name, c := range wires {
			Expect(messages(c, func(m wire.Message) bool { return m.At.After(booted) && updatesFrom("node3")(m) })).To(BeEmpty(), name)
		}
		undrainNode(ctx, "node3")
		for _, addr := range addrs {
			expectEverywhere(ctx, addr, allNodes...)
		}
	}, SpecTimeout(2*specTimeout))
})

// drainTimes makes the Herald object with these times, for this spec.
func drainTimes(ctx context.Context, converge, connections time.Duration) *v1alpha1.Herald {
	GinkgoHelper()
	herald := &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{
		Name: v1alpha1.HeraldName, Annotations: map[string]string{v1alpha1.AnnotationConfirmDelete: "true"},
	}}
	herald.Spec.Drain.ConvergeTime = &metav1.Duration{Duration: converge}
	herald.Spec.Drain.ConnectionTimeout = &metav1.Duration{Duration: connections}
	DeferCleanup(remove, herald)
	create(ctx, herald)
	return herald
}

func setConverge(ctx context.Context, herald *v1alpha1.Herald, converge time.Duration) {
	GinkgoHelper()
	update(ctx, herald, func(h *v1alpha1.Herald) { h.Spec.Drain.ConvergeTime = &metav1.Duration{Duration: converge} })
}

// expectInOrder: the states that were seen came in this order, from the first to the
// last; some may have passed unseen.
func expectInOrder(seen []string, order ...string) {
	GinkgoHelper()
	Expect(seen).NotTo(BeEmpty())
	at := -1
	for _, state := range seen {
		next := slices.Index(order, state)
		Expect(next).To(BeNumerically(">", at), "%s in %q", state, seen)
		at = next
	}
	Expect(seen[0]).To(Equal(order[0]))
	Expect(at).To(Equal(len(order)-1), "%q", seen)
}

// drainNode until undrainNode, or the end of the spec.
func drainNode(ctx context.Context, name, reason string) {
	GinkgoHelper()
	DeferCleanup(func(ctx context.Context) { undrainNode(ctx, name) })
	Expect(site.AnnotateNode(ctx, name, map[string]string{v1alpha1.AnnotationDrain: reason})).To(Succeed())
	Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionDraining).Should(HavePrefix("True"))
}

func undrainNode(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(site.AnnotateNode(ctx, name, map[string]string{v1alpha1.AnnotationDrain: ""})).To(Succeed())
}

// without are the other nodes.
func without(name string) []string {
	return slices.DeleteFunc(slices.Clone(allNodes), func(other string) bool { return other == name })
}

// saysGraceful are the next hops of an address that a router has with
// GRACEFUL_SHUTDOWN.
func saysGraceful(ctx context.Context, r router.Router, addr netip.Addr) ([]netip.Addr, error) {
	routes, err := r.Routes(ctx, familyOf(addr))
	hops := []netip.Addr{}
	for _, route := range routes[lab.HostRoute(addr)] {
		if slices.Contains(route.Communities, graceful) {
			hops = append(hops, route.NextHop)
		}
	}
	return hops, err
}

// expectGracefulFirst looks at what a router got: before a node withdrew a route it
// said GRACEFUL_SHUTDOWN, and gave the router its time.
func expectGracefulFirst(c *wire.Capture, routerName, nodeName string, addrs []netip.Addr, converge time.Duration) {
	GinkgoHelper()
	for _, addr := range addrs {
		prefix := lab.HostRoute(addr)
		from := site.NodeAddresses(familyOf(addr), nodeName)
		told := messages(c, func(m wire.Message) bool {
			return slices.Contains(from, m.From) && announces(prefix)(m) && slices.Contains(m.Communities, gracefulOnWire)
		})
		gone := messages(c, func(m wire.Message) bool { return slices.Contains(from, m.From) && withdraws(prefix)(m) })
		Expect(told).NotTo(BeEmpty(), "%s to %s", addr, routerName)
		Expect(gone).To(HaveLen(1), "%s to %s", addr, routerName)
		// FRR is told at once, and tells the router up to half a second later.
		Expect(gone[0].At.Sub(told[0].At)).To(BeNumerically(">=", converge-time.Second/2), "%s to %s", addr, routerName)
	}
}

// watchDrain collects what a BGPNode says, as "stage safe", each once, until it says
// what it is asked for.
func watchDrain(ctx context.Context, name string) (seen func(last string) []string) {
	watching, end := context.WithCancel(ctx)
	said := make(chan string, 100) // more than a drain has states
	all := make(chan []string, 1)
	go func() {
		var states []string
		_ = wait.Until(watching, "the end", time.Hour, func(ctx context.Context) (bool, error) {
			status, err := nodeStatus(ctx, name)
			if err != nil {
				return false, err
			}
			state := reasonAndStatus(status)
			if len(states) == 0 || states[len(states)-1] != state {
				states = append(states, state)
				said <- state
			}
			return false, nil
		})
		all <- states
	}()
	return func(last string) []string {
		Eventually(ctx, said).Should(Receive(Equal(last)))
		end()
		return <-all
	}
}

// reasonAndStatus is Draining's reason and SafeToShutdown's status.
func reasonAndStatus(status v1alpha1.BGPNodeStatus) string {
	_, draining, _ := strings.Cut(conditionText(status.Conditions, v1alpha1.ConditionDraining), " ")
	reason, _, _ := strings.Cut(draining, ":")
	safe, _, _ := strings.Cut(conditionText(status.Conditions, v1alpha1.ConditionSafeToShutdown), " ")
	return fmt.Sprint(reason, " ", safe)
}

// lastHolderOf are the Services that a node keeps, by what it reports.
func lastHolderOf(ctx context.Context, name string) ([]string, error) {
	status, err := nodeStatus(ctx, name)
	if err != nil || status.Drain == nil || status.Drain.LastHolderOf == nil {
		return nil, err
	}
	return status.Drain.LastHolderOf.Services, nil
}
