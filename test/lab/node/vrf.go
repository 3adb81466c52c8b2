package node

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/herald-lb/herald/test/lab/sandbox"
)

// AddVRF makes a VRF and puts an interface of the node into it. The VRF is a network
// namespace in FRR's container (Config.VRFs) and goes with it.
func (n *Node) AddVRF(ctx context.Context, vrf, device string, address netip.Prefix) error {
	box := n.Container(FRR).Box()
	for _, command := range []string{
		"ip netns add " + vrf,
		"ip link set " + device + " netns " + vrf,
		"ip -n " + vrf + " link set lo up",
		"ip -n " + vrf + " addr add " + address.String() + " dev " + device,
		"ip -n " + vrf + " link set " + device + " up",
	} {
		if _, err := box.Run(ctx, strings.Fields(command)...); err != nil {
			return fmt.Errorf("VRF %q of node %q: %w", vrf, n.cfg.Name, err)
		}
	}
	return nil
}

// startScriptFile is what starts FRR. Where the node's VRFs are network namespaces it is a
// copy that tells zebra so.
func (n *Node) startScriptFile() (string, error) {
	file := filepath.Join(n.cfg.Source, "reloader", "frr-start.sh")
	if !n.cfg.VRFs {
		return file, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	const options = `zebra_options="`
	changed := strings.Replace(string(text), options, options+"-n ", 1)
	if changed == string(text) {
		return "", fmt.Errorf("no %s in %s", options, file)
	}
	file = filepath.Join(n.cfg.Dir, "frr-start.sh")
	return file, os.WriteFile(file, []byte(changed), 0o755)
}

// withNamespaces lets zebra find network namespaces: it watches a directory that the
// first one makes.
func (n *Node) withNamespaces(start func() (*sandbox.Box, bool, error)) func() (*sandbox.Box, bool, error) {
	if !n.cfg.VRFs {
		return start
	}
	return func() (*sandbox.Box, bool, error) {
		box, own, err := start()
		if err == nil {
			if _, err = box.Run(context.Background(), "ip", "netns", "add", "unused"); err != nil {
				box.Kill()
			}
		}
		return box, own, err
	}
}
