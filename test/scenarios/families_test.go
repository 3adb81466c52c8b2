package scenarios

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("Address families", func() {
	for _, own := range families {
		It("K1 an "+string(own)+" session carries only its own family, and both when asked", func(ctx SpecContext) {
			mayReset()
			create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))
			podOn(ctx, "node1", "web")
			svc := dualStack.service("web")
			create(ctx, svc)
			addrs := addressesOf(ctx, svc)
			for _, addr := range addrs {
				expectEverywhere(ctx, addr, allNodes...)
			}

			removeOtherPeers(ctx, own)
			for _, addr := range addrs {
				if familyOf(addr) == own {
					remains(ctx, addr, absence/3, allNodes...)
				} else {
					expectEverywhere(ctx, addr)
				}
			}

			for _, r := range site.Routers() {
				update(ctx, steadyPeer(r.Config().Name, own), func(p *v1alpha1.BGPPeer) {
					p.Spec.AddressFamilies = []v1alpha1.AddressFamily{v1alpha1.AddressFamilyIPv4, v1alpha1.AddressFamilyIPv6}
				})
			}
			for _, addr := range addrs { // next hops are the nodes' addresses of the route's family
				expectEverywhere(ctx, addr, allNodes...)
			}
		}, SpecTimeout(specTimeout))
	}
})

// removeOtherPeers leaves the steady peers of one family.
func removeOtherPeers(ctx context.Context, keep router.Family) {
	GinkgoHelper()
	var others []crclient.Object
	for _, r := range site.Routers() {
		for _, family := range families {
			if family != keep {
				others = append(others, steadyPeer(r.Config().Name, family))
			}
		}
	}
	remove(ctx, others...)
}
