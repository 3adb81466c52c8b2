package scenarios

import (
	"net/netip"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
)

// nodeSpecific is what may differ between the files of two nodes.
var nodeSpecific = regexp.MustCompile(`(?m)^ bgp router-id .*$`)

var _ = Describe("The same state", func() {
	It("R8 gives the same bytes: on all nodes, after a restart, in any order of creation", func(ctx SpecContext) {
		body := func(name string) string {
			GinkgoHelper()
			file, err := exchange.ReadConfig(site.Node(name).ExchangeDir())
			Expect(err).NotTo(HaveOccurred())
			return string(file.Body)
		}
		build := func(order ...int) netip.Addr {
			GinkgoHelper()
			podOn(ctx, "node1", "web")
			var last netip.Addr
			for _, i := range order {
				switch i {
				case 0:
					create(ctx, lab.Pool("public", block4, block6))
				case 1:
					create(ctx, advertisement("some", "public", []string{"tor-a", "tor-b"}, "64512:1"))
				case 2:
					create(ctx, lab.Advertisement("all"))
				default:
					create(ctx, webService(i))
				}
			}
			for _, i := range order {
				if i > 2 {
					last = addressOf(ctx, webService(i))
					expectEverywhere(ctx, last, allNodes...)
				}
			}
			return last
		}
		build(0, 1, 2, 3, 4, 5)
		first := body("node2")
		Expect(nodeSpecific.ReplaceAllString(body("node3"), "")).To(Equal(nodeSpecific.ReplaceAllString(first, "")))

		By("restarting the agent")
		container := site.Node("node2").Container(node.Agent)
		starts := container.Starts()
		container.Kill()
		Eventually(ctx, container.Starts).Should(BeNumerically(">", starts))
		Consistently(ctx, func() string { return body("node2") }).Should(Equal(first))

		By("making everything again in another order")
		Expect(site.Reset(ctx, steadyPeers()...)).To(Succeed())
		Eventually(ctx, withdrawn).Should(Succeed())
		build(5, 3, 2, 4, 1, 0)
		Eventually(ctx, func() string { return body("node2") }).Should(Equal(first))
	}, SpecTimeout(specTimeout))
})
