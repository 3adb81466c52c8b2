package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/kubelet"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

// announced makes a Service of the name with an endpoint on node2, in a pool of
// its own, announced to everybody, and waits until every router has it from all
// nodes.
func announced(ctx context.Context, name string) netip.Addr {
	GinkgoHelper()
	create(ctx, lab.Pool("public", "203.0.113.0/24"), lab.Advertisement("all"))
	return announcedToo(ctx, name)
}

// announcedToo is one more Service after announced.
func announcedToo(ctx context.Context, name string) netip.Addr {
	GinkgoHelper()
	podOn(ctx, "node2", name)
	svc := lab.Service(name)
	create(ctx, svc)
	addr := addressOf(ctx, svc)
	expectEverywhere(ctx, addr, allNodes...)
	return addr
}

// steadiness is how every router's sessions were at one moment, and a Service
// that it had routes of.
type steadiness struct {
	addr     netip.Addr
	sessions map[string]map[netip.Addr]router.Session
}

// steady looks at the routers once all sessions stay: that the address is everywhere says
// nothing of those over the other family, which may begin anew in their first seconds.
func steady(ctx context.Context, addr netip.Addr) steadiness {
	GinkgoHelper()
	s := steadiness{addr: addr, sessions: map[string]map[netip.Addr]router.Session{}}
	for _, r := range site.Routers() {
		all := map[netip.Addr]router.Session{}
		for _, family := range families {
			settled, err := site.WaitSettled(ctx, r, family)
			Expect(err).NotTo(HaveOccurred())
			maps.Copy(all, settled)
		}
		s.sessions[r.Config().Name] = all
	}
	return s
}

// holds is an error if since then any router has lost a session to one of these
// nodes (all if none is named), or BIRD has seen any route of theirs change, or a
// route over them is missing somewhere.
func (s steadiness) holds(ctx context.Context, nodes ...string) error {
	var failed []error
	for _, r := range site.Routers() {
		now, err := r.Sessions(ctx)
		if err != nil {
			return err
		}
		for _, family := range families {
			for _, addr := range site.NodeAddresses(family, nodes...) {
				was, is := s.sessions[r.Config().Name][addr], now[addr]
				if was.ResetUntil(is) || was.Changes != is.Changes {
					failed = append(failed, fmt.Errorf("%s about %s: %+v, then %+v", r.Config().Name, addr, was, is))
				}
			}
		}
		failed = append(failed, hasRoutes(ctx, r, s.addr, nodes...))
	}
	return errors.Join(failed...)
}

// hasRoutes is nil if a router has these nodes (all if none is named) among the
// next hops of an address now.
func hasRoutes(ctx context.Context, r router.Router, addr netip.Addr, nodes ...string) error {
	family := router.FamilyOf(lab.HostRoute(addr))
	routes, err := r.Routes(ctx, family)
	if err != nil {
		return err
	}
	hops := routes.NextHops(lab.HostRoute(addr))
	for _, nodeAddr := range site.NodeAddresses(family, nodes...) {
		if !slices.Contains(hops, nodeAddr) {
			return fmt.Errorf("%s has %s over %v, want %s among them", r.Config().Name, addr, hops, nodeAddr)
		}
	}
	return nil
}

// kill ends a container with SIGKILL and waits until it was started again.
func kill(ctx context.Context, containers ...*kubelet.Container) {
	GinkgoHelper()
	for _, c := range containers {
		starts := c.Starts()
		c.Kill()
		Eventually(ctx, func() bool { return c.Running() && c.Starts() > starts }).Should(BeTrue(), c.Name())
	}
}

// containersOf are one container of each node named, all if none is.
func containersOf(name string, nodes ...string) []*kubelet.Container {
	if len(nodes) == 0 {
		nodes = allNodes
	}
	var containers []*kubelet.Container
	for _, n := range nodes {
		containers = append(containers, site.Node(n).Container(name))
	}
	return containers
}

// stopped ends containers of a node for good. The caller defers the answer, which
// starts them again and may be called before.
func stopped(nodeName string, names ...string) (startAgain func()) {
	n := site.Node(nodeName)
	for _, name := range names {
		n.Stop(name, 0)
	}
	return func() { startAll(nodeName) }
}

// startAll starts what a node should run and doesn't.
func startAll(nodeName string) {
	GinkgoHelper()
	n := site.Node(nodeName)
	for _, name := range node.Containers { // in the order of a boot
		if n.Container(name) == nil {
			Expect(n.StartContainer(name)).To(Succeed())
		}
	}
}

// applies counts how often a node's reloader gave FRR a configuration.
func applies(nodeName string) int {
	GinkgoHelper()
	text, err := os.ReadFile(site.Node(nodeName).LogFile(node.Reloader))
	Expect(err).NotTo(HaveOccurred())
	return strings.Count(string(text), `"msg":"applied"`)
}

func appliesOfAll() map[string]int {
	GinkgoHelper()
	counts := map[string]int{}
	for _, name := range allNodes {
		counts[name] = applies(name)
	}
	return counts
}

// reportOf is what a node's reloader reports.
func reportOf(nodeName string) (report.Report, error) {
	data, err := os.ReadFile(filepath.Join(site.Node(nodeName).ExchangeDir(), exchange.ReportFile))
	if err != nil {
		return report.Report{}, err
	}
	return report.Decode(data)
}

// configFile is a node's frr.conf in the exchange directory.
func configFile(nodeName string) string {
	return filepath.Join(site.Node(nodeName).ExchangeDir(), exchange.ConfigFile)
}

// configOf is a node's valid frr.conf.
func configOf(nodeName string) exchange.File {
	GinkgoHelper()
	file, err := exchange.ReadConfig(site.Node(nodeName).ExchangeDir())
	Expect(err).NotTo(HaveOccurred())
	return file
}

// runningConfig is what a node's FRR runs, in its own words.
func runningConfig(ctx context.Context, nodeName string) (string, error) {
	return site.Node(nodeName).Vtysh(ctx, "-c", "show running-config")
}

// runningBlocks are the blocks of what a node's FRR runs, sorted: their order is
// that of their making. An empty block of BFD stays from profiles that are gone.
func runningBlocks(ctx context.Context, nodeName string) []string {
	GinkgoHelper()
	text, err := runningConfig(ctx, nodeName)
	Expect(err).NotTo(HaveOccurred())
	blocks := strings.Split(text, "\n!\n")
	slices.Sort(blocks)
	return slices.DeleteFunc(blocks, func(block string) bool { return block == "bfd\nexit" })
}

// configure gives a node's FRR commands by hand, behind Herald's back.
func configure(ctx context.Context, nodeName string, commands ...string) {
	GinkgoHelper()
	args := []string{"-c", "configure terminal"}
	for _, command := range commands {
		args = append(args, "-c", command)
	}
	_, err := site.Node(nodeName).Vtysh(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
}

// healthy waits until a node's Herald says that all is well.
func healthy(ctx context.Context, nodes ...string) {
	GinkgoHelper()
	for _, name := range nodes {
		Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionReady).Should(HavePrefix("True"), name)
		Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionProgrammed).Should(HavePrefix("True"), name)
	}
}
