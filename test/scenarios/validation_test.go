package scenarios

import (
	"net/netip"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("Validation", func() {
	It("V9 the order in which objects are applied never matters", func(ctx SpecContext) {
		mayReset("tor-a")
		for _, order := range []string{
			"pool advertisement service", "pool service advertisement", "advertisement pool service",
			"service pool advertisement", "advertisement service pool", "service advertisement pool",
			"pool advertisement service peer", "service peer advertisement pool",
		} {
			By(order)
			peer := steadyPeer("tor-a", router.IPv4)
			if strings.Contains(order, "peer") {
				remove(ctx, peer.DeepCopy())
			}
			adv := lab.Advertisement("first")
			adv.Spec.Communities = append(adv.Spec.Communities, "64512:100")
			adv.Spec.Peers, adv.Spec.IPAddressPools = []string{"tor-a"}, []string{"public"}
			svc := lab.Service("web")
			podOn(ctx, "node2", "web")
			objects := map[string]crclient.Object{
				"pool": lab.Pool("public", block4), "advertisement": adv, "service": svc, "peer": peer,
			}
			for _, kind := range strings.Fields(order) {
				create(ctx, objects[kind])
			}
			Expect(addressOf(ctx, svc)).To(Equal(netip.MustParseAddr("203.0.113.0")))
			expectAt(ctx, "tor-a", addressOf(ctx, svc), allNodes...)
			Eventually(ctx, communitiesAt).WithArguments(ctx, "tor-a", addressOf(ctx, svc)).Should(Equal(sameFromAll([]string{"64512:100"})))
			Expect(hopsAt(ctx, site.Router("tor-b"), addressOf(ctx, svc))).To(BeEmpty())
			remove(ctx, svc, objects["pool"], adv)
			expectAt(ctx, "tor-a", netip.MustParseAddr("203.0.113.0"))
			_, err := site.RemovePod(ctx, "web-node2")
			Expect(err).NotTo(HaveOccurred())
		}
	}, SpecTimeout(specTimeout))
})
