package cluster

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/herald-lb/herald/test/lab"
)

// Files in /etc/kubernetes of a node, beside those of kube.NodeFiles.
const (
	kubeletFile    = "kubelet.yaml"
	proxyFile      = "proxy.yaml"
	containerdFile = "containerd.toml"
	resolvFile     = "resolv.conf"
)

// cniFile is the configuration of the pods' network.
const cniFile = "10-cluster.conflist"

// fileData is what the node's files say of it.
type fileData struct {
	Name, CgroupRoot, Etc, Pause string
	PodCIDR4, PodCIDR6, AllCIDRs string
	ClusterDNS, CNIBin, CNI      string
	ProxyMode                    string
}

// kubelet: limits are low and garbage isn't collected, because the machine's
// disk and memory are everybody's; a cgroup of its own per node.
var files = map[string]string{
	etcDir + "/" + kubeletFile: `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: {{.CgroupRoot}}
cgroupsPerQOS: true
enforceNodeAllocatable: [pods]
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
failSwapOn: false
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: {{.Etc}}/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: {{.Etc}}/kubelet.crt
tlsPrivateKeyFile: {{.Etc}}/kubelet.key
clusterDNS: [{{.ClusterDNS}}]
clusterDomain: cluster.local
resolvConf: {{.Etc}}/resolv.conf
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 4s
`,
	etcDir + "/" + proxyFile: `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: {{.Etc}}/proxy.kubeconfig}
mode: {{.ProxyMode}}
hostnameOverride: {{.Name}}
clusterCIDR: {{.AllCIDRs}}
detectLocalMode: ClusterCIDR
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
healthzBindAddress: 0.0.0.0:10256
metricsBindAddress: 127.0.0.1:10249
`,
	etcDir + "/" + containerdFile: `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{{.Pause}}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{{.CNIBin}}"
    conf_dir = "{{.CNI}}"
`,
	etcDir + "/" + resolvFile: "nameserver {{.ClusterDNS}}\n",
	cniDir + "/" + cniFile: `{"cniVersion": "0.4.0", "name": "cluster", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "{{.PodCIDR4}}"}], [{"subnet": "{{.PodCIDR6}}"}]],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
`,
}

// writeFiles writes the node's configuration and what it proves who it is with.
func (n *Node) writeFiles() error {
	group, err := n.cluster.groups.Node(n.Name())
	if err != nil {
		return err
	}
	data := fileData{
		Name: n.Name(), CgroupRoot: group, Etc: etcDir, Pause: pauseImage,
		PodCIDR4: n.site.PodCIDRs[0].String(), PodCIDR6: n.site.PodCIDRs[1].String(), AllCIDRs: lab.ClusterCIDRs,
		ClusterDNS: "10.96.0.10", ProxyMode: n.cluster.options.ProxyMode, CNIBin: "/usr/lib/cni", CNI: cniDir,
	}
	for name, text := range files {
		t, err := template.New(name).Option("missingkey=error").Parse(text)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := t.Execute(&out, data); err != nil {
			return err
		}
		if err := os.WriteFile(n.onDisk(name), out.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return n.cluster.ControlPlane().NodeFiles(n.onDisk(etcDir), n.Name(), n.site.Addresses...)
}

func (n *Node) addresses() string {
	var all []string
	for _, a := range n.site.Addresses {
		all = append(all, a.String())
	}
	return strings.Join(all, ",")
}

// newBootID is a random UUID, as the kernel makes one.
func newBootID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Logs are the last lines of the nodes' logs, and the routers'.
func (c *Cluster) Logs(lines int) string {
	var out strings.Builder
	for _, n := range c.nodes {
		logs, _ := filepath.Glob(filepath.Join(n.onDisk(logDir), "*.log"))
		for _, name := range logs {
			fmt.Fprintf(&out, "--- %s %s\n%s\n", n.Name(), filepath.Base(name), tail(name, lines))
		}
	}
	return out.String() + c.Lab.Logs(lines)
}

// failureLines of each log are shown when a cluster doesn't come up.
const failureLines = 15

func tail(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
