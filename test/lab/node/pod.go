package node

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/sandbox"
)

// Pod is an echo pod with a network of its own.
type Pod struct {
	Name       string
	IPv4, IPv6 netip.Addr
	Ports      []int

	index   int
	box     *sandbox.Box
	process *sandbox.Process
}

// FlowPort is where every echo pod serves long-lived traffic (package flow).
const FlowPort = 9000

// maxPods per node: the last byte of the IPv4 pod range, and .1 is the node's.
const maxPods = 250

// AddPod runs an echo pod that listens on ports (TCP and UDP, both families).
func (n *Node) AddPod(name string, ports ...int) (*Pod, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.box == nil {
		return nil, fmt.Errorf("node %q is down", n.cfg.Name)
	}
	if n.pods[name] != nil {
		return nil, fmt.Errorf("node %q: pod %q is there already", n.cfg.Name, name)
	}
	index, err := n.freeIndex()
	if err != nil {
		return nil, err
	}
	pod := &Pod{
		Name: name, Ports: ports, index: index,
		IPv4: plus(n.cfg.PodCIDR4.Addr(), index), IPv6: plus(n.cfg.PodCIDR6.Addr(), index),
	}
	if err := n.startPod(pod); err != nil {
		if pod.box != nil {
			link.Remove(n.box, pod.cable())
			pod.box.Kill()
		}
		return nil, fmt.Errorf("node %q: pod %q: %w", n.cfg.Name, name, err)
	}
	n.pods[name] = pod
	return pod, nil
}

// freeIndex is the lowest number that no pod has; 1 is the node's own address
// in the pods' range.
func (n *Node) freeIndex() (int, error) {
	used := map[int]bool{}
	for _, p := range n.pods {
		used[p.index] = true
	}
	for i := 2; i < maxPods; i++ {
		if !used[i] {
			return i, nil
		}
	}
	return 0, fmt.Errorf("node %q has %d pods already", n.cfg.Name, len(n.pods))
}

// plus counts up from the first address of a range.
func plus(a netip.Addr, by int) netip.Addr {
	for range by {
		a = a.Next()
	}
	return a
}

// RemovePod ends a pod at once.
func (n *Node) RemovePod(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	pod := n.pods[name]
	if pod == nil {
		return
	}
	// The kernel clears a dead pod's network away at its leisure; the next pod
	// may have this cable's name and addresses at once.
	if n.box != nil {
		link.Remove(n.box, pod.cable())
	}
	pod.box.Kill()
	delete(n.pods, name)
}

// cable is the node's end of the pod's.
func (p *Pod) cable() string { return fmt.Sprint("pod", p.index) }

func (n *Node) startPod(pod *Pod) error {
	box, err := sandbox.Start(sandbox.Spec{
		Name: pod.Name, Dir: filepath.Join(n.cfg.Dir, "pods", pod.Name), Within: n.box, OwnNetwork: true,
	})
	if err != nil {
		return err
	}
	pod.box = box
	if err := n.plugPod(pod); err != nil {
		return err
	}
	var ports []string
	for _, p := range pod.Ports {
		ports = append(ports, strconv.Itoa(p))
	}
	log, err := os.OpenFile(n.LogFile("pod-"+pod.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	pod.process, err = box.Start(sandbox.Command{
		Args: []string{
			filepath.Join(n.cfg.Programs, binaries.Echo),
			"-pod", pod.Name, "-node", n.cfg.Name, "-ports", strings.Join(ports, ","), "-flows", strconv.Itoa(FlowPort),
		},
		Stdout: log, Stderr: log,
	})
	return err
}

// plugPod connects a pod point to point, as the ptp CNI plugin does: the pod's
// gateway is the node's address in the pod range.
func (n *Node) plugPod(pod *Pod) error {
	outside := pod.cable()
	gw4, gw6 := plus(n.cfg.PodCIDR4.Addr(), 1), plus(n.cfg.PodCIDR6.Addr(), 1)
	host := func(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
	err := link.Connect(
		link.End{Box: n.box, Name: outside, Addresses: []netip.Prefix{host(gw4), host(gw6)}},
		link.End{Box: pod.box, Name: "eth0", Addresses: []netip.Prefix{host(pod.IPv4), host(pod.IPv6)}})
	if err != nil {
		return err
	}
	err = link.Batch(n.box, fmt.Sprintf("route add %s dev %s", pod.IPv4, outside), fmt.Sprintf("route add %s dev %s", pod.IPv6, outside))
	if err != nil {
		return err
	}
	return link.Batch(pod.box,
		fmt.Sprintf("route add %s dev eth0", gw4), fmt.Sprintf("route add default via %s", gw4),
		fmt.Sprintf("route add %s dev eth0", gw6), fmt.Sprintf("route add ::/0 via %s", gw6))
}
