package controllers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/internal/cluster"
	"github.com/herald-lb/herald/test/thirdparty"
)

// pendingServices wait for a pool.
const pendingServices = 10_000

// BenchmarkPending10000 measures the real binary against a real API server on the
// same machine: from a pool's creation until 10,000 Services that wait have their
// addresses in their status, and what memory the manager then has.
//
//	go test -run '^$' -bench Pending -benchtime 1x ./controllers
func BenchmarkPending10000(b *testing.B) {
	thirdparty.Need(b, thirdparty.Binary("kube-apiserver"), thirdparty.Binary("etcd"))
	server := &envtest.Environment{
		BinaryAssetsDirectory: thirdparty.KubernetesDir(),
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
	}
	server.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.96.0.0/16,fd00:10:96::/112")
	config, err := server.Start()
	must(b, err)
	b.Cleanup(func() { _ = server.Stop() })
	config.QPS = -1
	scheme, err := cluster.NewScheme()
	must(b, err)
	c, err := client.New(config, client.Options{Scheme: scheme})
	must(b, err)

	began := time.Now()
	makePending(b, c)
	b.Logf("%d Services made in %s", pendingServices, time.Since(began).Round(time.Second))
	pid := startBinary(b, server.KubeConfig)
	time.Sleep(5 * time.Second) // not part of the figure: caches fill, nothing is written without a pool
	b.ResetTimer()
	began = time.Now()
	must(b, c.Create(context.Background(), newPool("bench", "10.0.0.0/16", "2001:db8::/64")))
	for allocatedServices(b, c) < pendingServices {
		time.Sleep(500 * time.Millisecond)
	}
	took := time.Since(began)
	b.ReportMetric(took.Seconds(), "s/10000-services")
	b.ReportMetric(pendingServices/took.Seconds(), "services/s")
	b.ReportMetric(memory(b, pid, "VmRSS"), "MiB-RSS")
	b.ReportMetric(memory(b, pid, "VmHWM"), "MiB-RSS-peak")
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func makePending(b *testing.B, c client.Client) {
	const workers = 8
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < pendingServices; i += workers {
				service := newService(fmt.Sprintf("s%05d", i), "4", func(s *corev1.Service) {
					s.Spec.AllocateLoadBalancerNodePorts = new(false)
					s.Labels = map[string]string{"app": fmt.Sprint("app-", i%100), "team": "bench"}
					s.Spec.Selector = s.Labels
				})
				if err := c.Create(context.Background(), service); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// startBinary builds and starts "herald manager", and says its process id.
func startBinary(b *testing.B, kubeconfig []byte) int {
	dir := b.TempDir()
	file, binary := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "herald")
	must(b, os.WriteFile(file, kubeconfig, 0o600))
	out, err := exec.Command("go", "build", "-o", binary, "../cmd/herald").CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	manager := exec.Command(binary, "manager", "--kubeconfig", file, "--health-probe-bind-address", "0")
	must(b, manager.Start())
	b.Cleanup(func() {
		_ = manager.Process.Kill()
		_ = manager.Wait()
	})
	return manager.Process.Pid
}

func allocatedServices(b *testing.B, c client.Client) int {
	list := &corev1.ServiceList{}
	must(b, c.List(context.Background(), list, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}))
	count := 0
	for i := range list.Items {
		if brief(list.Items[i].Status.Conditions, v1alpha1.ConditionAllocated) == "True Allocated" {
			count++
		}
	}
	return count
}

// memory of a process in MiB.
func memory(b *testing.B, pid int, field string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	for _, line := range strings.Split(string(text), "\n") {
		if value, found := strings.CutPrefix(line, field+":"); found {
			kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			must(b, err)
			return kib / 1024
		}
	}
	b.Fatalf("no %s", field)
	return 0
}
