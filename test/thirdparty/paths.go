// Package thirdparty knows where the third-party parts lie that the lab runs:
// Kubernetes' binaries, etcd, and root filesystems with FRR, BIRD and GoBGP.
// `make thirdparty` (build.sh) builds them; this package only finds them.
package thirdparty

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
)

//go:embed versions
var versionsFile string

// Remedies are what to tell a user whose parts are missing.
const (
	Remedy        = "run `make thirdparty` as root (a few minutes, once)"
	ClusterRemedy = "run `make thirdparty-cluster` as root (a few minutes, once)"
)

// Versions of the parts.
var (
	// KubernetesVersion of the API server, kubectl and kube-proxy, "v1.36.3".
	KubernetesVersion = version("KUBERNETES")
	// FRROld is the older supported FRR release, from Debian 12.
	FRROld = version("FRR_OLD")
	// FRRNew is the newer supported FRR release, from Debian 13.
	FRRNew = version("FRR_NEW")
	// NodeSuite is the Debian release of a real cluster's nodes.
	NodeSuite = version("NODE_SUITE")
)

func version(key string) string {
	for line := range strings.Lines(versionsFile) {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			return strings.TrimSpace(value)
		}
	}
	panic("test/thirdparty/versions has no " + key)
}

// CacheDir is $HERALD_CACHE, or .cache/herald in the user's home.
func CacheDir() string {
	if dir := os.Getenv("HERALD_CACHE"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/root"
	}
	return filepath.Join(home, ".cache", "herald")
}

// KubernetesDir holds kube-apiserver, etcd, kubectl and kube-proxy; it is what
// envtest takes as KUBEBUILDER_ASSETS.
func KubernetesDir() string {
	return filepath.Join(CacheDir(), "kubernetes-"+KubernetesVersion)
}

// Binary is the path of one of Kubernetes' binaries or of etcd.
func Binary(name string) string { return filepath.Join(KubernetesDir(), name) }

// FRRRoot is the root filesystem with FRR of the given release (FRROld or
// FRRNew). The older one also holds BIRD 2 and GoBGP.
func FRRRoot(release string) string { return filepath.Join(CacheDir(), "frr-"+release) }

// NodeKubernetesDir holds what only a real cluster runs: kubelet,
// kube-controller-manager and kube-scheduler.
func NodeKubernetesDir() string {
	return filepath.Join(CacheDir(), "kubernetes-node-"+KubernetesVersion)
}

// NodeBinary is the path of one of the binaries in NodeKubernetesDir.
func NodeBinary(name string) string { return filepath.Join(NodeKubernetesDir(), name) }

// NodeRoot is the root filesystem of a real cluster's node: containerd, runc, CNI
// plugins.
func NodeRoot() string { return filepath.Join(CacheDir(), "node-"+NodeSuite) }
