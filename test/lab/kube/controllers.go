package kube

import (
	"crypto/x509/pkix"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/herald-lb/herald/test/thirdparty"
)

// Times after which a node that says nothing is taken for dead: shorter than
// Kubernetes' defaults, because tests wait for them.
const (
	nodeMonitorPeriod = "2s"
	nodeMonitorGrace  = "20s"
)

// StartControllers runs kube-controller-manager and kube-scheduler for a cluster
// whose pods have addresses of clusterCIDRs. The nodes' ranges are not theirs to
// choose.
func (cp *ControlPlane) StartControllers(clusterCIDRs string) error {
	manager, err := cp.UserKubeconfig("kube-controller-manager", "system:kube-controller-manager")
	if err != nil {
		return err
	}
	scheduler, err := cp.UserKubeconfig("kube-scheduler", "system:kube-scheduler")
	if err != nil {
		return err
	}
	pki := cp.ca.file
	_, err = cp.run("kube-controller-manager", thirdparty.NodeBinary("kube-controller-manager"),
		"--kubeconfig="+manager, "--authentication-kubeconfig="+manager, "--authorization-kubeconfig="+manager,
		"--use-service-account-credentials", "--service-account-private-key-file="+pki("sa.key"), "--root-ca-file="+pki("ca.crt"),
		"--cluster-signing-cert-file="+pki("ca.crt"), "--cluster-signing-key-file="+pki("ca.key"),
		"--cluster-cidr="+clusterCIDRs, "--service-cluster-ip-range="+ServiceCIDRs, "--allocate-node-cidrs=false",
		"--node-monitor-period="+nodeMonitorPeriod, "--node-monitor-grace-period="+nodeMonitorGrace,
		"--leader-elect=false", "--bind-address=127.0.0.1", "--v=1")
	if err != nil {
		return err
	}
	_, err = cp.run("kube-scheduler", thirdparty.NodeBinary("kube-scheduler"),
		"--kubeconfig="+scheduler, "--authentication-kubeconfig="+scheduler, "--authorization-kubeconfig="+scheduler,
		"--leader-elect=false", "--bind-address=127.0.0.1", "--v=1")
	return err
}

// Files that NodeFiles writes.
const (
	CAFile         = "ca.crt"
	KubeletCert    = "kubelet.crt"
	KubeletKey     = "kubelet.key"
	KubeletConfig  = "kubelet.kubeconfig"
	ProxyConfig    = "proxy.kubeconfig"
	kubeletsGroup  = "system:nodes"
	kubeletsPrefix = "system:node:"
)

// NodeFiles writes into dir what a node's kubelet and kube-proxy need to talk to
// the API server, and it to the kubelet.
func (cp *ControlPlane) NodeFiles(dir, node string, addresses ...netip.Addr) error {
	ips := make([]net.IP, 0, len(addresses))
	for _, a := range addresses {
		ips = append(ips, a.AsSlice())
	}
	subject := pkix.Name{CommonName: kubeletsPrefix + node, Organization: []string{kubeletsGroup}}
	kubelet, err := cp.ca.issue(node, subject, ips, node)
	if err != nil {
		return err
	}
	proxy, err := cp.ca.issue("proxy-"+node, pkix.Name{CommonName: "system:kube-proxy"}, nil)
	if err != nil {
		return err
	}
	if err := cp.writeTo(filepath.Join(dir, KubeletConfig), node, clientOf(kubelet)); err != nil {
		return err
	}
	if err := cp.writeTo(filepath.Join(dir, ProxyConfig), "proxy", clientOf(proxy)); err != nil {
		return err
	}
	for name, text := range map[string][]byte{CAFile: cp.ca.pem, KubeletCert: kubelet.cert, KubeletKey: kubelet.key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func clientOf(pair keyPair) *clientcmdapi.AuthInfo {
	return &clientcmdapi.AuthInfo{ClientCertificateData: pair.cert, ClientKeyData: pair.key}
}
