package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/kubelet"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// Names of a node's containers.
const (
	FRR       = "frr"
	Reloader  = "reloader"
	Agent     = "agent"
	KubeProxy = "kube-proxy"
	// Relay runs where Config.Relay says so.
	Relay = "relay"
)

// Containers in the order of starting, but for Relay.
var Containers = []string{KubeProxy, FRR, Reloader, Agent}

// Config is what a node is made of.
type Config struct {
	Name string
	// Dir is the node's directory on the host, a short path of its own.
	Dir string
	// FRRVersion is the release that the node's FRR and reloader run from.
	FRRVersion frr.Version
	// IPv4 and IPv6 are the node's addresses.
	IPv4, IPv6 netip.Addr
	// PodCIDR4 and PodCIDR6 hold the pods' addresses.
	PodCIDR4, PodCIDR6 netip.Prefix
	// Programs is the directory with Herald's binaries, Source the tree.
	Programs, Source string
	// AgentKubeconfig and ProxyKubeconfig are files for the two clients.
	AgentKubeconfig, ProxyKubeconfig string
	// ClusterCIDRs are the ranges of all pods, for kube-proxy.
	ClusterCIDRs string
	// ProxyMinSync is the least time between two of kube-proxy's writes of its rules,
	// 100 ms if 0.
	ProxyMinSync time.Duration
	// AgentArgs and ReloaderArgs are added to the programs' command lines.
	AgentArgs, ReloaderArgs []string
	// ExchangeSize of the exchange directory's own file system; 0: it has none.
	ExchangeSize int
	// Relay runs the relay too, and lets the agent tell it what to do.
	Relay bool
	// VRFs are network namespaces: see AddVRF.
	VRFs bool
	// Plug connects a freshly booted box to the lab's network.
	Plug func(*sandbox.Box) error
	// Count counts questions to the node's kernel.
	Count *router.Counter
}

// Node is a node of the lab.
type Node struct {
	cfg Config

	mu         sync.Mutex
	box        *sandbox.Box
	boots      int
	bootID     string
	containers map[string]*kubelet.Container
	pods       map[string]*Pod
}

// Start boots a node with all its containers.
func Start(cfg Config) (*Node, error) {
	n := &Node{cfg: cfg, containers: map[string]*kubelet.Container{}, pods: map[string]*Pod{}}
	if err := n.Boot(); err != nil {
		return nil, err
	}
	return n, nil
}

// Boot starts a node that is down, with a new boot id, an empty /run and the
// pods that it had. Containers named are not started: see StartContainer.
func (n *Node) Boot(without ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.boot(without); err != nil {
		n.crash()
		return fmt.Errorf("node %q: %w", n.cfg.Name, err)
	}
	return nil
}

func (n *Node) boot(without []string) error {
	n.boots++
	if err := n.prepareBoot(); err != nil {
		return err
	}
	box, err := sandbox.Start(sandbox.Spec{
		Name: n.cfg.Name, Dir: filepath.Join(n.bootDir(), "box"),
		Mounts: []sandbox.Mount{
			{Kind: sandbox.Bind, Source: n.runDir(), Target: "/run/herald"},
			n.bootIDMount(),
		},
	})
	if err != nil {
		return err
	}
	n.box = box
	if err := box.Sysctl(sysctls); err != nil {
		return err
	}
	if err := n.cfg.Plug(box); err != nil {
		return err
	}
	for _, name := range n.all() {
		if slices.Contains(without, name) {
			continue
		}
		if err := n.startContainer(name, nil); err != nil {
			return err
		}
	}
	for _, pod := range n.pods {
		if err := n.startPod(pod); err != nil {
			return err
		}
	}
	return nil
}

// all are the node's containers, in the order of starting.
func (n *Node) all() []string {
	if n.cfg.Relay {
		return append(slices.Clone(Containers), Relay)
	}
	return Containers
}

// sysctls that a node with kube-proxy and pods has.
var sysctls = map[string]string{
	"net.ipv4.ip_forward":              "1",
	"net.ipv6.conf.all.forwarding":     "1",
	"net.ipv4.conf.all.rp_filter":      "0",
	"net.ipv4.conf.default.rp_filter":  "0",
	"net.ipv6.conf.all.accept_dad":     "0",
	"net.ipv6.conf.default.accept_dad": "0",
}

// prepareBoot makes what a boot has of its own. The directories under
// /run/herald are made as a hostPath volume's would be.
func (n *Node) prepareBoot() error {
	dirs := []string{"frr", "exchange"}
	if n.cfg.Relay {
		dirs = append(dirs, "relay")
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(n.runDir(), dir), 0o755); err != nil {
			return err
		}
	}
	if n.cfg.ExchangeSize > 0 {
		size := fmt.Sprintf("mode=0755,size=%d", n.cfg.ExchangeSize)
		if err := unix.Mount("tmpfs", filepath.Join(n.runDir(), "exchange"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, size); err != nil {
			return fmt.Errorf("the exchange directory's file system: %w", err)
		}
	}
	n.bootID = newBootID()
	return os.WriteFile(n.bootIDFile(), []byte(n.bootID+"\n"), 0o444)
}

// newBootID is a random UUID, as the kernel makes one.
func newBootID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (n *Node) bootDir() string    { return filepath.Join(n.cfg.Dir, fmt.Sprint("b", n.boots)) }
func (n *Node) runDir() string     { return filepath.Join(n.bootDir(), "run") }
func (n *Node) bootIDFile() string { return filepath.Join(n.bootDir(), "boot_id") }

func (n *Node) bootIDMount() sandbox.Mount {
	return sandbox.Mount{Kind: sandbox.Bind, Source: n.bootIDFile(), Target: exchange.BootIDFile, ReadOnly: true}
}

// Crash cuts the power: every process of the node is gone, its interfaces with
// it, at once. Its pods come back with Boot.
func (n *Node) Crash() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.crash()
}

func (n *Node) crash() {
	if n.box == nil {
		return
	}
	n.box.Kill()
	for _, c := range n.containers {
		c.Stop(0)
	}
	n.containers = map[string]*kubelet.Container{}
	n.box = nil
	if n.cfg.ExchangeSize > 0 {
		_ = unix.Unmount(filepath.Join(n.runDir(), "exchange"), unix.MNT_DETACH) // at the latest by the next lab
	}
}

// Name is the name of the Node object.
func (n *Node) Name() string { return n.cfg.Name }

// Config is what the node is made of.
func (n *Node) Config() Config { return n.cfg }

// BootID of the present boot.
func (n *Node) BootID() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.bootID
}

// Box is the node itself, nil while it is down.
func (n *Node) Box() *sandbox.Box {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.box
}

// FRRDir is the host's path of the node's /run/herald/frr of this boot: vty
// sockets, startup.conf, start-error.
func (n *Node) FRRDir() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return filepath.Join(n.runDir(), "frr")
}

// ExchangeDir is the host's path of /run/herald/exchange of this boot.
func (n *Node) ExchangeDir() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return filepath.Join(n.runDir(), "exchange")
}

// Vtysh runs vtysh in the node's FRR container.
func (n *Node) Vtysh(ctx context.Context, args ...string) (string, error) {
	c := n.Container(FRR)
	if c == nil {
		return "", fmt.Errorf("node %q is down", n.cfg.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, wait.Query)
	defer cancel()
	return c.Box().Run(ctx, append([]string{"vtysh"}, args...)...)
}

// KernelNextHops reads the node's own kernel. Counted.
func (n *Node) KernelNextHops(ctx context.Context, p netip.Prefix) ([]netip.Addr, error) {
	n.cfg.Count.Add()
	box := n.Box()
	if box == nil {
		return nil, fmt.Errorf("node %q is down", n.cfg.Name)
	}
	return router.KernelNextHops(ctx, box, p)
}

// Discards are the prefixes that the node's own kernel drops packets to, IPv4
// first. Counted.
func (n *Node) Discards(ctx context.Context) ([]netip.Prefix, error) {
	n.cfg.Count.Add()
	box := n.Box()
	if box == nil {
		return nil, fmt.Errorf("node %q is down", n.cfg.Name)
	}
	var all []netip.Prefix
	for _, family := range []string{"-4", "-6"} {
		out, err := box.Run(ctx, "ip", family, "route", "show", "type", "blackhole")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(out) {
			prefix, err := netip.ParsePrefix(strings.Fields(line)[1])
			if err != nil {
				return nil, fmt.Errorf("node %q: route %q: %w", n.cfg.Name, line, err)
			}
			all = append(all, prefix)
		}
	}
	return all, nil
}

// Sysctl reads a kernel parameter of the node. Counted.
func (n *Node) Sysctl(ctx context.Context, name string) (string, error) {
	n.cfg.Count.Add()
	box := n.Box()
	if box == nil {
		return "", fmt.Errorf("node %q is down", n.cfg.Name)
	}
	return box.Run(ctx, "sysctl", "-n", name)
}
