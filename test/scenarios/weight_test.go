package scenarios

import (
	"context"
	"fmt"
	"net/netip"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

// perEndpoint is the link bandwidth of one ready endpoint, in Mbit/s.
const perEndpoint = 100

var _ = Describe("Weight", func() {
	It("P8 routers are told the link bandwidth of each node's ready endpoints, FRR weighs its next hops by it, and it follows the pods", func(ctx SpecContext) {
		weighted := lab.Advertisement("weighted")
		weighted.Spec.Weight = v1alpha1.WeightLocalEndpoints
		create(ctx, lab.Pool("public", block4, block6), weighted)
		svc := dualStack.service("web")
		for i, node := range []string{"node1", "node2", "node2", "node2"} {
			_, err := site.AddPod(ctx, node, fmt.Sprint("web-", i), map[string]string{"app": "web"})
			Expect(err).NotTo(HaveOccurred())
		}
		create(ctx, svc)
		addrs := addressesOf(ctx, svc)
		expectWeights(ctx, addrs, map[string]int{"node1": 1, "node2": 3, "node3": 1}) // at least one

		By("moving a pod, and one that is not ready: updates, no withdrawal")
		wires := captures()
		_, err := site.MovePod(ctx, "web-1", "node1", "web-moved")
		Expect(err).NotTo(HaveOccurred())
		expectWeights(ctx, addrs, map[string]int{"node1": 2, "node2": 2, "node3": 1})
		_, err = site.SetPod(ctx, "web-2", false, false, false)
		Expect(err).NotTo(HaveOccurred())
		expectWeights(ctx, addrs, map[string]int{"node1": 2, "node2": 1, "node3": 1})
		for name, c := range wires {
			Expect(messages(c, withdraws())).To(BeEmpty(), name)
		}

		By("keeping it from one router")
		plain := lab.Advertisement("plain")
		create(ctx, plain)
		update(ctx, weighted, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Peers = []string{"tor-a", "tor-a-ipv6"} })
		for _, addr := range addrs {
			for _, name := range []string{"tor-b", "tor-c"} {
				Eventually(ctx, bandwidthsAt).WithArguments(ctx, name, addr).Should(Equal(map[netip.Addr]float64{
					nodeAddress(addr, "node1"): 0, nodeAddress(addr, "node2"): 0, nodeAddress(addr, "node3"): 0,
				}), name)
			}
		}
		expectWeightsAt(ctx, "tor-a", addrs, map[string]int{"node1": 2, "node2": 1, "node3": 1})

		By("announcing it only where there are endpoints")
		update(ctx, svc, func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal })
		expectWeightsAt(ctx, "tor-a", addrs, map[string]int{"node1": 2, "node2": 1})
	}, SpecTimeout(specTimeout))
})

func nodeAddress(of netip.Addr, node string) netip.Addr {
	GinkgoHelper()
	return site.NodeAddresses(familyOf(of), node)[0]
}

// expectWeights is expectWeightsAt for every router.
func expectWeights(ctx context.Context, addrs []netip.Addr, endpoints map[string]int) {
	GinkgoHelper()
	for _, r := range site.Routers() {
		expectWeightsAt(ctx, r.Config().Name, addrs, endpoints)
	}
}

// expectWeightsAt waits until a router has each address from these nodes with the
// bandwidth of so many endpoints, and, being FRR, its kernel weighs them so.
func expectWeightsAt(ctx context.Context, routerName string, addrs []netip.Addr, endpoints map[string]int) {
	GinkgoHelper()
	r := site.Router(routerName)
	for _, addr := range addrs {
		want := map[netip.Addr]float64{}
		least := nodeAddress(addr, "node2")
		for node, n := range endpoints {
			want[nodeAddress(addr, node)] = float64(n * perEndpoint)
			if n == 1 {
				least = nodeAddress(addr, node)
			}
		}
		Eventually(ctx, bandwidthsAt).WithArguments(ctx, routerName, addr).Should(Equal(want), "%s at %s", addr, routerName)
		if r.Config().Make != router.FRR {
			continue
		}
		Eventually(ctx, func(g Gomega) {
			weights, err := router.KernelWeights(ctx, r.Box(), lab.HostRoute(addr))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(weights).To(HaveLen(len(want)))
			// FRR spreads 100, or 255, over the next hops and rounds.
			for hop, bandwidth := range want {
				g.Expect(float64(weights[hop])/float64(weights[least])).To(BeNumerically("~", bandwidth/want[least], 0.2), "%s: %v", hop, weights)
			}
		}).Should(Succeed(), "%s in the kernel of %s", addr, routerName)
	}
}

// bandwidthsAt are the link bandwidths of an address's routes at a router, in
// Mbit/s, by next hop.
func bandwidthsAt(ctx context.Context, routerName string, addr netip.Addr) (map[netip.Addr]float64, error) {
	routes, err := site.Router(routerName).Routes(ctx, familyOf(addr))
	all := map[netip.Addr]float64{}
	for _, route := range routes[lab.HostRoute(addr)] {
		all[route.NextHop] = route.Bandwidth
	}
	return all, err
}
