package checks

import (
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/herald-lb/herald/relay/exchange"
)

// foreign are dataplanes that take packets to Services before netfilter sees them, by
// a device that only they have. Cilium and Antrea also work beside kube-proxy.
var foreign = []struct {
	name            string
	devices         []string
	besideKubeProxy bool
}{
	{"Calico's eBPF dataplane", []string{"bpfin.cali", "bpfout.cali"}, false},
	{"OVN-Kubernetes", []string{"ovn-k8s-mp0"}, false},
	{"Cilium", []string{"cilium_host", "cilium_net"}, true},
	{"Antrea", []string{"antrea-gw0"}, true},
}

func dataplane(devices map[string]bool, kubeProxy func() bool) *exchange.Problem {
	for _, f := range foreign {
		for _, device := range f.devices {
			if !devices[device] || f.besideKubeProxy && kubeProxy() {
				continue
			}
			p := problem(exchange.ReasonDataplane, "%s (device %s) takes packets to Services before netfilter: Herald's relay works with kube-proxy only; switch the FlowPolicies off", f.name, device)
			return &p
		}
	}
	return nil
}

// hasKubeProxy says whether kube-proxy's rules are in the kernel: its own table in
// nftables mode, its chains in iptables mode (with iptables' nft backend).
func hasKubeProxy() bool {
	conn, err := nftables.New()
	if err != nil {
		return false
	}
	chains, err := conn.ListChains()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(chains, ofKubeProxy)
}

func ofKubeProxy(c *nftables.Chain) bool {
	return c.Table.Name == "kube-proxy" || strings.HasPrefix(c.Name, "KUBE-SERVICES")
}
