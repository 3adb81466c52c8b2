package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/kubelet"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Where Herald's parts lie in the containers, as its DaemonSets have them.
const (
	startScript  = "/usr/local/bin/frr-start.sh"
	reloaderFile = "/usr/local/bin/reloader"
)

// Container is one of the node's containers, nil while it was stopped or the
// node is down.
func (n *Node) Container(name string) *kubelet.Container {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.containers[name]
}

// Stop ends a container for good, with SIGTERM and after grace SIGKILL.
func (n *Node) Stop(name string, grace time.Duration) {
	n.mu.Lock()
	c := n.containers[name]
	delete(n.containers, name)
	n.mu.Unlock()
	if c != nil {
		c.Stop(grace)
	}
}

// StartContainer starts a container that was stopped, with these arguments more
// than usual.
func (n *Node) StartContainer(name string, args ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.box == nil {
		return fmt.Errorf("node %q is down", n.cfg.Name)
	}
	if n.containers[name] != nil {
		return fmt.Errorf("node %q: container %q runs already", n.cfg.Name, name)
	}
	return n.startContainer(name, args)
}

// SetFRR lets the node's FRR and reloader run from another release, as on a node that
// never ran the former one: what FRR would start with is gone.
func (n *Node) SetFRR(version frr.Version) error {
	for _, name := range []string{Reloader, FRR} {
		n.Stop(name, stopGrace)
	}
	if err := os.Remove(filepath.Join(n.FRRDir(), exchange.StartupFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n.mu.Lock()
	n.cfg.FRRVersion = version
	n.mu.Unlock()
	for _, name := range []string{FRR, Reloader} {
		if err := n.StartContainer(name); err != nil {
			return err
		}
	}
	return nil
}

// ReplaceFRR does what Kubernetes does when FRR's pod is deleted: the container's preStop
// hook, at most as long as told, its end, and the next pod.
func (n *Node) ReplaceFRR(ctx context.Context, drain time.Duration) error {
	hook := []string{"/bin/sh", startScript, "stop", fmt.Sprintf("%.0f", drain.Seconds())}
	if _, err := n.Container(FRR).Box().Run(ctx, hook...); err != nil {
		return fmt.Errorf("preStop hook of node %q: %w", n.cfg.Name, err)
	}
	n.Stop(FRR, stopGrace)
	return n.StartContainer(FRR)
}

// stopGrace is how long a container may take to end by itself.
const stopGrace = 5 * time.Second

func (n *Node) startContainer(name string, args []string) error {
	spec := kubelet.Spec{Name: n.cfg.Name + "/" + name, LogFile: n.LogFile(name), Box: hostBox(n.box)}
	switch name {
	case FRR:
		script, err := n.startScriptFile()
		if err != nil {
			return err
		}
		spec.Box = n.withNamespaces(n.frrBox("frr", sandbox.Mount{Kind: sandbox.Bind, Source: script, Target: startScript, ReadOnly: true}))
		spec.Command.Args = []string{"/bin/sh", startScript}
	case Reloader:
		spec.Box = n.frrBox("reloader", sandbox.Mount{
			Kind: sandbox.Bind, Source: filepath.Join(n.cfg.Programs, binaries.Reloader), Target: reloaderFile, ReadOnly: true,
		})
		spec.Command.Args = append([]string{reloaderFile}, n.cfg.ReloaderArgs...)
	case Agent:
		spec.Command.Args = append([]string{
			filepath.Join(n.cfg.Programs, binaries.Herald), "agent",
			"--kubeconfig", n.cfg.AgentKubeconfig, "--node-name", n.cfg.Name,
		}, n.cfg.AgentArgs...)
	case Relay:
		spec.Command.Args = []string{filepath.Join(n.cfg.Programs, binaries.Herald), "relay"}
	case KubeProxy:
		if err := n.writeProxyConfig(); err != nil {
			return err
		}
		spec.Command.Args = []string{thirdparty.Binary("kube-proxy"), "--config=" + n.proxyConfigFile(), "--v=2"}
	default:
		return fmt.Errorf("unknown container %q", name)
	}
	spec.Command.Args = append(spec.Command.Args, args...)
	c, err := kubelet.Start(spec)
	if err != nil {
		return err
	}
	n.containers[name] = c
	return nil
}

// hostBox lets a container run in the node's own namespaces.
func hostBox(node *sandbox.Box) func() (*sandbox.Box, bool, error) {
	return func() (*sandbox.Box, bool, error) { return node, false, nil }
}

// frrBox makes a container of FRR's image: its root, with the directories that
// FRR and reloader share.
func (n *Node) frrBox(name string, program sandbox.Mount) func() (*sandbox.Box, bool, error) {
	within, dir := n.box, filepath.Join(n.bootDir(), name)
	mounts := []sandbox.Mount{
		{Kind: sandbox.Bind, Source: filepath.Join(n.runDir(), "frr"), Target: "/run/frr"},
		{Kind: sandbox.Bind, Source: filepath.Join(n.runDir(), "exchange"), Target: "/run/herald/exchange"},
		n.bootIDMount(), program,
	}
	return func() (*sandbox.Box, bool, error) {
		box, err := sandbox.Start(sandbox.Spec{
			Name: n.cfg.Name, Dir: dir, Root: n.cfg.FRRVersion.Root(), Within: within, Mounts: mounts,
		})
		return box, true, err
	}
}

// LogFile is the log of a container over all its runs and all boots.
func (n *Node) LogFile(container string) string {
	return filepath.Join(n.cfg.Dir, container+".log")
}

func (n *Node) proxyConfigFile() string { return filepath.Join(n.cfg.Dir, "kube-proxy.yaml") }

// writeProxyConfig: nftables, no change of the machine's conntrack table, and
// traffic from outside the pods' ranges masqueraded.
func (n *Node) writeProxyConfig() error {
	config := fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: %q}
mode: nftables
hostnameOverride: %s
clusterCIDR: %q
detectLocalMode: ClusterCIDR
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {syncPeriod: 30s, minSyncPeriod: %s}
healthzBindAddress: 0.0.0.0:10256
metricsBindAddress: 127.0.0.1:10249
`, n.cfg.ProxyKubeconfig, n.cfg.Name, n.cfg.ClusterCIDRs, cmp.Or(n.cfg.ProxyMinSync, 100*time.Millisecond))
	return os.WriteFile(n.proxyConfigFile(), []byte(config), 0o644)
}
