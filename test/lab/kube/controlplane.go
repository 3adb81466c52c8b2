package kube

import (
	"context"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/thirdparty"
)

const (
	apiPort = "6443"
	etcdURL = "http://127.0.0.1:2379"
)

// Ranges of cluster addresses.
const (
	ServiceCIDRs = "10.96.0.0/16,fd00:96::/112"
	firstService = "10.96.0.1"
)

// ControlPlane is a running API server with its etcd.
type ControlPlane struct {
	box     *sandbox.Box
	dir     string
	address netip.Addr
	ca      *authority
	admin   keyPair

	etcd, api *sandbox.Process
	config    *rest.Config
	client    client.Client
}

// Start runs etcd and kube-apiserver in a box whose address is given, with
// certificates and logs in dir, and returns when the API answers.
func Start(ctx context.Context, box *sandbox.Box, dir string, address netip.Addr) (*ControlPlane, error) {
	cp := &ControlPlane{box: box, dir: dir, address: address}
	if err := cp.certificates(); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	if err := cp.startEtcd(); err != nil {
		return nil, err
	}
	if err := cp.StartAPI(ctx); err != nil {
		return nil, err
	}
	return cp, nil
}

func (cp *ControlPlane) certificates() error {
	ca, err := newAuthority(filepath.Join(cp.dir, "pki"))
	if err != nil {
		return err
	}
	cp.ca = ca
	if err := ca.serviceAccountKey(); err != nil {
		return err
	}
	addresses := []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP(firstService), net.ParseIP(cp.address.String())}
	if _, err := ca.issue("apiserver", pkix.Name{CommonName: "kube-apiserver"}, addresses, "localhost", "kubernetes", "kubernetes.default.svc"); err != nil {
		return err
	}
	if _, err := ca.issue("apiserver-kubelet", pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}}, nil); err != nil {
		return err
	}
	cp.admin, err = ca.issue("admin", pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	return cp.connect()
}

func (cp *ControlPlane) startEtcd() error {
	p, err := cp.run("etcd", thirdparty.Binary("etcd"), "--name=lab", "--data-dir=/run/etcd",
		"--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=lab=http://127.0.0.1:2380", "--unsafe-no-fsync")
	cp.etcd = p
	return err
}

// StartAPI starts kube-apiserver and returns when it is ready. Start calls it;
// call it again after KillAPI.
func (cp *ControlPlane) StartAPI(ctx context.Context) error {
	pki := func(name string) string { return cp.ca.file(name) }
	p, err := cp.run("kube-apiserver", thirdparty.Binary("kube-apiserver"),
		"--etcd-servers="+etcdURL, "--bind-address=0.0.0.0", "--advertise-address="+cp.address.String(), "--secure-port="+apiPort,
		"--client-ca-file="+pki("ca.crt"), "--tls-cert-file="+pki("apiserver.crt"), "--tls-private-key-file="+pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+pki("sa.pub"), "--service-account-signing-key-file="+pki("sa.key"),
		"--kubelet-client-certificate="+pki("apiserver-kubelet.crt"), "--kubelet-client-key="+pki("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-cluster-ip-range="+ServiceCIDRs, "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true", "--enable-aggregator-routing=true", "--v=1")
	if err != nil {
		return err
	}
	cp.api = p
	err = wait.Until(ctx, "API server is ready", wait.BringUp, func(ctx context.Context) (bool, error) {
		if !p.Alive() {
			return false, fmt.Errorf("kube-apiserver ended: %w; see %s", p.Wait(), cp.logFile("kube-apiserver"))
		}
		return cp.Ready(ctx)
	})
	return err
}

// APIProcess is kube-apiserver as it runs now.
func (cp *ControlPlane) APIProcess() *sandbox.Process { return cp.api }

// KillAPI ends kube-apiserver with SIGKILL; etcd keeps its data.
func (cp *ControlPlane) KillAPI() { cp.api.Kill() }

// run starts a program in the control plane's box with a log file of its name.
func (cp *ControlPlane) run(name string, args ...string) (*sandbox.Process, error) {
	log, err := os.OpenFile(cp.logFile(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return cp.box.Start(sandbox.Command{Args: args, Stdout: log, Stderr: log})
}

func (cp *ControlPlane) logFile(name string) string { return filepath.Join(cp.dir, name+".log") }

// Box is where the control plane runs.
func (cp *ControlPlane) Box() *sandbox.Box { return cp.box }
