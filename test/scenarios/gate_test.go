package scenarios

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
)

var _ = Describe("Gate", func() {
	It("L5 a Local Service waits on each node for its health check: 503 keeps it closed, 200 opens it, an agent's restart doesn't close it", func(ctx SpecContext) {
		const gated = "node3"
		withoutProxy(gated)
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		svc := localService("web", 32100)
		health := answer(gated, 32100)
		podOn(ctx, "node1", "web")
		podOn(ctx, gated, "web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, "node1")
		remains(ctx, addr, gates.SilenceTimeout+absence, "node1")

		health.Store(http.StatusOK)
		expectEverywhere(ctx, addr, "node1", gated)
		health.Store(http.StatusServiceUnavailable)
		site.Node(gated).Container(node.Agent).Kill()
		remains(ctx, addr, 2*absence, "node1", gated)
	}, SpecTimeout(specTimeout))

	It("L5 where kube-proxy answers and refuses the Service's health check, no timeout opens the gate", func(ctx SpecContext) {
		const gated = "node3"
		withoutProxy(gated)
		answer(gated, proxyPort).Store(http.StatusOK)
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		svc := localService("web", 32100)
		podOn(ctx, "node1", "web")
		podOn(ctx, gated, "web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, "node1")
		remains(ctx, addr, gates.SilenceTimeout+absence, "node1")
		Expect(nodeStatus(ctx, gated)).NotTo(HaveField("Issues", ContainElement(HaveField("Reason", v1alpha1.ReasonGateTimedOut))))

		answer(gated, 32100).Store(http.StatusOK)
		expectEverywhere(ctx, addr, "node1", gated)
	}, SpecTimeout(specTimeout))

	It("L5 a kube-proxy that stands still announces nothing; it goes on, and the routes come", func(ctx SpecContext) {
		const gated = "node3"
		Eventually(ctx, proxySays).WithArguments(ctx, gated).Should(Equal(http.StatusOK))
		proxy := site.Node(gated).Container(node.KubeProxy).Process()
		proxy.Signal(syscall.SIGSTOP)
		DeferCleanup(func() { proxy.Signal(syscall.SIGCONT) })
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		svc := localService("web", 32100)
		podOn(ctx, "node1", "web")
		podOn(ctx, gated, "web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, "node1")
		remains(ctx, addr, gates.SilenceTimeout+absence, "node1")

		proxy.Signal(syscall.SIGCONT)
		expectEverywhere(ctx, addr, "node1", gated)
	}, SpecTimeout(specTimeout))

	It("L5 X1 N5 what a node holds back its BGPNode and explain say, and nobody who drains leaves it the Service; the gate opens, and it is said no more", func(ctx SpecContext) {
		const gated = "node3"
		drainTimes(ctx, 0, 0)
		withoutProxy(gated)
		answer(gated, proxyPort).Store(http.StatusOK)
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		svc := localService("web", 32100)
		health := answer(gated, 32100)
		podOn(ctx, "node1", "web")
		podOn(ctx, gated, "web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, "node1")
		Eventually(ctx, nodeStatus).WithArguments(ctx, gated).Should(HaveField("HeldBack", Equal(&v1alpha1.HeldBack{Total: 1, Services: []string{"default/web"}})))
		Expect(nodeStatus(ctx, "node1")).To(HaveField("HeldBack", BeNil()))
		expectExplained(ctx, map[string]string{"node1": "Announced", "node2": "NotAnnounced NoLocalEndpoint", gated: "NotAnnounced GateClosed"})

		By("the node that announces it drains: it is the last holder")
		drainNode(ctx, "node1", "true")
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("False LastHolder"))
		remains(ctx, addr, absence, "node1")

		By("the gate opens: it goes")
		health.Store(http.StatusOK)
		expectEverywhere(ctx, addr, gated)
		Eventually(ctx, nodeStatus).WithArguments(ctx, gated).Should(HaveField("HeldBack", BeNil()))
		Eventually(ctx, condition).WithArguments(ctx, "node1", v1alpha1.ConditionSafeToShutdown).Should(HavePrefix("True"))
		expectExplained(ctx, map[string]string{"node1": "NotAnnounced NodeDrains", gated: "Announced"}, "node2")
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("L5 where nothing answers it opens after the timeout", func(ctx SpecContext) {
		const gated = "node2"
		withoutProxy(gated)
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		svc := localService("web", 32100)
		podOn(ctx, gated, "web")
		began := time.Now()
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, gated)
		Expect(time.Since(began)).To(BeNumerically(">", gates.SilenceTimeout))
		Eventually(ctx, nodeStatus).WithArguments(ctx, gated).Should(HaveField("Issues", ContainElement(And(
			HaveField("Kind", "Service"), HaveField("Name", "web"), HaveField("Reason", v1alpha1.ReasonGateTimedOut)))))
	}, SpecTimeout(specTimeout))
})

// localService makes a Service with externalTrafficPolicy Local and this
// healthCheckNodePort.
func localService(name string, healthPort int32) *corev1.Service {
	svc := lab.Service(name)
	svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	svc.Spec.HealthCheckNodePort = healthPort
	return svc
}

// withoutProxy ends a node's kube-proxy until the end of the spec.
func withoutProxy(name string) {
	GinkgoHelper()
	site.Node(name).Stop(node.KubeProxy, 0)
	DeferCleanup(func() { Expect(site.Node(name).StartContainer(node.KubeProxy)).To(Succeed()) })
}

// proxyPort is where kube-proxy says by default that it is healthy.
const proxyPort = 10256

// proxySays is what a node's kube-proxy says of itself.
func proxySays(ctx context.Context, name string) (int, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: site.Node(name).Box().Dial}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/healthz", proxyPort), nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// answer plays one of kube-proxy's health checks on a node, its own or that of a
// Service, with 503 at first.
func answer(name string, port uint16) *atomic.Int32 {
	GinkgoHelper()
	var listener net.Listener
	Expect(site.Node(name).Box().InNetwork(func() error {
		var err error
		listener, err = net.Listen("tcp", net.JoinHostPort(netip.IPv4Unspecified().String(), strconv.Itoa(int(port))))
		return err
	})).To(Succeed())
	var status atomic.Int32
	status.Store(http.StatusServiceUnavailable)
	server := &http.Server{
		ReadHeaderTimeout: time.Second,
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }),
	}
	go func() { _ = server.Serve(listener) }() // ends with Close
	DeferCleanup(server.Close)
	return &status
}
