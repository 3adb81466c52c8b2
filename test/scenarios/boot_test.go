package scenarios

import (
	"context"
	"net"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/workdir"
)

// proxyHealth is where kube-proxy says whether it is ready.
const proxyHealth = "0.0.0.0:10256"

var _ = Describe("A node", func() {
	It("R11 that was rebooted has its sessions, but no route before kube-proxy is ready", func(ctx SpecContext) {
		mayReset("node3")
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)

		By("cutting the power of node3 and booting it without kube-proxy")
		n := site.Node("node3")
		boot := n.BootID()
		Expect(site.Reboot(ctx, "node3", node.Containers...)).To(Succeed())
		DeferCleanup(func() { startMissing(n) })
		Expect(n.BootID()).NotTo(Equal(boot))
		notReady := answerNotReady(n)
		for _, name := range []string{node.FRR, node.Reloader, node.Agent} {
			Expect(n.StartContainer(name)).To(Succeed())
		}
		for _, r := range site.Routers() {
			expectEstablished(ctx, r.Config().Name, "node3")
		}
		remains(ctx, addr, absence, "node1", "node2")

		By("starting kube-proxy")
		notReady()
		Expect(n.StartContainer(node.KubeProxy)).To(Succeed())
		expectEverywhere(ctx, addr, allNodes...)
	}, SpecTimeout(specTimeout))

	// BIRD and GoBGP help a graceful restart (RFC 4724) here, and would keep the routes of
	// a node that asked for it for another 120 s.
	It("R11 that vanishes has no route once its hold time is over, on both releases, where graceful restart wasn't asked for", func(ctx SpecContext) {
		mayReset("node1", "node2")
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node3", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, allNodes...)

		By("cutting two nodes off without a word")
		for _, name := range []string{"node1", "node2"} {
			defer func() { Expect(site.SetCable(name, true)).To(Succeed()) }()
			Expect(site.SetCable(name, false)).To(Succeed())
		}
		left := site.NodeAddresses(router.IPv4, "node3")
		Eventually(ctx, func(g Gomega) { // the hold time is 30 s
			for _, r := range site.Routers() {
				g.Expect(hopsAt(ctx, r, addr)).To(Equal(left), r.Config().Name)
			}
		}).WithTimeout(patience).Should(Succeed())

		By("mending the cables")
		for _, name := range []string{"node1", "node2"} {
			Expect(site.SetCable(name, true)).To(Succeed())
		}
		for _, r := range site.Routers() {
			for _, name := range []string{"node1", "node2"} {
				expectEstablished(ctx, r.Config().Name, name)
			}
		}
		expectEverywhere(ctx, addr, allNodes...)
	}, SpecTimeout(2*specTimeout))

	It("R12 keeps its sysctls, whatever they are, through starts of FRR and changes of its structure", func(ctx SpecContext) {
		mayReset("node3")
		n := site.Node("node3")
		const forwarding4, forwarding6 = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"
		DeferCleanup(func() error {
			return n.Box().Sysctl(map[string]string{forwarding4: "1", forwarding6: "1"})
		})
		for i, value := range []string{"0", "1"} {
			Expect(n.Box().Sysctl(map[string]string{forwarding4: value, forwarding6: value})).To(Succeed())
			n.Container(node.FRR).Kill()
			expectEstablished(ctx, "tor-a", "node3")

			peer := site.Peer("tor-a", router.IPv4)
			peer.Name, peer.Spec.PeerAddress = "passing", "10.10.0.252"
			create(ctx, peer)
			inAllConfigs(ctx, "neighbor 10.10.0.252", true)
			remove(ctx, peer)
			inAllConfigs(ctx, "neighbor 10.10.0.252", false)
			for _, name := range []string{forwarding4, forwarding6} {
				Expect(n.Sysctl(ctx, name)).To(Equal(value+"\n"), "%s, round %d", name, i+1)
			}
		}
	}, SpecTimeout(specTimeout))

	It("R12 on which another FRR runs starts none, and says so", func(ctx SpecContext) {
		mayReset("node3")
		n := site.Node("node3")
		n.Stop(node.FRR, 0)
		n.Stop(node.Reloader, time.Second) // it begins anew as well: it has never seen FRR run
		DeferCleanup(func() { startMissing(n) })
		foreign, err := frr.Run(n.Config().FRRVersion, workdir.For(GinkgoT(), "frr"), frr.Within(n.Box()))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(foreign.Kill)

		Expect(n.StartContainer(node.FRR)).To(Succeed())
		Expect(n.StartContainer(node.Reloader)).To(Succeed())
		Eventually(ctx, condition).WithArguments(ctx, "node3", v1alpha1.ConditionReady).Should(And(
			HavePrefix("False "+v1alpha1.ReasonFRRNotRunning), ContainSubstring("another FRR")))
		// What the alert HeraldFRRSilent goes by.
		Expect(metricsOf(ctx, n)).To(And(ContainSubstring("herald_reloader_reporting 1\n"), Not(ContainSubstring("herald_session_up{"))))
		for _, r := range site.Routers() {
			Consistently(ctx, func() (string, error) {
				s, err := sessionOf(ctx, r.Config().Name, "node3", router.IPv4)
				return s.State, err
			}).WithTimeout(time.Second).ShouldNot(Equal(router.Established))
		}
		config, err := foreign.Vtysh("-c", "show running-config")
		Expect(err).NotTo(HaveOccurred())
		Expect(config).NotTo(ContainSubstring("router bgp"), "Herald's hands stay off it")

		By("ending the other FRR")
		foreign.Kill()
		expectEstablished(ctx, "tor-a", "node3")
		Eventually(ctx, condition).WithArguments(ctx, "node3", v1alpha1.ConditionReady).Should(HavePrefix("True"))
	}, SpecTimeout(specTimeout))
})

// expectEstablished waits for a router's IPv4 session with a node. A router that
// still holds the old one first has to miss its keepalives.
func expectEstablished(ctx context.Context, routerName, nodeName string) {
	GinkgoHelper()
	Eventually(ctx, func() (string, error) {
		s, err := sessionOf(ctx, routerName, nodeName, router.IPv4)
		return s.State, err
	}).WithTimeout(patience).Should(Equal(router.Established), "%s with %s", routerName, nodeName)
}

// answerNotReady answers on a node in the place of a kube-proxy that runs and
// is not ready yet, until it is told to stop.
func answerNotReady(n *node.Node) (stop func()) {
	GinkgoHelper()
	var listener net.Listener
	Expect(n.Box().InNetwork(func() (err error) {
		listener, err = net.Listen("tcp", proxyHealth)
		return err
	})).To(Succeed())
	server := &http.Server{
		ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}),
	}
	go func() { _ = server.Serve(listener) }()
	stop = func() { _ = server.Close() }
	DeferCleanup(stop)
	return stop
}

// startMissing starts what a node should run and doesn't.
func startMissing(n *node.Node) {
	GinkgoHelper()
	for _, name := range node.Containers {
		if n.Container(name) == nil {
			Expect(n.StartContainer(name)).To(Succeed())
		}
	}
}
