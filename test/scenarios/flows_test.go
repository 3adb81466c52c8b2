package scenarios

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/survival/flow"
)

const (
	// flowsEach is how many connections are opened through each router and over each family.
	flowsEach = 15
	// flowPace is the time between two messages of a connection.
	flowPace = 100 * time.Millisecond
	// flowPatience: a connection that is silent for so long is broken.
	flowPatience = 8 * time.Second
)

var _ = Describe("Connections and the set of nodes", func() {
	// The routers are kernels that hash by threshold; GoBGP installs no routes.
	It("N8 a FlowPolicy keeps established connections when a node's routes go and when routers hash anew; without one they break", func(ctx SpecContext) {
		own := siteOf(ctx, lab.Options{
			FRR: frr.V10_3, NodeFRR: map[int]frr.Version{1: frr.V8_4}, Relay: true, AgentArgs: agentArgs,
			Routers: []lab.RouterOptions{{Name: "tor-a", Make: router.FRR}, {Name: "tor-b", Make: router.BIRD}},
		})
		// Without a Herald object nothing is relayed.
		Expect(own.Create(ctx, &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}})).To(Succeed())
		addrs := announcedFlows(ctx, own)

		By("without a FlowPolicy")
		flows := openFlows(ctx, own, addrs)
		rehash(own)
		Eventually(func() int { return brokenOf(flows) }).WithTimeout(4 * flowPatience).Should(BeNumerically(">", len(flows)/4))
		closeFlows(flows)

		By("with one")
		policy := &v1alpha1.FlowPolicy{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.FlowPolicySpec{
			Protocols: []v1alpha1.FlowProtocol{v1alpha1.FlowProtocolTCP, v1alpha1.FlowProtocolQUIC},
		}}
		Expect(own.Create(ctx, policy)).To(Succeed())
		Eventually(func() (string, error) {
			err := own.API().Get(ctx, crclient.ObjectKeyFromObject(policy), policy)
			return fmt.Sprintf("%d of %d", policy.Status.NodesLearning, policy.Status.Nodes), err
		}).Should(Equal("3 of 3"))
		flows = openFlows(ctx, own, addrs)
		defer closeFlows(flows)
		for _, excluded := range []map[string]string{{corev1.LabelNodeExcludeBalancers: "true"}, {corev1.LabelNodeExcludeBalancers: ""}} {
			Expect(own.LabelNode(ctx, "node2", excluded)).To(Succeed())
			want := allNodes
			if excluded[corev1.LabelNodeExcludeBalancers] != "" {
				want = []string{"node1", "node3"}
			}
			kernelsHave(ctx, own, addrs, want...)
			Consistently(func() int { return brokenOf(flows) }).Should(BeZero())
		}
		rehash(own)
		own.Node("node1").Container(node.Relay).Kill()
		// As long as it takes to see that one is silent.
		Consistently(func() int { return brokenOf(flows) }).WithTimeout(2 * flowPatience).Should(BeZero())

		By("and the nodes say so")
		Eventually(func() (int64, error) {
			var nodes v1alpha1.BGPNodeList
			err := own.API().List(ctx, &nodes)
			relayed := int64(0)
			for i := range nodes.Items {
				if relay := nodes.Items[i].Status.Relay; relay != nil {
					relayed += relay.Relayed
				}
			}
			return relayed, err
		}).Should(BeNumerically(">", 0))

		By("a node boots without its relay: it waits for it, and explain says so")
		closeFlows(flows) // those of a node without power break
		Expect(own.Reboot(ctx, "node2", node.Relay)).To(Succeed())
		Eventually(issuesOf).WithArguments(ctx, own, "node2").WithPolling(20 * time.Millisecond).Should(
			ContainElement(HaveField("Reason", v1alpha1.ReasonRelayPending)))
		// The agent waits for some seconds: it stands still, so that explain needn't be as fast.
		agent := own.Node("node2").Container(node.Agent).Process()
		agent.Signal(syscall.SIGSTOP)
		defer agent.Signal(syscall.SIGCONT) // where the spec fails meanwhile
		expectExplainedOf(ctx, own, "flows", map[string]string{
			"node1": "Announced", "node2": "NotAnnounced " + v1alpha1.ReasonRelayPending, "node3": "Announced"})
		kernelsHave(ctx, own, addrs, "node1", "node3")
		agent.Signal(syscall.SIGCONT)

		By("it is announced all the same, and says so until the relay is there")
		timedOut := ContainElement(HaveField("Reason", v1alpha1.ReasonRelayTimedOut))
		Eventually(issuesOf).WithArguments(ctx, own, "node2").Should(timedOut)
		kernelsHave(ctx, own, addrs, allNodes...)
		Eventually(ctx, explanationOf).WithArguments(ctx, own, "flows").Should(HaveField("Nodes", ContainElement(And(
			HaveField("Name", "node2"), HaveField("State", explain.Announced), HaveField("Notes", ContainElement(ContainSubstring(v1alpha1.ReasonRelayTimedOut)))))))
		Expect(own.Node("node2").StartContainer(node.Relay)).To(Succeed())
		Eventually(issuesOf).WithArguments(ctx, own, "node2").ShouldNot(timedOut)
	}, SpecTimeout(specTimeout))
})

// announcedFlows has a dual-stack Service of long-lived traffic announced from all
// nodes, a pod on each.
func announcedFlows(ctx context.Context, l *lab.Lab) []netip.Addr {
	GinkgoHelper()
	objects := []crclient.Object{lab.Pool("public", block4, block6), lab.Advertisement("all")}
	for _, r := range l.Routers() {
		for _, family := range []router.Family{router.IPv4, router.IPv6} {
			peer := l.Peer(r.Config().Name, family)
			peer.Name += "-" + string(family)
			objects = append(objects, peer)
		}
	}
	Expect(l.Create(ctx, objects...)).To(Succeed())
	for _, name := range allNodes {
		_, err := l.AddPod(ctx, name, "flows-"+name, map[string]string{"app": "flows"})
		Expect(err).NotTo(HaveOccurred())
	}
	svc := lab.Service("flows")
	svc.Spec.IPFamilyPolicy = ptr.To(corev1.IPFamilyPolicyRequireDualStack)
	svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
	svc.Spec.Ports = []corev1.ServicePort{
		{Name: "tcp", Port: 80, TargetPort: intstr.FromInt32(node.FlowPort), Protocol: corev1.ProtocolTCP},
		{Name: "quic", Port: 80, TargetPort: intstr.FromInt32(node.FlowPort), Protocol: corev1.ProtocolUDP},
	}
	Expect(l.Create(ctx, svc)).To(Succeed())
	addrs, err := l.WaitAddress(ctx, svc)
	Expect(err).NotTo(HaveOccurred())
	kernelsHave(ctx, l, addrs, allNodes...)
	return addrs
}

// kernelsHave waits until the routers send packets for the addresses to these nodes.
func kernelsHave(ctx context.Context, l *lab.Lab, addrs []netip.Addr, nodes ...string) {
	GinkgoHelper()
	for _, addr := range addrs {
		for _, r := range l.Routers() {
			Expect(l.WaitKernel(ctx, r, lab.HostRoute(addr), nodes...)).To(Succeed())
		}
	}
}

// issuesOf a node, as it reports them.
func issuesOf(ctx context.Context, l *lab.Lab, name string) ([]v1alpha1.NodeIssue, error) {
	reported := &v1alpha1.BGPNode{}
	err := l.API().Get(ctx, crclient.ObjectKey{Name: name}, reported)
	return reported.Status.Issues, err
}

// openFlows opens connections of both protocols to each address through each router.
func openFlows(ctx context.Context, l *lab.Lab, addrs []netip.Addr) []*flow.Conn {
	GinkgoHelper()
	var all []*flow.Conn
	for _, addr := range addrs {
		for _, r := range l.Routers() {
			from := l.Via(r.Config().Name, familyOf(addr)).AsSlice()
			dial := func(ctx context.Context, network string) (conn net.Conn, err error) {
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
				if network == "udp" {
					dialer.LocalAddr = &net.UDPAddr{IP: from}
				}
				err = l.Client().Box().InNetwork(func() error {
					conn, err = dialer.DialContext(ctx, network, netip.AddrPortFrom(addr, 80).String())
					return err
				})
				return conn, err
			}
			for i := range flowsEach {
				protocol := flow.TCP
				if i%3 == 0 {
					protocol = flow.QUIC
				}
				var conn *flow.Conn
				// kube-proxy may not be there yet on a node that was announced just now.
				Eventually(func() (err error) { conn, err = flow.Open(ctx, protocol, flowPace, dial); return err }).Should(Succeed())
				all = append(all, conn)
			}
		}
	}
	return all
}

func brokenOf(flows []*flow.Conn) int {
	broken := 0
	for _, f := range flows {
		if fate, _, _ := f.Fate(flowPatience); fate != flow.Alive {
			broken++
		}
	}
	return broken
}

func closeFlows(flows []*flow.Conn) {
	for _, f := range flows {
		f.Close()
	}
}

// rehash has the routers' kernels send each connection wherever another seed says.
func rehash(l *lab.Lab) {
	GinkgoHelper()
	for _, r := range l.Routers() {
		Expect(r.Box().Sysctl(map[string]string{"net.ipv4.fib_multipath_hash_seed": fmt.Sprint(1 + rand.Uint32()/2)})).To(Succeed())
	}
}
