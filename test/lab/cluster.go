package lab

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/kube"
	"github.com/herald-lb/herald/test/lab/kubelet"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/sandbox"
)

// Namespaces and ServiceAccounts of the manifests in config/.
const (
	systemNamespace = "herald-system"
	// SecretsNamespace is where peers' passwords lie.
	SecretsNamespace = "herald-secrets"
	managerAccount   = "herald-manager"
	agentAccount     = "herald-agent"
)

// manifests that are installed, in this order: directories under config/.
var manifests = []string{"crd/bases", "namespaces", "rbac", "policy"}

// startControlPlane runs etcd and the API server and installs Herald's
// manifests as a user would.
func (l *Lab) startControlPlane(ctx context.Context) error {
	what := "API server"
	if !l.options.Bare {
		what = "API server with Herald's CRDs and RBAC"
	}
	defer l.step(what)()
	box, err := l.box("cp")
	if err != nil {
		return err
	}
	if err := l.plug(box, controlPlaneHost); err != nil {
		return err
	}
	l.cp, err = kube.Start(ctx, box, filepath.Join(l.dir.Path, "cp"), controlPlaneAddress)
	if err != nil {
		return err
	}
	if err := l.writeWrappers(); err != nil {
		return err
	}
	if l.options.Bare {
		return nil
	}
	for _, dir := range manifests {
		if err := l.cp.ApplyDir(ctx, filepath.Join(l.source, "config", dir)); err != nil {
			return err
		}
	}
	for _, ns := range []string{systemNamespace, SecretsNamespace, "default"} {
		if err := l.cp.EnsureNamespace(ctx, ns); err != nil {
			return err
		}
	}
	return l.cp.WaitCRDs(ctx)
}

// startManagers runs the replicas of the manager, with leader election.
func (l *Lab) startManagers(ctx context.Context) error {
	for i := range max(l.options.Managers, 0) {
		name := fmt.Sprintf("manager-%d", i+1)
		kubeconfig, err := l.cp.ServiceAccountKubeconfig(ctx, name, systemNamespace, managerAccount, "")
		if err != nil {
			return err
		}
		m, err := kubelet.Start(kubelet.Spec{
			Name: name, LogFile: filepath.Join(l.dir.Path, "cp", name+".log"),
			Box: func() (*sandbox.Box, bool, error) { return l.cp.Box(), false, nil },
			Command: sandbox.Command{Args: append([]string{
				filepath.Join(l.programs(), binaries.Herald), "manager", "--kubeconfig", kubeconfig,
				"--namespace", systemNamespace, "--leader-elect",
				"--health-probe-bind-address", fmt.Sprintf("127.0.0.1:%d", 8181+i),
			}, l.options.ManagerArgs...)},
		})
		if err != nil {
			return err
		}
		l.managers = append(l.managers, m)
	}
	return nil
}

// StopManagers ends the managers for good; StartManagers starts as many again.
func (l *Lab) StopManagers(grace time.Duration) {
	for _, m := range l.managers {
		m.Stop(grace)
	}
	l.managers = nil
}

// StartManagers starts the managers that were stopped.
func (l *Lab) StartManagers(ctx context.Context) error { return l.startManagers(ctx) }

// Managers are the replicas of the manager.
func (l *Lab) Managers() []*kubelet.Container { return l.managers }

// startNodes boots all nodes at once.
func (l *Lab) startNodes(ctx context.Context) error {
	defer l.step(fmt.Sprintf("%d nodes", l.options.Nodes))()
	nodes := make([]*node.Node, l.options.Nodes)
	g, ctx := errgroup.WithContext(ctx)
	for i := range nodes {
		g.Go(func() error {
			n, err := l.startNode(ctx, i+1)
			nodes[i] = n
			return err
		})
	}
	err := g.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes = slices.DeleteFunc(nodes, func(n *node.Node) bool { return n == nil })
	return err
}

func (l *Lab) startNode(ctx context.Context, i int) (*node.Node, error) {
	cfg := l.nodeConfig(i)
	if err := l.createNode(ctx, cfg); err != nil {
		return nil, err
	}
	var err error
	cfg.AgentKubeconfig, err = l.cp.ServiceAccountKubeconfig(ctx, "agent-"+cfg.Name, systemNamespace, agentAccount, cfg.Name)
	if err != nil {
		return nil, err
	}
	cfg.ProxyKubeconfig, err = l.cp.UserKubeconfig("proxy-"+cfg.Name, "system:kube-proxy")
	if err != nil {
		return nil, err
	}
	if err := l.createAgentPod(ctx, cfg.Name); err != nil {
		return nil, err
	}
	n, err := node.Start(cfg)
	if err != nil {
		return nil, err
	}
	return n, l.updateNodeStatus(ctx, n)
}

func (l *Lab) nodeConfig(i int) node.Config {
	version := l.options.FRR
	if v, ok := l.options.NodeFRR[i]; ok {
		version = v
	}
	name := nodeName(i)
	return node.Config{
		Name: name, Dir: filepath.Join(l.dir.Path, name), FRRVersion: version,
		IPv4: host(4, firstNodeHost+i).Addr(), IPv6: host(6, firstNodeHost+i).Addr(),
		ProxyMinSync: l.options.ProxyMinSync, PodCIDR4: podCIDR(4, i), PodCIDR6: podCIDR(6, i), ClusterCIDRs: ClusterCIDRs,
		AgentArgs: l.options.AgentArgs, ReloaderArgs: l.options.ReloaderArgs, ExchangeSize: l.options.ExchangeSize, Relay: l.options.Relay, VRFs: l.options.VRFs,
		Programs: l.programs(), Source: l.source, Count: &l.count,
		Plug: func(box *sandbox.Box) error { return l.plugNode(box, i) },
	}
}

// plugNode connects a node and gives it its routes: to the client through the
// router that the client used, to the other nodes' pods, and a default.
func (l *Lab) plugNode(box *sandbox.Box, i int) error {
	if err := l.plug(box, firstNodeHost+i); err != nil {
		return err
	}
	var commands []string
	for _, family := range []int{4, 6} {
		for k := range l.options.Routers {
			via := host(family, firstRouterHost+k+1).Addr()
			commands = append(commands, fmt.Sprintf("route add %s via %s", behind(family, k+1, 0).Masked(), via))
		}
		for j := 1; j <= l.options.Nodes; j++ {
			if j != i {
				commands = append(commands, fmt.Sprintf("route add %s via %s", podCIDR(family, j), host(family, firstNodeHost+j).Addr()))
			}
		}
		commands = append(commands, fmt.Sprintf("route add %s via %s", everything(family), host(family, firstRouterHost+1).Addr()))
	}
	return link.Batch(box, commands...)
}

func everything(family int) netip.Prefix {
	if family == 4 {
		return netip.MustParsePrefix("0.0.0.0/0")
	}
	return netip.MustParsePrefix("::/0")
}

// Nodes are all nodes, node1 first.
func (l *Lab) Nodes() []*node.Node {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.nodes)
}

// Node is the node of that name; it panics if there is none.
func (l *Lab) Node(name string) *node.Node {
	for _, n := range l.Nodes() {
		if n.Name() == name {
			return n
		}
	}
	panic("lab: no node " + name)
}

// FRRVersions are the releases that nodes run.
func (l *Lab) FRRVersions() []frr.Version {
	var versions []frr.Version
	for _, n := range l.Nodes() {
		if !slices.Contains(versions, n.Config().FRRVersion) {
			versions = append(versions, n.Config().FRRVersion)
		}
	}
	return versions
}
