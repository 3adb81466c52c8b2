package agent_test

import (
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/reloader/exchange"
)

var _ = Describe("the node's configuration", func() {
	line := ContainSubstring("network " + webIP + "/32 route-map")

	It("follows Services and their endpoints", func() {
		baseWorld()
		agent := startAgent(nodeName, GinkgoT().TempDir(), ready())
		Eventually(agent.frrConf).Should(And(ContainSubstring("neighbor 192.0.2.1 remote-as 64513"), ContainSubstring("no ipv6 forwarding")))
		Expect(agent.frrConf()).NotTo(line)

		create(newService("web", webIP))
		slice := newSlice("web", nodeName)
		create(slice)
		Eventually(agent.frrConf).Should(line)

		edit(slice, func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Ready = ptr.To(false) })
		Eventually(agent.frrConf).ShouldNot(line)
		edit(slice, func(s *discoveryv1.EndpointSlice) {
			s.Endpoints[0].Conditions.Serving, s.Endpoints[0].Conditions.Terminating = ptr.To(true), ptr.To(true)
		})
		Eventually(agent.frrConf).Should(line)

		info, err := os.Stat(filepath.Join(agent.dir, exchange.ConfigFile))
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
	})

	It("announces a Local Service only with an endpoint here", func() {
		baseWorld()
		agent := startAgent(nodeName, GinkgoT().TempDir(), ready())
		service := newService("web", webIP)
		service.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		create(service)
		slice := newSlice("web", "node-b")
		create(slice)
		create(newService("other", "203.0.113.8"))
		create(newSlice("other", "node-b"))
		Eventually(agent.frrConf).Should(ContainSubstring("network 203.0.113.8/32"))
		Expect(agent.frrConf()).NotTo(line)

		edit(slice, func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].NodeName = ptr.To(nodeName) })
		Eventually(agent.frrConf).Should(line)
	})

	It("N2: reads the Herald object live: excluded nodes announce where it says so, and gates that it opened stay open", func() {
		node, _ := baseWorld()
		edit(node, func(n *corev1.Node) { n.Labels[corev1.LabelNodeExcludeBalancers] = "" })
		agent := startAgent(nodeName, GinkgoT().TempDir(), &prober{cluster: gates.NotReady})
		create(newService("web", webIP))
		create(newSlice("web", nodeName))
		Eventually(agent.frrConf).Should(ContainSubstring("neighbor 192.0.2.1"))
		herald := &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}}
		herald.Spec.IgnoreExcludeLabel = true
		create(herald)
		Consistently(agent.frrConf).ShouldNot(line, "kube-proxy says that it isn't ready")
		edit(herald, func(h *v1alpha1.Herald) { h.Spec.AnnounceGate.Mode = v1alpha1.AnnounceGateOff })
		Eventually(agent.frrConf).Should(line)
		edit(herald, func(h *v1alpha1.Herald) { h.Spec.AnnounceGate.Mode = v1alpha1.AnnounceGateAuto })
		Consistently(agent.frrConf).Should(line)
		Expect(api.Delete(ctx, herald)).To(Succeed())
		Eventually(agent.frrConf).ShouldNot(line)
	})

	It("N3: does not compile for heartbeats, foreign labels, statuses and other nodes' endpoints", func() {
		node, peer := baseWorld()
		// Where something is relayed other nodes matter.
		create(&v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}, Spec: v1alpha1.HeraldSpec{PathMTURelay: ptr.To(false)}})
		agent := startAgent(nodeName, GinkgoT().TempDir(), ready())
		service, slice := newService("web", webIP), newSlice("web", "node-b")
		create(service)
		create(slice)
		Eventually(agent.frrConf).Should(line)
		agent.report()
		Eventually(func() string { return bgpNode().Status.FRRVersion }).Should(Equal("10.3"))
		compiles := agent.compiles.Load()

		edit(node, func(n *corev1.Node) {
			n.Labels["foreign"] = "yes"
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		})
		edit(slice, func(s *discoveryv1.EndpointSlice) {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{"10.244.0.9"}, NodeName: ptr.To("node-c")})
		})
		edit(service, func(s *corev1.Service) { s.Labels = map[string]string{"foreign": "yes"} })
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		edit(namespace, func(n *corev1.Namespace) { n.Labels["foreign"] = "yes" })
		DeferCleanup(func() { edit(namespace, func(n *corev1.Namespace) { delete(n.Labels, "foreign") }) })
		create(newNode("node-b"))
		edit(peer, func(p *v1alpha1.BGPPeer) { p.Annotations = map[string]string{"note": "seen"} })
		clusterIP := newService("internal", "")
		clusterIP.Spec.Type, clusterIP.Status, clusterIP.Spec.ExternalTrafficPolicy = corev1.ServiceTypeClusterIP, corev1.ServiceStatus{}, ""
		create(clusterIP)

		// The label that the peer's selector reads comes last, and is compiled for.
		edit(node, func(n *corev1.Node) { n.Labels["rack"] = "2" })
		Eventually(agent.frrConf).ShouldNot(ContainSubstring("neighbor"))
		Eventually(agent.compiles.Load).Should(Equal(compiles + 1))
		Consistently(agent.compiles.Load, "300ms").Should(Equal(compiles + 1))
	})

	It("D9: follows the labels of Services and Namespaces that selectors read", func() {
		baseWorld()
		agent := startAgent(nodeName, GinkgoT().TempDir(), ready())
		service := newService("web", webIP)
		create(service)
		create(newSlice("web", nodeName))
		marked := newAdvertisement()
		marked.Name, marked.Spec.Communities = "marked", []v1alpha1.CommunityValue{"64512:1"}
		marked.Spec.ServiceSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"tier": "gold"}}}
		marked.Spec.NamespaceSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"env": "prod"}}}
		create(marked)
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		DeferCleanup(func() { edit(namespace, func(n *corev1.Namespace) { delete(n.Labels, "env") }) })

		both := ContainSubstring(webIP + "/32 route-map herald.everything_marked\n")
		Eventually(agent.frrConf).Should(line)
		edit(service, func(s *corev1.Service) { s.Labels = map[string]string{"tier": "gold"} })
		edit(namespace, func(n *corev1.Namespace) { n.Labels["env"] = "prod" })
		Eventually(agent.frrConf).Should(both)
		edit(namespace, func(n *corev1.Namespace) { n.Labels["env"] = "test" })
		Eventually(agent.frrConf).Should(And(line, Not(both)))
		edit(namespace, func(n *corev1.Namespace) { n.Labels["env"] = "prod" })
		Eventually(agent.frrConf).Should(both)
		edit(service, func(s *corev1.Service) { s.Labels["tier"] = "tin" })
		Eventually(agent.frrConf).Should(And(line, Not(both)))
	})

	It("L5: waits for the dataplane, and an agent's restart closes nothing", func() {
		baseWorld()
		dir, dataplane := GinkgoT().TempDir(), &prober{cluster: gates.NotReady, local: gates.NotReady}
		agent := startAgent(nodeName, dir, dataplane)
		create(newService("web", webIP))
		create(newSlice("web", nodeName))
		Eventually(func() int { dataplane.mu.Lock(); defer dataplane.mu.Unlock(); return dataplane.asked }).Should(BeNumerically(">", 5))
		Expect(agent.frrConf()).To(ContainSubstring("neighbor"))
		Expect(agent.frrConf()).NotTo(line)

		dataplane.set(gates.Ready, gates.NotReady)
		Eventually(agent.frrConf).Should(line)

		agent.stop()
		before, err := os.Stat(filepath.Join(dir, exchange.ConfigFile))
		Expect(err).NotTo(HaveOccurred())
		dataplane.set(gates.NotReady, gates.NotReady)
		again := startAgent(nodeName, dir, dataplane)
		Eventually(again.compiles.Load).Should(BeNumerically(">", 0))
		after, err := os.Stat(filepath.Join(dir, exchange.ConfigFile))
		Expect(err).NotTo(HaveOccurred())
		Expect(os.SameFile(before, after) && before.ModTime().Equal(after.ModTime())).To(BeTrue(), "R4: an unchanged world is not written again")
		Expect(again.frrConf()).To(line)

		By("R11: with a file of another boot the gates are closed again")
		again.stop()
		file, err := exchange.ReadConfig(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(exchange.WriteFile(dir, exchange.ConfigFile, exchange.NewFile("test", "another-boot", file.Body).Encode())).To(Succeed())
		rebooted := startAgent(nodeName, dir, dataplane)
		Eventually(rebooted.frrConf).ShouldNot(line)
		Expect(rebooted.frrConf()).To(ContainSubstring("neighbor"))
	})

	It("puts its file back when a foreign hand deletes or changes it", func() {
		baseWorld()
		agent := startAgent(nodeName, GinkgoT().TempDir(), ready())
		Eventually(agent.frrConf).Should(ContainSubstring("neighbor"))
		path := filepath.Join(agent.dir, exchange.ConfigFile)
		Expect(os.Remove(path)).To(Succeed())
		Eventually(agent.frrConf).Should(ContainSubstring("neighbor"))
		Expect(os.WriteFile(path, []byte("! foreign\n"), 0o600)).To(Succeed())
		Eventually(agent.frrConf).Should(ContainSubstring("neighbor"))
	})
})
