package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wire"
)

// What routers send to the nodes.

var _ = Describe("Received routes", func() {
	It("D10 are not installed and not kept, whoever sends them: no default route, no more specific one, none of a pool", func(ctx SpecContext) {
		addrs := announcedDualStack(ctx, "web")
		common := prefixes("0.0.0.0/0", "::/0", "203.0.113.0/24", "2001:db8:113::/64", "10.10.0.128/25", "fd00:10:10::8000/113")
		before := kernelRoutes(ctx, common)
		sent, end := routersSend(ctx, common...)
		defer end()

		Consistently(ctx, func(g Gomega) {
			g.Expect(kernelRoutes(ctx, common)).To(Equal(before))
			for _, n := range site.Nodes() {
				for _, p := range sent {
					if !slices.Contains(common, p) {
						g.Expect(n.KernelNextHops(ctx, p)).To(BeEmpty(), "%s on %s", p, n.Name())
					}
				}
			}
		}).Should(Succeed())
		for _, n := range site.Nodes() {
			tables := ""
			for _, command := range []string{
				"show bgp ipv4 unicast json", "show bgp ipv6 unicast json", "show ip route bgp json", "show ipv6 route bgp json",
			} {
				out, err := n.Vtysh(ctx, "-c", command)
				Expect(err).NotTo(HaveOccurred())
				tables += out
			}
			for _, addr := range addrs { // FRR's spelling is ours
				Expect(tables).To(ContainSubstring(fmt.Sprintf("%q", lab.HostRoute(addr))), n.Name())
			}
			for _, p := range sent {
				Expect(tables).NotTo(ContainSubstring(fmt.Sprintf("%q", p)), n.Name())
			}
		}
		for _, addr := range addrs {
			expectEverywhere(ctx, addr, allNodes...)
		}
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("P9 are never sent on: not while FRR starts, policy is edited, reloaders restart, peers go or maps are taken away by hand", func(ctx SpecContext) {
		mayReset()
		addrs := announcedDualStack(ctx, "web")
		everywhere := func() {
			GinkgoHelper()
			for _, addr := range addrs {
				expectEverywhere(ctx, addr, allNodes...)
			}
		}
		_, end := routersSend(ctx, prefixes("0.0.0.0/0", "::/0")...)
		defer end()
		wires := captures()

		By("FRR starts, of both releases")
		kill(ctx, containersOf(node.FRR, bothReleases...)...)
		expectSessionsOf(ctx, "tor-b", allNodes...)
		everywhere()
		healthy(ctx, allNodes...)

		By("policy is edited")
		adv := lab.Advertisement("all")
		for _, communities := range [][]v1alpha1.CommunityValue{{"64512:1"}, {"64512:2", "no-export"}, nil} {
			update(ctx, adv, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Communities = communities })
			for _, addr := range addrs {
				for _, name := range routerNames() {
					Eventually(ctx, communitiesAt).WithArguments(ctx, name, addr).Should(Equal(sameFromAll(texts(communities))))
				}
			}
		}

		By("reloaders restart, and the policy goes meanwhile")
		for _, c := range containersOf(node.Reloader) {
			c.Kill()
		}
		remove(ctx, adv)
		for _, addr := range addrs {
			expectEverywhere(ctx, addr)
		}
		create(ctx, lab.Advertisement("all"))
		everywhere()

		By("a peer goes and comes, and all do")
		for _, gone := range [][]string{{"tor-b"}, routerNames()} {
			for _, name := range gone {
				for _, family := range families {
					remove(ctx, steadyPeer(name, family))
				}
			}
			for _, name := range gone {
				for _, family := range families {
					Eventually(ctx, establishedWith).WithArguments(ctx, site, site.Router(name), family).Should(BeEmpty(), name)
				}
			}
			Expect(restoreSessions(ctx)).To(Succeed())
			everywhere()
		}

		By("somebody takes the maps away")
		for _, name := range bothReleases {
			restartReloader(name, "--check-interval=1s")
			defer restartReloader(name)
		}
		healthy(ctx, allNodes...)
		for _, name := range bothReleases {
			withoutMaps(ctx, name)
			Eventually(ctx, func(g Gomega) {
				r, err := reportOf(name)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(r.Drift).NotTo(BeNil())
				g.Expect(r.Drift.Repaired).To(BeTrue())
				g.Expect(r.Drift.Lines).To(ContainElement(ContainSubstring("route-map herald_deny in")))
			}).Should(Succeed(), name)
		}
		everywhere()

		own := hostRoutes(addrs)
		for name, c := range wires {
			Expect(messages(c, announces(own...))).NotTo(BeEmpty(), "the capture at %s sees announcements", name)
			Expect(messages(c, func(m wire.Message) bool {
				return slices.ContainsFunc(m.Announced, func(p netip.Prefix) bool { return !slices.Contains(own, p) })
			})).To(BeEmpty(), "sent on to %s", name)
		}
	}, SpecTimeout(2*specTimeout))
})

// routersSend lets each router send these prefixes and two of its own, and waits
// until every node was sent all of them by each. It returns all, and how to end it.
func routersSend(ctx context.Context, common ...netip.Prefix) (sent []netip.Prefix, end func()) {
	GinkgoHelper()
	arrivals := map[string]*wire.Capture{}
	for _, n := range site.Nodes() {
		c, err := wire.Listen(n.Box(), "eth0")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(c.Close)
		arrivals[n.Name()] = c
	}
	var undo []func()
	end = func() {
		for _, u := range undo {
			u()
		}
	}
	sent = slices.Clone(common)
	for i, r := range site.Routers() {
		own := append(prefixes(fmt.Sprintf("198.51.%d.0/24", i), fmt.Sprintf("2001:db8:51:%d::/64", i)), common...)
		sent = append(sent, own[0], own[1])
		config := r.Config()
		without := config
		config.Announce = own
		Expect(r.Configure(config)).To(Succeed())
		undo = append(undo, func() { Expect(r.Configure(without)).To(Succeed()) })
		for name, c := range arrivals {
			for _, p := range own {
				from := site.RouterAddress(config.Name, router.FamilyOf(p))
				Expect(c.Wait(ctx, fmt.Sprintf("%s is sent %s by %s", name, p, config.Name), func(m wire.Message) bool {
					return m.From == from && slices.Contains(m.Announced, p)
				})).To(Succeed())
			}
		}
	}
	return sent, end
}

// withoutMaps takes every route-map off a node's neighbors by hand.
func withoutMaps(ctx context.Context, nodeName string) {
	GinkgoHelper()
	commands := []string{fmt.Sprintf("router bgp %d", lab.DefaultNodeASN)}
	for _, family := range families {
		commands = append(commands, fmt.Sprintf("address-family %s unicast", family))
		for _, r := range site.Routers() {
			neighbor := site.RouterAddress(r.Config().Name, family)
			commands = append(commands,
				fmt.Sprintf("no neighbor %s route-map herald_deny in", neighbor),
				fmt.Sprintf("no neighbor %s route-map herald_out_%s_%s out", neighbor, peerName(r.Config().Name, family), family))
		}
		commands = append(commands, "exit-address-family")
	}
	configure(ctx, nodeName, commands...)
}

// kernelRoutes are the next hops of these prefixes in each node's kernel.
func kernelRoutes(ctx context.Context, all []netip.Prefix) map[string][]netip.Addr {
	GinkgoHelper()
	hops := map[string][]netip.Addr{}
	for _, n := range site.Nodes() {
		for _, p := range all {
			found, err := n.KernelNextHops(ctx, p)
			Expect(err).NotTo(HaveOccurred())
			hops[fmt.Sprint(n.Name(), " ", p)] = found
		}
	}
	return hops
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}
