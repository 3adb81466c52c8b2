package kube_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab/kube"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/thirdparty"
)

func TestControlPlaneServesHeraldsKinds(t *testing.T) {
	thirdparty.Need(t, thirdparty.KubernetesDir())
	dir := t.TempDir()
	box, err := sandbox.Start(sandbox.Spec{Name: "cp", Dir: filepath.Join(dir, "box")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Kill)
	start := time.Now()
	cp, err := kube.Start(t.Context(), box, dir, netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "kube-apiserver.log"))
		t.Fatalf("%v\n%s", err, log)
	}
	t.Logf("ready after %s", time.Since(start))
	if err := cp.ApplyDir(t.Context(), "../../../config/crd/bases"); err != nil {
		t.Fatal(err)
	}
	if err := cp.WaitCRDs(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("CRDs after %s", time.Since(start))
	var pools v1alpha1.IPAddressPoolList
	if err := cp.Client().List(t.Context(), &pools); err != nil {
		t.Error(err)
	}
	cp.KillAPI()
	if err := cp.Client().List(t.Context(), &corev1.NodeList{}); err == nil {
		t.Error("a killed API server answers")
	}
	if err := cp.StartAPI(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cp.Client().List(t.Context(), &pools); err != nil {
		t.Error(err)
	}
}
