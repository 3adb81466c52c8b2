package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Wrappers are scripts in the lab's directory for people who look around.
const (
	// KubectlWrapper is kubectl as cluster admin.
	KubectlWrapper = "lab-kubectl"
	// PluginWrapper is "kubectl herald" as cluster admin.
	PluginWrapper = "lab-kubectl-herald"
	// ShellWrapper runs a command in a host of the lab, or in a node's or
	// router's daemon: `lab-in node1 ip route`, `lab-in node1/frr vtysh`.
	ShellWrapper = "lab-in"
	// VtyshWrapper shows the routing daemon of a node or router: vtysh, birdc
	// or gobgp.
	VtyshWrapper = "lab-vtysh"
)

func (l *Lab) writeWrappers() error {
	kubeconfig, err := l.cp.AdminKubeconfig()
	if err != nil {
		return err
	}
	scripts := map[string]string{
		// Every lab's API server has the same address: what kubectl remembers of one
		// isn't true of the next.
		KubectlWrapper: fmt.Sprintf("exec nsenter --net=/proc/%d/ns/net %s --kubeconfig=%s --cache-dir=%s \"$@\"\n",
			l.cp.Box().Pid(), thirdparty.Binary("kubectl"), kubeconfig, filepath.Join(l.dir.Path, "kubectl-cache")),
		PluginWrapper: fmt.Sprintf("exec nsenter --net=/proc/%d/ns/net %s --kubeconfig=%s --cache-dir=%s \"$@\"\n",
			l.cp.Box().Pid(), filepath.Join(l.programs(), binaries.Plugin), kubeconfig, filepath.Join(l.dir.Path, "kubectl-cache")),
	}
	for name, text := range scripts {
		if err := l.writeScript(name, text); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) writeScript(name, text string) error {
	return os.WriteFile(filepath.Join(l.dir.Path, name), []byte("#!/bin/sh\n"+text), 0o755)
}

// WriteShellWrappers writes lab-in and lab-vtysh for what runs now; call it
// again after a node was rebooted or a container restarted.
func (l *Lab) WriteShellWrappers() error {
	var in, vtysh strings.Builder
	in.WriteString("host=$1; shift\ncase $host in\n")
	vtysh.WriteString("host=$1; shift\ncase $host in\n")
	for _, n := range l.Nodes() {
		if n.Box() == nil {
			continue
		}
		fmt.Fprintf(&in, "%s) exec %s \"$@\" ;;\n", n.Name(), strings.Join(n.Box().Enter(), " "))
		for _, name := range []string{node.FRR, node.Reloader} {
			if c := n.Container(name); c != nil {
				fmt.Fprintf(&in, "%s/%s) exec %s \"$@\" ;;\n", n.Name(), name, strings.Join(c.Box().Enter(), " "))
			}
		}
		if c := n.Container(node.FRR); c != nil {
			fmt.Fprintf(&vtysh, "%s) exec %s vtysh \"$@\" ;;\n", n.Name(), strings.Join(c.Box().Enter(), " "))
		}
	}
	l.mu.Lock()
	for name, box := range l.plugged {
		fmt.Fprintf(&in, "%s) exec %s \"$@\" ;;\n", name, strings.Join(box.Enter(), " "))
	}
	l.mu.Unlock()
	for _, r := range l.routers {
		name := r.Config().Name
		fmt.Fprintf(&in, "%s) exec %s \"$@\" ;;\n", name, strings.Join(r.Box().Enter(), " "))
		fmt.Fprintf(&vtysh, "%s) exec %s \"$@\" ;;\n", name, strings.Join(r.Shell(), " "))
	}
	fmt.Fprintf(&in, "client) exec %s \"$@\" ;;\n", strings.Join(l.client.Box().Enter(), " "))
	unknown := "*) echo \"no host $host in this lab\" >&2; exit 1 ;;\nesac\n"
	if err := l.writeScript(ShellWrapper, in.String()+unknown); err != nil {
		return err
	}
	return l.writeScript(VtyshWrapper, vtysh.String()+unknown)
}
