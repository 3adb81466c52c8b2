package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/herald-lb/herald/test/thirdparty"
)

// TestClusterWithoutHerald: each command about a cluster says of one that has none of
// Herald's CRDs what is missing and what to do, prints nothing else, writes no file, and
// ends with 1 (docs/kubectl-herald.md).
func TestClusterWithoutHerald(t *testing.T) {
	thirdparty.Need(t, thirdparty.Binary("kube-apiserver"), thirdparty.Binary("etcd"))
	api := &envtest.Environment{BinaryAssetsDirectory: thirdparty.KubernetesDir()}
	if _, err := api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Stop(); err != nil {
			t.Error(err)
		}
	})
	kubeconfig := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(kubeconfig, api.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	const missing = "kubectl herald: this cluster has no CRDs of Herald (herald-lb.io/v1alpha1): " +
		"install Herald, or say by --context which cluster to read"
	for name, arguments := range map[string][]string{
		"status":         {"status"},
		"status watched": {"status", "--watch"},
		"sessions":       {"sessions"},
		"routes":         {"routes"},
		"explain":        {"explain", "service/kubernetes"},
		"pools":          {"pools"},
		"flows":          {"flows"},
		"impact":         {"impact", "--add", "1"},
		"lint":           {"lint"},
		"render":         {"render", "--node", "n1"},
		"drain":          {"drain", "n1"},
		"drain awaited":  {"drain", "n1", "--wait"},
		"undrain":        {"undrain", "n1"},
		"support-bundle": {"support-bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var out, errOut bytes.Buffer
			code := run(ctx, append(arguments, "--kubeconfig", kubeconfig, "--cache-dir", t.TempDir()),
				genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &errOut})
			want := missing + "\n"
			if name == "lint" || name == "render" { // they read manifests too
				want = missing + ", or give manifests by -f\n"
			}
			if code != exitProblems || errOut.String() != want || out.Len() > 0 {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d, nothing, %q", code, out.String(), errOut.String(), exitProblems, want)
			}
			if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
				t.Errorf("left %v behind (%v)", files, err)
			}
		})
	}
}
