//go:build e2e

package cluster_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/herald-lb/herald/test/cluster"
	"github.com/herald-lb/herald/test/lab/wait"
)

// starterEnv makes this test binary bring a cluster up and wait to be killed.
const starterEnv = "HERALD_CLUSTER_TEST_START"

func TestMain(m *testing.M) {
	if os.Getenv(starterEnv) == "" {
		os.Exit(m.Run())
	}
	c, err := cluster.New(context.Background(), cluster.Options{Nodes: 1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.Dir())
	select {}
}

// bringUp is a cluster of n nodes with a Deployment of echo pods, whose every
// trace must be gone after the test.
func bringUp(t *testing.T, n int) *cluster.Cluster {
	t.Helper()
	cluster.Need(t)
	c, err := cluster.New(t.Context(), cluster.Options{Nodes: n, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Logs(20))
		}
		c.Close()
		if left := traces(c.Dir()); len(left) > 0 {
			t.Errorf("the cluster left: %s", strings.Join(left, "\n"))
		}
	})
	return c
}

// traces of a cluster: processes, cgroups and mounts that name its directory, and
// the directory itself.
func traces(dir string) []string {
	var left []string
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range lines {
		if text, err := os.ReadFile(name); err == nil && bytes.Contains(text, []byte(dir)) {
			left = append(left, string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
		}
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/*" + filepath.Base(dir))
	left = append(left, groups...)
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || bytes.Contains(mounts, []byte(dir)) {
		left = append(left, fmt.Sprintf("mounts (%v)", err))
	}
	if _, err := os.Stat(dir); err == nil {
		left = append(left, dir)
	}
	return left
}

func kubectl(t *testing.T, c *cluster.Cluster, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestNodeComesBackAfterACrash(t *testing.T) {
	c := bringUp(t, 2)
	kubectl(t, c, "create", "deployment", "web", "--image="+cluster.EchoImage, "--replicas=2")
	kubectl(t, c, "rollout", "status", "deployment", "web", "--timeout=90s")
	if got := kubectl(t, c, "logs", "deployment/web"); got != "" {
		t.Errorf("echo says %q", got)
	}
	pod := kubectl(t, c, "get", "pods", "-o", "name", "--field-selector=spec.nodeName=node1")
	kubectl(t, c, "exec", pod, "--", "/echo", "-h") // in the container, which has no shell
	boot := kubectl(t, c, "get", "node", "node1", "-o", "jsonpath={.status.nodeInfo.bootID}")
	c.Node("node1").Crash()
	err := wait.Until(t.Context(), "node1 is NotReady", wait.BringUp, func(context.Context) (bool, error) {
		status := kubectl(t, c, "get", "node", "node1", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		return status == "Unknown", fmt.Errorf("Ready is %s", status)
	})
	if err != nil {
		t.Error(err)
	}
	if err := c.Node("node1").Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := kubectl(t, c, "get", "node", "node1", "-o", "jsonpath={.status.nodeInfo.bootID}"); again == boot {
		t.Errorf("boot id %s after the reboot as before it", again)
	}
	kubectl(t, c, "wait", "pods", "--all", "--for=condition=Ready", "--timeout=90s")
}

func TestNothingSurvivesAKilledCluster(t *testing.T) {
	cluster.Need(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), starterEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the cluster didn't come up: %v", err)
	}
	dir = strings.TrimSpace(dir)
	if len(traces(dir)) < 5 {
		t.Fatalf("a running cluster has no traces: the test looks for the wrong thing: %v", traces(dir))
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// Files and cgroups are removed by the next cluster.
	next := bringUp(t, 1)
	if next.Dir() == dir {
		t.Fatal("the same directory again")
	}
	err = wait.Until(t.Context(), "nothing is left", time.Minute, func(context.Context) (bool, error) {
		left := traces(dir)
		return len(left) == 0, fmt.Errorf("left: %s", strings.Join(left, "\n"))
	})
	if err != nil {
		t.Error(err)
	}
}
