package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/controllers/migrate"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/workdir"
)

// theirManifests are what the first load balancer was configured with.
const theirManifests = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public, namespace: metallb-system}
spec: {addresses: [203.0.113.0/24]}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor-a, namespace: metallb-system}
spec: {myASN: %d, peerASN: %d, peerAddress: %s, holdTime: 30s, keepaliveTime: 10s, connectTime: 1s}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all, namespace: metallb-system}
`

// theirSpeaker is the FRR that it runs on each node, as its speakers configure it:
// it listens on no port.
const theirSpeaker = `
router bgp %d
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor %s remote-as %d
 neighbor %s timers connect 1
 address-family ipv4 unicast
  network %s
  neighbor %s activate
 exit-address-family
exit
`

var _ = Describe("Migration", func() {
	It("by the steps that migrate prints, node by node: the router never loses the route, and no address changes", func(ctx SpecContext) {
		l := siteOf(ctx, lab.Options{NodeFRR: map[int]frr.Version{1: frr.V8_4}, Routers: []lab.RouterOptions{{Name: "tor-a", Make: router.FRR}}})
		tor, peerAddress := l.Router("tor-a"), l.RouterAddress("tor-a", router.IPv4)
		svc := lab.Service("web")
		_, err := l.AddPod(ctx, "node1", "web", map[string]string{"app": "web"})
		Expect(err).NotTo(HaveOccurred())
		Expect(l.Create(ctx, svc)).To(Succeed())
		before := svc.DeepCopy()
		svc.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.77"}}
		Expect(l.API().Status().Patch(ctx, svc, crclient.MergeFrom(before))).To(Succeed())
		prefix := lab.HostRoute(addresses("203.0.113.77")[0])

		By("running the first speaker on every node; Herald's FRR waits")
		theirs := map[string]*frr.Instance{}
		for _, n := range l.Nodes() {
			n.Stop(node.FRR, 0)
			conf := fmt.Sprintf(theirSpeaker, lab.DefaultNodeASN, peerAddress, lab.DefaultRouterASN, peerAddress, prefix, peerAddress)
			theirs[n.Name()], err = frr.Run(frr.V10_3, workdir.For(GinkgoT(), "frr"), frr.Within(n.Box()), frr.DaemonArgs("bgpd", "-p", "0"), frr.Startup(conf))
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(theirs[n.Name()].Kill)
			Expect(n.StartContainer(node.FRR)).To(Succeed())
		}
		Expect(l.WaitRoutes(ctx, tor, prefix, allNodes...)).To(Succeed())

		By("applying what migrate makes of its configuration")
		plan := planOf(fmt.Sprintf(theirManifests, lab.DefaultNodeASN, lab.DefaultRouterASN, peerAddress))
		Expect(strings.Join(plan.Steps, "\n")).To(ContainSubstring("kubectl label node NODE " + migrate.CutOverLabel + "=herald"))
		for _, output := range plan.Outputs {
			Expect(l.API().Create(ctx, &unstructured.Unstructured{Object: output.Object})).To(Succeed())
		}
		least := fewestNextHops(ctx, tor, prefix)
		for _, n := range l.Nodes() {
			By("changing " + n.Name() + " over")
			theirs[n.Name()].Kill() // its DaemonSet leaves nodes with the label
			Expect(l.LabelNode(ctx, n.Name(), map[string]string{migrate.CutOverLabel: "herald"})).To(Succeed())
			Eventually(ctx, heraldHas).WithArguments(ctx, n, prefix.String()).WithTimeout(patience).Should(BeTrue(), n.Name())
			Eventually(ctx, func() error { return l.WaitRoutes(ctx, tor, prefix, allNodes...) }).WithTimeout(patience).Should(Succeed())
		}
		Expect(least()).To(BeNumerically(">=", len(allNodes)-1), "fewest next hops that the router had at any time")
		Expect(l.API().Get(ctx, crclient.ObjectKeyFromObject(svc), svc)).To(Succeed())
		Expect(svc.Status.LoadBalancer.Ingress).To(ConsistOf(HaveField("IP", "203.0.113.77")))
	}, SpecTimeout(2*specTimeout))
})

// planOf is what migrate makes of manifests.
func planOf(text string) *migrate.Plan {
	GinkgoHelper()
	var manifests []offline.Manifest
	for _, document := range strings.Split(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed())
		manifests = append(manifests, offline.Manifest{Source: "test", Object: object})
	}
	plan, err := migrate.Make(manifests, migrate.Options{})
	Expect(err).NotTo(HaveOccurred())
	return plan
}

// heraldHas says whether a node's FRR is Herald's and originates a prefix.
func heraldHas(ctx context.Context, n *node.Node, prefix string) (bool, error) {
	config, err := n.Vtysh(ctx, "-c", "show running-config")
	return strings.Contains(config, "network "+prefix+" route-map herald."), err
}

// fewestNextHops watches a route in a router's table until it is asked for the
// fewest next hops that it had.
func fewestNextHops(ctx context.Context, r router.Router, prefix netip.Prefix) func() int {
	GinkgoHelper()
	watching, stop := context.WithCancel(ctx)
	done, least := make(chan struct{}), len(allNodes)
	go func() {
		defer close(done)
		tick := time.NewTicker(wait.Poll)
		defer tick.Stop()
		for {
			routes, err := r.Routes(watching, router.FamilyOf(prefix))
			if err == nil {
				least = min(least, len(routes.NextHops(prefix)))
			}
			select {
			case <-watching.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() int {
		stop()
		<-done
		return least
	}
}
