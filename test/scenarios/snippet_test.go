package scenarios

import (
	"context"
	"fmt"
	"net/netip"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/router"
)

// A session that Herald knows nothing of: from a second address of node1 to a second
// one of tor-a, and the route that goes over it.
const (
	extraNode   = "10.10.0.211"
	extraRouter = "10.10.0.201"
	extraPrefix = "10.99.0.0/24"
)

var _ = Describe("FRRSnippets", func() {
	It("E1 add a session and a route for it only; a bad one is refused with its line, and all else goes on", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		before := steady(ctx, addr)
		plain := runningBlocks(ctx, "node1")
		defer extraSession()()

		good := snippetOf("extra", fmt.Sprintf(`! a route collector
ip prefix-list extra permit %[3]s
ip route %[3]s blackhole
route-map extra permit 10
 match ip address prefix-list extra
exit
route-map extra-in deny 10
exit
router bgp %[4]d
 neighbor %[1]s remote-as %[5]d
 neighbor %[1]s update-source %[2]s
 neighbor %[1]s timers connect 1
 address-family ipv4 unicast
  redistribute static route-map extra
  neighbor %[1]s activate
  neighbor %[1]s route-map extra-in in
  neighbor %[1]s route-map extra out
 exit-address-family
exit
`, extraRouter, extraNode, extraPrefix, lab.DefaultNodeASN, lab.DefaultRouterASN))
		good.Spec.NodeSelectors = onNodes("node1")
		bad := snippetOf("bad", fmt.Sprintf("router bgp %d\n! FRR's own words\n neighbor 10.10.0.250 timers 3 9\n", lab.DefaultNodeASN))
		create(ctx, bad, good)

		By("seeing the route at that router, over that session, and nowhere else")
		Eventually(ctx, sendersOf).WithArguments(ctx, "tor-a", extraPrefix).WithTimeout(patience).Should(Equal([]string{extraNode}))
		Eventually(ctx, acceptedOf).WithArguments(ctx, good).WithTimeout(patience).Should(Equal("True Accepted: in force on every node that it selects"))
		Eventually(ctx, acceptedOf).WithArguments(ctx, bad).WithTimeout(patience).Should(Equal(
			`False SnippetRefused: refused on node1, node2, node3: spec.config: line 3 "neighbor 10.10.0.250 timers 3 9": FRR: Specify remote-as or peer-group commands first`))
		for _, name := range []string{"tor-b", "tor-c"} {
			Expect(sendersOf(ctx, name, extraPrefix)).To(BeEmpty(), name)
		}
		Expect(before.holds(ctx)).To(Succeed())

		By("announcing one more Service beside it")
		second := announcedToo(ctx, "late")
		Expect(sendersOf(ctx, "tor-a", lab.HostRoute(second).String())).NotTo(ContainElement(extraNode), "only its own map's routes go over the session")

		By("deleting it")
		remove(ctx, good, bad)
		Eventually(ctx, sendersOf).WithArguments(ctx, "tor-a", extraPrefix).Should(BeEmpty())
		removeService(ctx, "late")
		Eventually(ctx, runningBlocks).WithArguments(ctx, "node1").Should(Equal(plain))
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))
})

func snippetOf(name, config string) *v1alpha1.FRRSnippet {
	s := &v1alpha1.FRRSnippet{Spec: v1alpha1.FRRSnippetSpec{Config: config}}
	s.Name = name
	return s
}

// removeService takes a Service of announcedToo away again.
func removeService(ctx context.Context, name string) {
	GinkgoHelper()
	svc := lab.Service(name)
	addr := addressOf(ctx, svc)
	remove(ctx, svc)
	Eventually(ctx, func() ([]netip.Addr, error) { return hopsAt(ctx, site.Router("tor-a"), addr) }).Should(BeEmpty())
}

// extraSession lets tor-a wait for the session, until the answer is called.
func extraSession() (remove func()) {
	GinkgoHelper()
	tor := router.Instance(site.Router("tor-a"))
	addresses := func(verb string) error {
		err := link.Batch(site.Node("node1").Box(), "addr "+verb+" "+extraNode+"/32 dev lo")
		if err == nil {
			err = link.Batch(tor.Box(), "addr "+verb+" "+extraRouter+"/32 dev lo")
		}
		return err
	}
	routerBGP := fmt.Sprintf("router bgp %d", lab.DefaultRouterASN)
	Expect(addresses("replace")).To(Succeed())
	_, err := tor.Vtysh("-c", "configure terminal", "-c", routerBGP,
		"-c", fmt.Sprintf("neighbor %s remote-as %d", extraNode, lab.DefaultNodeASN),
		"-c", fmt.Sprintf("neighbor %s passive", extraNode),
		"-c", "address-family ipv4 unicast", "-c", fmt.Sprintf("neighbor %s activate", extraNode))
	Expect(err).NotTo(HaveOccurred())
	return func() {
		_, _ = tor.Vtysh("-c", "configure terminal", "-c", routerBGP, "-c", "no neighbor "+extraNode)
		_ = addresses("del")
	}
}

// sendersOf are the neighbors that a router has a prefix from.
func sendersOf(ctx context.Context, routerName, prefix string) ([]string, error) {
	routes, err := site.Router(routerName).Routes(ctx, router.IPv4)
	if err != nil {
		return nil, err
	}
	var senders []string
	for _, route := range routes[netip.MustParsePrefix(prefix)] {
		senders = append(senders, route.Peer.String())
	}
	return senders, nil
}
