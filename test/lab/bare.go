package lab

import (
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/sandbox"
)

// Site is what a node that isn't the lab's own (Options.Bare) needs to know of
// its place.
type Site struct {
	// Name of the node, node1 for number 1.
	Name string
	// Dir is a directory of the lab's for the node's files.
	Dir string
	// Addresses of the node, and the ranges of its pods: IPv4, then IPv6.
	Addresses []netip.Addr
	PodCIDRs  []netip.Prefix
}

// Site is the place of node number i, from 1.
func (l *Lab) Site(i int) Site {
	s := Site{Name: nodeName(i), Dir: filepath.Join(l.dir.Path, nodeName(i))}
	for _, family := range []int{4, 6} {
		s.Addresses = append(s.Addresses, host(family, firstNodeHost+i).Addr())
		s.PodCIDRs = append(s.PodCIDRs, podCIDR(family, i))
	}
	return s
}

// PlugNode connects node number i to the switch, gives it its routes, and tells
// the control plane the way to its pods, who may talk to the API.
func (l *Lab) PlugNode(box *sandbox.Box, i int) error {
	if err := l.plugNode(box, i); err != nil {
		return err
	}
	l.mu.Lock()
	l.plugged[nodeName(i)] = box
	l.mu.Unlock()
	var commands []string
	for _, family := range []int{4, 6} {
		commands = append(commands, fmt.Sprintf("route replace %s via %s", podCIDR(family, i), host(family, firstNodeHost+i).Addr()))
	}
	return link.Batch(l.cp.Box(), commands...)
}
