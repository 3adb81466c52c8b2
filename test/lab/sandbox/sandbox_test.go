package sandbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/thirdparty"
)

// starterEnv makes this test binary start boxes and wait to be killed.
const starterEnv = "HERALD_SANDBOX_TEST_DIR"

// facts is what the starter says about its boxes.
type facts struct {
	Pids []int
	Net  string
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(starterEnv); dir != "" {
		startAndWait(dir)
		return
	}
	os.Exit(m.Run())
}

// startAndWait has a box, a container in it, a command in each and one that
// left its parent, and a pair of interfaces.
func startAndWait(dir string) {
	host := must(sandbox.Start(sandbox.Spec{Name: "host", Dir: filepath.Join(dir, "host"), Mounts: []sandbox.Mount{
		{Kind: sandbox.Tmpfs, Target: "/mnt"},
	}}))
	inner := must(sandbox.Start(sandbox.Spec{Name: "inner", Dir: filepath.Join(dir, "inner"), Within: host}))
	must(host.Run(context.Background(), "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"))
	f := facts{Pids: []int{host.Pid(), inner.Pid()}, Net: must(os.Readlink(fmt.Sprintf("/proc/%d/ns/net", host.Pid())))}
	for _, b := range []*sandbox.Box{host, inner} {
		p := must(b.Start(sandbox.Command{Args: []string{"sleep", "1000"}}))
		f.Pids = append(f.Pids, p.Pid())
		must(b.Run(context.Background(), "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"))
	}
	if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
		panic(err)
	}
	select {}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestNothingSurvivesAKilledStarter(t *testing.T) {
	thirdparty.Need(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), starterEnv+"="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var f facts
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&f); err != nil {
		t.Fatalf("the starter said nothing: %v", err)
	}
	if len(inNamespace(f.Net)) < 6 {
		t.Fatalf("want two PID 1s and four commands in %s, have %v", f.Net, inNamespace(f.Net))
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.Now().Add(time.Minute)
	for len(inNamespace(f.Net)) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("still in the namespace: %v", inNamespace(f.Net))
		}
	}
	if mounts := must(os.ReadFile("/proc/self/mounts")); strings.Contains(string(mounts), "herald") {
		t.Errorf("a mount is left on the host:\n%s", mounts)
	}
}

// inNamespace lists the processes in a network namespace.
func inNamespace(ns string) []string {
	var pids []string
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == ns {
			pids = append(pids, strings.Split(link, "/")[2])
		}
	}
	return pids
}

func TestBoxIsItsOwnHost(t *testing.T) {
	thirdparty.Need(t)
	file := filepath.Join(t.TempDir(), "boot_id")
	if err := os.WriteFile(file, []byte("another-boot\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.Start(sandbox.Spec{Name: "n1", Dir: t.TempDir(), Mounts: []sandbox.Mount{
		{Kind: sandbox.Bind, Source: file, Target: "/proc/sys/kernel/random/boot_id", ReadOnly: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Kill()
	for command, want := range map[string]string{
		"hostname":                            "n1",
		"cat /proc/sys/kernel/random/boot_id": "another-boot",
		"ls /sys/class/net":                   "lo",
		"echo > /run/x && ls /run/":           "x",
		"sysctl -n net.ipv4.ip_forward":       "0",
		"cat /proc/1/cmdline | tr -d '\\000'": "herald-sandbox-init",
	} {
		out, err := box.Run(t.Context(), "sh", "-c", command)
		if err != nil || strings.TrimSpace(out) != want {
			t.Errorf("%s: %q, %v; want %q", command, out, err, want)
		}
	}
	if _, err := os.Stat("/run/x"); err == nil {
		t.Error("the host's /run was written to")
	}
	if err := box.Sysctl(map[string]string{"net.ipv4.ip_forward": "1"}); err != nil {
		t.Fatal(err)
	}
	if out, _ := box.Run(t.Context(), "sysctl", "-n", "net.ipv4.ip_forward"); strings.TrimSpace(out) != "1" {
		t.Errorf("ip_forward is %q in the box", out)
	}
}

func TestPivotedBoxHasNothingOfTheHost(t *testing.T) {
	thirdparty.Need(t, thirdparty.FRRRoot(thirdparty.FRRNew))
	dir := t.TempDir()
	box, err := sandbox.Start(sandbox.Spec{Name: "n1", Dir: dir, Root: thirdparty.FRRRoot(thirdparty.FRRNew), Pivot: true})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Kill()
	for command, want := range map[string]string{
		"ls -d /usr/lib/frr":                        "/usr/lib/frr",
		"awk '$2 == \"/\" {print $1}' /proc/mounts": "overlay",
		"grep -c " + dir + " /proc/mounts || true":  "1", // where the root is kept
		"echo x > /run/x && cat /run/x":             "x",
		// A process that joins the mount namespace anew finds the same root.
		"nsenter -t 1 -m ls -d /usr/lib/frr": "/usr/lib/frr",
	} {
		out, err := box.Run(t.Context(), "sh", "-c", command)
		if err != nil || strings.TrimSpace(out) != want {
			t.Errorf("%s: %q, %v; want %q", command, out, err, want)
		}
	}
	if text, err := os.ReadFile(box.HostPath("/run/x")); err != nil || string(text) != "x\n" {
		t.Errorf("HostPath: %q, %v", text, err)
	}
}

func TestDialEntersTheNetwork(t *testing.T) {
	thirdparty.Need(t)
	box, err := sandbox.Start(sandbox.Spec{Name: "n1", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Kill()
	var l net.Listener
	if err := box.InNetwork(func() error { l, err = net.Listen("tcp", "127.0.0.1:0"); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := box.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("from inside: %v", err)
	}
	conn.Close()
	if conn, err := net.DialTimeout("tcp", l.Addr().String(), time.Second); err == nil {
		conn.Close()
		t.Error("the host reaches the box's loopback")
	}
}

func TestKilledBoxTakesItsContainersAlong(t *testing.T) {
	thirdparty.Need(t)
	host, err := sandbox.Start(sandbox.Spec{Name: "host", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := sandbox.Start(sandbox.Spec{Name: "inner", Dir: t.TempDir(), Within: host})
	if err != nil {
		t.Fatal(err)
	}
	p, err := inner.Start(sandbox.Command{Args: []string{"sleep", "1000"}})
	if err != nil {
		t.Fatal(err)
	}
	host.Kill()
	for name, done := range map[string]<-chan struct{}{"container": inner.Done(), "its command": p.Done()} {
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Errorf("the %s outlived its host", name)
		}
	}
}

func TestBadMountIsAnError(t *testing.T) {
	thirdparty.Need(t)
	_, err := sandbox.Start(sandbox.Spec{Name: "n1", Dir: t.TempDir(), Mounts: []sandbox.Mount{
		{Kind: sandbox.Bind, Source: "/no/such/file", Target: "/mnt/x"},
	}})
	if err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Fatalf("error %v doesn't name the missing source", err)
	}
}
