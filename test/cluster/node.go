package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/cluster/cgroup"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Node is a node of the cluster: containerd, kubelet and kube-proxy in a box.
type Node struct {
	cluster *Cluster
	number  int
	site    lab.Site

	mu    sync.Mutex
	box   *sandbox.Box
	boots int
	proxy *sandbox.Process
}

// Directories in a node.
const (
	kubernetesDir     = "/opt/kubernetes"
	nodeKubernetesDir = "/opt/kubernetes-node"
	imagesDir         = "/opt/images"
	etcDir            = "/etc/kubernetes"
	cniDir            = "/etc/cni/net.d"
	logDir            = "/var/log"
)

// disk are the directories that a node keeps over a boot.
var disk = []string{"/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", logDir, etcDir, cniDir}

// sysctls that a node with kube-proxy and pods has.
var sysctls = map[string]string{
	"net.ipv4.ip_forward":              "1",
	"net.ipv6.conf.all.forwarding":     "1",
	"net.ipv4.conf.all.rp_filter":      "0",
	"net.ipv4.conf.default.rp_filter":  "0",
	"net.ipv6.conf.all.accept_dad":     "0",
	"net.ipv6.conf.default.accept_dad": "0",
}

// machineSysctls are those of the whole machine that a kubelet would change if
// it read other values: it reads these.
var machineSysctls = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// Name of the Node object.
func (n *Node) Name() string { return n.site.Name }

// Box is the node itself, nil while it is down.
func (n *Node) Box() *sandbox.Box {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.box
}

// prepare makes the node's disk, once in its life.
func (n *Node) prepare() error {
	for _, dir := range disk {
		if err := os.MkdirAll(n.onDisk(dir), 0o755); err != nil {
			return err
		}
	}
	return n.writeFiles()
}

func (n *Node) onDisk(path string) string { return filepath.Join(n.site.Dir, "disk", path) }

// KubeProxy is the program that Boot can leave out.
const KubeProxy = "kube-proxy"

// Boot starts the node, which is down, and returns when it is Ready. Programs
// named (KubeProxy) are not started.
func (n *Node) Boot(ctx context.Context, without ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.boot(ctx, without); err != nil {
		n.crash()
		return fmt.Errorf("node %q: %w", n.Name(), err)
	}
	return nil
}

func (n *Node) boot(ctx context.Context, without []string) error {
	if _, err := n.cluster.groups.Node(n.Name()); err != nil {
		return err
	}
	if err := n.startBox(ctx); err != nil {
		return err
	}
	if err := n.startContainerd(ctx); err != nil {
		return err
	}
	if err := n.importImages(ctx); err != nil {
		return err
	}
	kubelet, err := n.start(filepath.Join(nodeKubernetesDir, "kubelet"), "--config="+etcDir+"/"+kubeletFile,
		"--kubeconfig="+etcDir+"/kubelet.kubeconfig", "--hostname-override="+n.Name(), "--node-ip="+n.addresses(), "--v=2")
	if err != nil {
		return err
	}
	if !slices.Contains(without, KubeProxy) {
		if err := n.startKubeProxy(); err != nil {
			return err
		}
	}
	return n.waitReady(ctx, kubelet)
}

// StartKubeProxy starts kube-proxy where Boot has left it out.
func (n *Node) StartKubeProxy() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.startKubeProxy()
}

// KillKubeProxy ends kube-proxy at once, if it runs. Its rules stay.
func (n *Node) KillKubeProxy() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proxy != nil {
		n.proxy.Kill()
	}
}

func (n *Node) startKubeProxy() error {
	var err error
	n.proxy, err = n.start(filepath.Join(kubernetesDir, KubeProxy), "--config="+etcDir+"/"+proxyFile, "--v=2")
	return err
}

func (n *Node) startBox(ctx context.Context) error {
	n.boots++
	mounts, err := n.mounts()
	if err != nil {
		return err
	}
	n.box, err = sandbox.Start(sandbox.Spec{
		Name: n.Name(), Dir: filepath.Join(n.bootDir(), "box"), Root: thirdparty.NodeRoot(), Pivot: true, Mounts: mounts,
	})
	if err != nil {
		return err
	}
	if err := n.box.Sysctl(sysctls); err != nil {
		return err
	}
	if err := n.cluster.PlugNode(n.box, n.number); err != nil {
		return err
	}
	// What is mounted on the node shows in its containers, and back.
	_, err = n.box.Run(ctx, "mount", "--make-rshared", "/")
	return err
}

func (n *Node) bootDir() string { return filepath.Join(n.site.Dir, fmt.Sprint("b", n.boots)) }

func (n *Node) mounts() ([]sandbox.Mount, error) {
	bind := func(source, target string) sandbox.Mount {
		return sandbox.Mount{Kind: sandbox.Bind, Source: source, Target: target}
	}
	mounts := []sandbox.Mount{
		bind(cgroup.Mount, cgroup.Mount),
		bind("/dev/kmsg", "/dev/kmsg"),
		bind(thirdparty.KubernetesDir(), kubernetesDir),
		bind(thirdparty.NodeKubernetesDir(), nodeKubernetesDir),
		bind(n.cluster.imagesDir(), imagesDir),
	}
	for _, dir := range disk {
		mounts = append(mounts, bind(n.onDisk(dir), dir))
	}
	values := map[string]string{"kernel/random/boot_id": newBootID()}
	for name, value := range machineSysctls {
		values[name] = value
	}
	for name, value := range values {
		file := filepath.Join(n.bootDir(), "sysctl", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return nil, err
		}
		mounts = append(mounts, bind(file, "/proc/sys/"+name))
	}
	return mounts, nil
}

func (n *Node) startContainerd(ctx context.Context) error {
	p, err := n.start("/usr/bin/containerd", "--config="+etcDir+"/"+containerdFile)
	if err != nil {
		return err
	}
	return wait.Until(ctx, "containerd answers", wait.Process, func(ctx context.Context) (bool, error) {
		if !p.Alive() {
			return false, fmt.Errorf("containerd ended: %w", p.Wait())
		}
		_, err := n.box.Run(ctx, "ctr", "--connect-timeout=1s", "version")
		return err == nil, err
	})
}

// start runs a program of the node, with a log file of its name.
func (n *Node) start(args ...string) (*sandbox.Process, error) {
	log, err := os.OpenFile(filepath.Join(n.onDisk(logDir), filepath.Base(args[0])+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return n.box.Start(sandbox.Command{Args: args, Stdout: log, Stderr: log})
}

// waitReady waits until this boot's kubelet has told that the node is Ready, and
// gives a new node its pods' ranges.
func (n *Node) waitReady(ctx context.Context, kubelet *sandbox.Process) error {
	bootID, err := os.ReadFile(filepath.Join(n.bootDir(), "sysctl/kernel/random/boot_id"))
	if err != nil {
		return err
	}
	return wait.Until(ctx, "the node is Ready", wait.BringUp, func(ctx context.Context) (bool, error) {
		if !kubelet.Alive() {
			return false, fmt.Errorf("kubelet ended: %w", kubelet.Wait())
		}
		var obj corev1.Node
		if err := n.cluster.API().Get(ctx, crclient.ObjectKey{Name: n.Name()}, &obj); err != nil {
			return false, err
		}
		if obj.Spec.PodCIDR == "" {
			return false, n.setPodCIDRs(ctx, &obj)
		}
		if obj.Status.NodeInfo.BootID+"\n" != string(bootID) {
			return false, fmt.Errorf("the Node object is of boot %q", obj.Status.NodeInfo.BootID)
		}
		return ready(&obj)
	})
}

func ready(obj *corev1.Node) (bool, error) {
	i := slices.IndexFunc(obj.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
	if i < 0 {
		return false, fmt.Errorf("no condition Ready yet")
	}
	c := obj.Status.Conditions[i]
	return c.Status == corev1.ConditionTrue, fmt.Errorf("condition Ready is %s: %s", c.Status, c.Message)
}

func (n *Node) setPodCIDRs(ctx context.Context, obj *corev1.Node) error {
	before := obj.DeepCopy()
	for _, p := range n.site.PodCIDRs {
		obj.Spec.PodCIDRs = append(obj.Spec.PodCIDRs, p.String())
	}
	obj.Spec.PodCIDR = obj.Spec.PodCIDRs[0]
	return n.cluster.API().Patch(ctx, obj, crclient.MergeFrom(before))
}

// Crash cuts the power: every process of the node is gone, pods and all, and its
// interfaces with them. Nobody is told: the kernel would close connections of
// processes that die, so the cable goes first. A node that is down stays so.
func (n *Node) Crash() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.box != nil {
		_ = n.cluster.SetCable(n.Name(), false) // there is none if the node didn't come up
	}
	n.crash()
}

func (n *Node) crash() {
	if n.box != nil {
		n.box.Kill()
		n.box = nil
	}
}
