package scenarios

import (
	"context"
	"net/netip"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/wire"
)

var _ = Describe("Policy", func() {
	It("P1 communities of the advertisements that apply, united, are on exactly the right prefixes at each router", func(ctx SpecContext) {
		// A Service takes the one address per family of the next pool.
		pools := []string{"a-gold", "b-plain", "c-marked", "d-quiet"}
		held := serviceInEachPool(ctx, pools...)
		create(ctx,
			advertisement("gold", "a-gold", nil, "64512:100", "no-export"),
			// Meets "gold" on one prefix and one router, with one community in common.
			advertisement("gold-b", "a-gold", []string{"tor-b", "tor-b-ipv6"}, "64512:200", "no-export", "65535:65535"),
			advertisement("plain", "b-plain", nil, "0:1", "graceful-shutdown"),
			advertisement("plain-c", "b-plain", []string{"tor-c-ipv6"}, "64512:300"),
			advertisement("marked", "c-marked", nil, "no-advertise", "local-AS", "no-peer", "blackhole"),
			advertisement("quiet", "d-quiet", nil),
		)
		want := func(routerName, pool string, ipv6 bool) []string {
			switch {
			case pool == "a-gold" && routerName == "tor-b":
				return []string{"64512:100", "64512:200", "65535:65535", "no-export"}
			case pool == "a-gold":
				return []string{"64512:100", "no-export"}
			case pool == "b-plain" && routerName == "tor-c" && ipv6:
				return []string{"0:1", "64512:300", "graceful-shutdown"}
			case pool == "b-plain":
				return []string{"0:1", "graceful-shutdown"}
			case pool == "c-marked" && routerName == "tor-a":
				// FRR adds no-export to what it receives with blackhole (RFC 7999 section 3.2).
				return []string{"blackhole", "local-AS", "no-advertise", "no-export", "no-peer"}
			case pool == "c-marked":
				return []string{"blackhole", "local-AS", "no-advertise", "no-peer"}
			}
			return nil
		}
		for i, pool := range pools {
			for _, addr := range held[i] {
				for _, name := range routerNames() {
					Eventually(ctx, communitiesAt).WithArguments(ctx, name, addr).
						Should(Equal(sameFromAll(want(name, pool, addr.Is6()))), "%s of pool %s at %s", addr, pool, name)
				}
			}
		}
	}, SpecTimeout(specTimeout))

	It("P3 changed communities of a live advertisement reach every router as an update, without a withdrawal", func(ctx SpecContext) {
		held := serviceInEachPool(ctx, "a-edited", "b-edited", "c-other")
		edited := advertisement("edited", "a-edited", nil, "64512:1")
		edited.Spec.IPAddressPools = append(edited.Spec.IPAddressPools, "b-edited")
		create(ctx, edited, advertisement("other", "c-other", nil, "64512:9"))
		touched, untouched := hostRoutes(slices.Concat(held[0], held[1])), hostRoutes(held[2])
		for _, p := range slices.Concat(touched, untouched) {
			expectEverywhere(ctx, p.Addr(), allNodes...)
		}
		wires := captures()

		for _, communities := range [][]v1alpha1.CommunityValue{
			{"64512:2", "no-export"}, {"64512:3"}, nil, {"64512:4"},
		} {
			update(ctx, edited, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Communities = communities })
			for _, p := range touched {
				for _, name := range routerNames() {
					Eventually(ctx, communitiesAt).WithArguments(ctx, name, p.Addr()).
						Should(Equal(sameFromAll(texts(communities))), "%s at %s", p, name)
				}
			}
		}
		// An advertisement more and less changes attributes too.
		second := advertisement("second", "a-edited", nil, "64512:5")
		create(ctx, second)
		for _, name := range routerNames() {
			Eventually(ctx, communitiesAt).WithArguments(ctx, name, held[0][0]).Should(Equal(sameFromAll([]string{"64512:4", "64512:5"})), name)
		}
		remove(ctx, second)
		for _, name := range routerNames() {
			Eventually(ctx, communitiesAt).WithArguments(ctx, name, held[0][0]).Should(Equal(sameFromAll([]string{"64512:4"})), name)
		}

		for name, c := range wires {
			Expect(messages(c, announces(touched...))).NotTo(BeEmpty(), "the capture at %s sees announcements", name)
			Expect(messages(c, withdraws())).To(BeEmpty(), "withdrawn from %s", name)
		}
		remove(ctx, edited)
		for name, c := range wires {
			Expect(c.Wait(ctx, "the capture at "+name+" sees withdrawals", withdraws(touched...))).To(Succeed())
		}
	}, SpecTimeout(specTimeout))
})

// serviceInEachPool creates pools of one address per family, and a dual-stack
// Service for each, in order. It returns the Services' addresses.
func serviceInEachPool(ctx context.Context, pools ...string) [][]netip.Addr {
	GinkgoHelper()
	addr4, addr6 := netip.MustParseAddr("203.0.113.10"), netip.MustParseAddr("2001:db8:113::a")
	var objects []crclient.Object
	for _, name := range pools {
		objects = append(objects, lab.Pool(name, v1alpha1.AddressBlock(addr4.String()+"/32"), v1alpha1.AddressBlock(addr6.String()+"/128")))
		addr4, addr6 = addr4.Next(), addr6.Next()
	}
	create(ctx, objects...)
	podOn(ctx, "node1", "web")
	var held [][]netip.Addr
	for _, name := range pools {
		svc := dualStack.service("in-" + name)
		svc.Spec.Selector = map[string]string{"app": "web"}
		create(ctx, svc)
		held = append(held, addressesOf(ctx, svc))
	}
	return held
}

// advertisement makes one of a pool to peers (nil: all).
func advertisement(name, pool string, peers []string, communities ...v1alpha1.CommunityValue) *v1alpha1.BGPAdvertisement {
	adv := lab.Advertisement(name)
	adv.Spec.IPAddressPools, adv.Spec.Peers, adv.Spec.Communities = []string{pool}, peers, communities
	return adv
}

// communitiesAt are the communities of an address at a router, of the path from
// each node.
func communitiesAt(ctx context.Context, routerName string, addr netip.Addr) ([][]string, error) {
	routes, err := site.Router(routerName).Routes(ctx, familyOf(addr))
	var out [][]string
	for _, route := range routes[lab.HostRoute(addr)] {
		out = append(out, append([]string{}, route.Communities...))
	}
	return out, err
}

// sameFromAll is the same list from every node, sorted.
func sameFromAll(communities []string) [][]string {
	sorted := append([]string{}, communities...)
	slices.Sort(sorted)
	out := make([][]string, len(allNodes))
	for i := range out {
		out[i] = sorted
	}
	return out
}

func texts(communities []v1alpha1.CommunityValue) []string {
	var out []string
	for _, c := range communities {
		out = append(out, string(c))
	}
	return out
}

// routerNames of the site.
func routerNames() []string {
	var names []string
	for _, r := range site.Routers() {
		names = append(names, r.Config().Name)
	}
	return names
}

// announces is true for messages that announce any of these prefixes.
func announces(prefixes ...netip.Prefix) func(wire.Message) bool {
	return func(m wire.Message) bool {
		return slices.ContainsFunc(m.Announced, func(p netip.Prefix) bool { return slices.Contains(prefixes, p) })
	}
}
