package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

// All makes of router help a graceful restart here: FRR does so unasked, BIRD and
// GoBGP are configured to. These specs have a site of their own: where GoBGP has
// once helped it keeps routes for a neighbor's restart ever after, also for one
// that never asks for it again.
var _ = Describe("Graceful restart", func() {
	It("R2 S5 no router loses a prefix while FRR is killed, once it is negotiated, and the status says when it is", func(ctx SpecContext) {
		defer ownSite(ctx, lab.DefaultNodeASN)()
		addrs := announcedDualStack(ctx, "web")
		killed := []string{"node1", "node2"} // one of each release

		By("switching it on")
		restartGracefully(ctx)
		for _, n := range site.Nodes() {
			if n.Config().FRRVersion == frr.V8_4 {
				restartPending(ctx, n.Name())
			}
		}
		for _, n := range allNodes {
			for _, obj := range steadyPeers() {
				Eventually(ctx, negotiation).WithArguments(ctx, n, obj.GetName()).Should(Equal("Negotiated []"), "%s %s", n, obj.GetName())
			}
		}
		for _, addr := range addrs {
			expectEverywhere(ctx, addr, allNodes...)
		}

		By("killing FRR, then bgpd alone")
		for _, crash := range []func(string){
			func(name string) { kill(ctx, containersOf(node.FRR, name)...) },
			func(name string) { killDaemon(ctx, name, "bgpd") },
		} {
			before := establishedAt(ctx)
			watch := watchRoutes(addrs)
			for _, name := range killed {
				crash(name)
			}
			for _, name := range killed {
				expectNewSessions(ctx, before, name)
			}
			watch.wholeUntil(ctx, time.Second)
			healthy(ctx, allNodes...)
		}

		By("killing FRR while one router refuses the node: the others don't wait for it")
		refused := site.NodeAddresses(router.IPv4, "node1")[0]
		tor := site.Router("tor-a")
		Expect(tor.Disable(ctx, refused)).To(Succeed())
		expectAt(ctx, "tor-a", addrs[0], "node2", "node3")
		watch := watchRoutes(addrs, "tor-b", "tor-c")
		kill(ctx, containersOf(node.FRR, "node1")...)
		expectEstablished(ctx, "tor-b", "node1")
		next := lab.Service("next")
		next.Spec.Selector = map[string]string{"app": "web"}
		create(ctx, next)
		for _, name := range []string{"tor-b", "tor-c"} {
			expectAt(ctx, name, addressOf(ctx, next), allNodes...)
		}
		watch.wholeUntil(ctx, time.Second)
		Expect(tor.Enable(ctx, refused)).To(Succeed())
		expectAt(ctx, "tor-a", addrs[0], allNodes...)

		By("deleting the Service: nothing that was kept is left behind")
		remove(ctx, next, &corev1.Service{ObjectMeta: lab.Service("web").ObjectMeta})
		for _, addr := range addrs {
			expectEverywhere(ctx, addr)
		}
	}, SpecTimeout(2*specTimeout))

	It("S9 removing a peer withdraws at once what the router would keep for FRR's restart", func(ctx SpecContext) {
		defer ownSite(ctx, lab.DefaultNodeASN)()
		addrs := announcedDualStack(ctx, "web")
		restartGracefully(ctx)
		for _, r := range site.Routers() {
			restartSessions(ctx, r, allNodes...)
		}
		for _, r := range site.Routers() {
			for _, n := range allNodes {
				Eventually(ctx, negotiation).WithArguments(ctx, n, r.Config().Name).Should(Equal("Negotiated []"), "%s %s", n, r.Config().Name)
			}
		}
		expectEverywhere(ctx, addrs[0], allNodes...)
		for _, r := range site.Routers() {
			remove(ctx, steadyPeer(r.Config().Name, router.IPv4))
		}
		expectEverywhere(ctx, addrs[0])
		expectEverywhere(ctx, addrs[1], allNodes...)
	}, SpecTimeout(specTimeout))
})

// restartGracefully gives every steady peer graceful restart.
func restartGracefully(ctx context.Context) {
	GinkgoHelper()
	for _, obj := range steadyPeers() {
		update(ctx, obj.(*v1alpha1.BGPPeer), func(p *v1alpha1.BGPPeer) { p.Spec.EnableGracefulRestart = true })
	}
	inAllConfigs(ctx, "graceful-restart-disable", false)
}

// announcedDualStack announces a Service of both families and waits for it.
func announcedDualStack(ctx context.Context, name string) []netip.Addr {
	GinkgoHelper()
	create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))
	podOn(ctx, "node1", name)
	svc := dualStack.service(name)
	create(ctx, svc)
	addrs := addressesOf(ctx, svc)
	for _, addr := range addrs {
		expectEverywhere(ctx, addr, allNodes...)
	}
	return addrs
}

// restartPending waits until a node's sessions say that graceful restart holds
// from the next OPEN on, and brings that about at the routers.
func restartPending(ctx context.Context, nodeName string) {
	GinkgoHelper()
	for _, obj := range steadyPeers() {
		Eventually(ctx, negotiation).WithArguments(ctx, nodeName, obj.GetName()).Should(Equal("NotNegotiated [enableGracefulRestart]"), obj.GetName())
	}
	for _, r := range site.Routers() {
		restartSessions(ctx, r, nodeName)
	}
}

// restartSessions closes a router's sessions with nodes and opens them again.
func restartSessions(ctx context.Context, r router.Router, nodes ...string) {
	GinkgoHelper()
	for _, family := range families {
		for _, addr := range site.NodeAddresses(family, nodes...) {
			Expect(r.Disable(ctx, addr)).To(Succeed())
			Expect(r.Enable(ctx, addr)).To(Succeed())
		}
	}
}

// negotiation is what a BGPSession says: "Negotiated []".
func negotiation(ctx context.Context, nodeName, peer string) (string, error) {
	var session v1alpha1.BGPSession
	err := site.API().Get(ctx, crclient.ObjectKey{Name: v1alpha1.SessionName(nodeName, peer)}, &session)
	return fmt.Sprint(session.Status.GracefulRestart, " ", session.Status.RestartNeeded), err
}

// establishedAt are all sessions as the routers see them.
func establishedAt(ctx context.Context) map[string]map[netip.Addr]router.Session {
	GinkgoHelper()
	all := map[string]map[netip.Addr]router.Session{}
	for _, r := range site.Routers() {
		sessions, err := r.Sessions(ctx)
		Expect(err).NotTo(HaveOccurred())
		all[r.Config().Name] = sessions
	}
	return all
}

// expectNewSessions waits until every router has other sessions with a node than
// before, established.
func expectNewSessions(ctx context.Context, before map[string]map[netip.Addr]router.Session, nodeName string) {
	GinkgoHelper()
	for _, r := range site.Routers() {
		name := r.Config().Name
		for _, family := range families {
			addr := site.NodeAddresses(family, nodeName)[0]
			Eventually(ctx, func(g Gomega) {
				now, err := r.Sessions(ctx)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(now[addr].State).To(Equal(router.Established))
				g.Expect(before[name][addr].ResetUntil(now[addr])).To(BeTrue(), "still the old session")
			}).WithTimeout(patience).Should(Succeed(), "%s with %s", name, addr)
		}
	}
}

// routeWatch looks at routers without pause, in their tables and kernels.
type routeWatch struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	looks map[string]int
	lost  []string
}

// watchRoutes begins to look whether every router, or those named, has all nodes
// as next hops of these addresses.
func watchRoutes(addrs []netip.Addr, routers ...string) *routeWatch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &routeWatch{cancel: cancel, looks: map[string]int{}}
	DeferCleanup(func() { cancel(); w.done.Wait() })
	for _, r := range site.Routers() {
		if len(routers) > 0 && !slices.Contains(routers, r.Config().Name) {
			continue
		}
		w.done.Go(func() {
			for ctx.Err() == nil {
				for _, addr := range addrs {
					w.look(ctx, r, addr)
				}
			}
		})
	}
	return w
}

func (w *routeWatch) look(ctx context.Context, r router.Router, addr netip.Addr) {
	want := site.NodeAddresses(familyOf(addr))
	hops, err := hopsAt(ctx, r, addr)
	inKernel, kernelErr := r.KernelNextHops(ctx, lab.HostRoute(addr))
	if ctx.Err() != nil {
		return
	}
	name := r.Config().Name
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks[name]++
	if err != nil || !slices.Equal(hops, want) {
		w.lost = append(w.lost, fmt.Sprintf("%s %s: %s has next hops %v, %v", time.Now().Format(time.StampMilli), addr, name, hops, err))
	}
	if !errors.Is(kernelErr, router.ErrNoKernel) && (kernelErr != nil || !slices.Equal(inKernel, want)) {
		w.lost = append(w.lost, fmt.Sprintf("%s %s: the kernel of %s has next hops %v, %v", time.Now().Format(time.StampMilli), addr, name, inKernel, kernelErr))
	}
}

// wholeUntil looks for some time more, ends the watch and checks that nothing was
// ever lost.
func (w *routeWatch) wholeUntil(ctx context.Context, more time.Duration) {
	GinkgoHelper()
	Consistently(ctx, func() []string {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.Clone(w.lost)
	}).WithTimeout(more).Should(BeEmpty())
	w.cancel()
	w.done.Wait()
	for name, n := range w.looks {
		Expect(n).To(BeNumerically(">", 10), "looks at %s", name)
	}
}
