package checks

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/tunnel"
)

func TestDataplane(t *testing.T) {
	yes, no := func() bool { return true }, func() bool { return false }
	for _, c := range []struct {
		device    string
		kubeProxy func() bool
		want      string
	}{
		{"eth0", no, ""},
		{"bpfin.cali", yes, "Calico's eBPF dataplane"},
		{"ovn-k8s-mp0", yes, "OVN-Kubernetes"},
		{"cilium_host", no, "Cilium"},
		{"cilium_host", yes, ""},
		{"antrea-gw0", no, "Antrea"},
		{"cali123", no, ""},
	} {
		p := dataplane(map[string]bool{"lo": true, c.device: true}, c.kubeProxy)
		switch {
		case c.want == "" && p == nil:
		case p == nil || c.want == "" || p.Reason != exchange.ReasonDataplane || !strings.Contains(p.Message, c.want) || !p.Learning || !p.PathMTU:
			t.Errorf("%s: want %q, got %+v", c.device, c.want, p)
		}
	}
}

func TestChainsOfKubeProxy(t *testing.T) {
	for _, c := range []struct {
		table, chain string
		want         bool
	}{
		{"kube-proxy", "services", true},
		{"nat", "KUBE-SERVICES", true},
		{"filter", "KUBE-SERVICES", true},
		{"nat", "KUBE-MARK-MASQ", false}, // the kubelet's
		{"mangle", "KUBE-KUBELET-CANARY", false},
		{"kube-proxies", "services", false},
		{"nat", "OLD_KUBE-SERVICES", false},
		{"herald", "relay", false},
	} {
		if got := ofKubeProxy(&nftables.Chain{Name: c.chain, Table: &nftables.Table{Name: c.table}}); got != c.want {
			t.Errorf("%s %s: %v", c.table, c.chain, got)
		}
	}
}

func TestReversePath(t *testing.T) {
	for _, c := range []struct {
		all, device int
		strict      bool
	}{{0, 0, false}, {0, 2, false}, {1, 2, false}, {2, 0, false}, {2, 1, false}, {1, 0, true}, {1, 1, true}, {0, 1, true}} {
		p := strict(c.all, c.device)
		if (p != nil) != c.strict || p != nil && (p.Reason != exchange.ReasonRPFilter || p.Learning || p.PathMTU) {
			t.Errorf("%+v: %+v", c, p)
		}
	}
}

func TestPortOfAnotherVXLAN(t *testing.T) {
	vxlan := func(name string, port int) netlink.Link {
		return &netlink.Vxlan{LinkAttrs: netlink.LinkAttrs{Name: name}, Port: port}
	}
	if p := portInUse(4790, []netlink.Link{vxlan("flannel.1", 4790)}); p == nil || p.Reason != exchange.ReasonPort || !strings.Contains(p.Message, "flannel.1") {
		t.Errorf("flannel's port: %+v", p)
	}
	if p := portInUse(4790, []netlink.Link{vxlan("flannel.1", 8472), vxlan(tunnel.Data, 4790)}); p != nil {
		t.Errorf("its own port: %+v", p)
	}
}

func TestPortOfASocket(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	port := uint16(conn.LocalAddr().(*net.UDPAddr).Port)
	if p := portInUse(port, nil); p == nil || p.Reason != exchange.ReasonPort {
		t.Errorf("a port that is listened on: %+v", p)
	}
	table := filepath.Join(t.TempDir(), "udp")
	if err := os.WriteFile(table, []byte("  sl  local_address rem_address\n 1: 00000000:12B6 00000000:0000 07\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for port, want := range map[uint16]bool{4790: true, 4791: false} {
		if got, err := listens(table, port); err != nil || got != want {
			t.Errorf("%d: %v, %v", port, got, err)
		}
	}
}
