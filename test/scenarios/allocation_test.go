package scenarios

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/kube"
	"github.com/herald-lb/herald/test/lab/kubelet"
	"github.com/herald-lb/herald/test/lab/wait"
)

var _ = Describe("Allocation", func() {
	// Pools of two addresses: what the first and second Service get.
	for _, c := range []struct {
		stack
		blocks        []v1alpha1.AddressBlock
		first, second []netip.Addr
	}{
		{onlyIPv4, []v1alpha1.AddressBlock{"203.0.113.10-203.0.113.11"}, addresses("203.0.113.10"), addresses("203.0.113.11")},
		{onlyIPv6, []v1alpha1.AddressBlock{"2001:db8:113::a-2001:db8:113::b"}, addresses("2001:db8:113::a"), addresses("2001:db8:113::b")},
		{
			dualStack, []v1alpha1.AddressBlock{"2001:db8:113::a-2001:db8:113::b", "203.0.113.10-203.0.113.11"},
			addresses("203.0.113.10", "2001:db8:113::a"), addresses("203.0.113.11", "2001:db8:113::b"),
		},
	} {
		It("A1 hands out the lowest free address; the Service without one is told why and gets the first that is freed: "+c.name, func(ctx SpecContext) {
			create(ctx, lab.Pool("two", c.blocks...), lab.Advertisement("all"))
			first, second, third := c.service("first"), c.service("second"), c.service("third")
			for _, app := range []string{"first", "second", "third"} {
				podOn(ctx, "node2", app)
			}

			create(ctx, first)
			Expect(addressesOf(ctx, first)).To(Equal(c.first))
			create(ctx, second)
			Expect(addressesOf(ctx, second)).To(Equal(c.second))
			create(ctx, third)
			Eventually(ctx, func() ([]string, error) { return warnings(ctx, third) }).
				Should(ContainElement(And(HavePrefix("PoolExhausted"), ContainSubstring(`"two"`))))
			Expect(ingress(ctx, third)).To(BeEmpty())
			expectNoNodeAsked(ctx, site, "third", v1alpha1.ReasonPoolExhausted)

			for _, addr := range slices.Concat(c.first, c.second) {
				expectEverywhere(ctx, addr, allNodes...)
			}
			remove(ctx, first)
			Expect(addressesOf(ctx, third)).To(Equal(c.first))
			for _, addr := range slices.Concat(c.first, c.second) {
				expectEverywhere(ctx, addr, allNodes...)
			}
		}, SpecTimeout(specTimeout))
	}

	It("A11 no address changes when the manager crashes, hands over or is gone altogether, in the middle of a burst", func(ctx SpecContext) {
		const early, burst = 8, 24
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		history := recordAddresses(ctx)
		wires := captures()
		for i := range early {
			create(ctx, webService(i))
		}
		for i := range early {
			expectEverywhere(ctx, addressOf(ctx, webService(i)), allNodes...)
		}

		By("killing the leader in the middle of a burst")
		leader, terms := leadingManager(ctx), leaseTransitions(ctx)
		for i := early; i < early+burst; i++ {
			create(ctx, webService(i))
			if i == early+burst/2 {
				leader.Kill()
			}
		}
		held := expectDistinct(ctx, early+burst)
		Expect(leaseTransitions(ctx)).To(BeNumerically(">", terms), "another leads")

		By("ending both in good order")
		for _, m := range site.Managers() {
			m.Process().Signal(unix.SIGTERM)
		}
		remove(ctx, webService(0))
		late := webService(early + burst)
		create(ctx, late)
		Expect(addressOf(ctx, late)).To(Equal(held[0]), "the freed address is the lowest")

		for i := 1; i < early+burst; i++ {
			Expect(addressOf(ctx, webService(i))).To(Equal(held[i]))
			expectEverywhere(ctx, held[i], allNodes...)
		}
		Expect(history()).To(And(HaveLen(early+burst+1), HaveEach(HaveLen(1))), "each Service had one address all its life")
		for name, c := range wires {
			Expect(messages(c, withdraws(hostRoutes(held[1:])...))).To(BeEmpty(), "withdrawn from %s", name)
		}
	}, SpecTimeout(specTimeout))
})

// webService makes one of many Services with the pods of app "web".
func webService(i int) *corev1.Service {
	svc := lab.Service(fmt.Sprintf("web-%02d", i))
	svc.Spec.Selector = map[string]string{"app": "web"}
	return svc
}

// hostRoutes of addresses.
func hostRoutes(addrs []netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, addr := range addrs {
		out = append(out, lab.HostRoute(addr))
	}
	return out
}

// expectDistinct waits until n Services have an address, all different, and
// returns them.
func expectDistinct(ctx context.Context, n int) []netip.Addr {
	GinkgoHelper()
	var held []netip.Addr
	for i := range n {
		var addr netip.Addr
		Eventually(ctx, func(g Gomega) {
			list := ingress(ctx, webService(i))
			g.Expect(list).To(HaveLen(1))
			addr = netip.MustParseAddr(list[0].IP)
		}).WithTimeout(wait.Session).Should(Succeed())
		Expect(held).NotTo(ContainElement(addr))
		held = append(held, addr)
	}
	return held
}

// leadingManager is the replica that says last in its log that it has the lease.
func leadingManager(ctx context.Context) *kubelet.Container {
	GinkgoHelper()
	var leader *kubelet.Container
	Eventually(ctx, func() (*kubelet.Container, error) {
		for _, m := range site.Managers() {
			log, err := os.ReadFile(m.LogFile())
			if err != nil {
				return nil, err
			}
			runs := strings.Split(string(log), kubelet.StartedAgain)
			if strings.Contains(runs[len(runs)-1], "Successfully acquired lease") {
				leader = m
			}
		}
		return leader, nil
	}).Should(Not(BeNil()))
	return leader
}

// leaseTransitions is how often leadership passed on.
func leaseTransitions(ctx context.Context) int32 {
	GinkgoHelper()
	var leases coordinationv1.LeaseList
	Expect(site.API().List(ctx, &leases, crclient.InNamespace("herald-system"))).To(Succeed())
	Expect(leases.Items).To(HaveLen(1))
	return ptr.Deref(leases.Items[0].Spec.LeaseTransitions, 0)
}

// recordAddresses watches all Services from now on. The function that it returns
// tells every address that each ever had, in order.
func recordAddresses(ctx context.Context) func() map[string][]string {
	GinkgoHelper()
	client, err := crclient.NewWithWatch(site.ControlPlane().Config(), crclient.Options{Scheme: kube.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	watcher, err := client.Watch(ctx, &corev1.ServiceList{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(watcher.Stop)
	var (
		mu   sync.Mutex
		seen = map[string][]string{}
	)
	go func() {
		for event := range watcher.ResultChan() {
			svc, ok := event.Object.(*corev1.Service)
			if !ok {
				continue
			}
			for _, ingress := range svc.Status.LoadBalancer.Ingress {
				mu.Lock()
				if had := seen[svc.Name]; len(had) == 0 || had[len(had)-1] != ingress.IP {
					seen[svc.Name] = append(had, ingress.IP)
				}
				mu.Unlock()
			}
		}
	}()
	return func() map[string][]string {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(seen)
	}
}
