package lab_test

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

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/thirdparty"
)

// starterEnv makes this test binary bring a lab up and wait to be killed.
const starterEnv = "HERALD_LAB_TEST_START"

func TestMain(m *testing.M) {
	if os.Getenv(starterEnv) == "" {
		os.Exit(m.Run())
	}
	l, err := lab.New(context.Background(), lab.Options{Nodes: 2})
	if err == nil {
		_, err = l.AddPod(context.Background(), "node1", "web-1", nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Dir())
	select {}
}

func TestNothingSurvivesAKilledLab(t *testing.T) {
	thirdparty.Need(t, lab.Parts()...)
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
		t.Fatalf("the lab didn't come up: %v", err)
	}
	dir = strings.TrimSpace(dir)
	// Two nodes with four containers each, three routers, the control plane …
	if n := len(processesOf(dir)); n < 20 {
		t.Fatalf("only %d processes have to do with %s: the test looks for the wrong thing", n, dir)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	err = wait.Until(t.Context(), "the lab's processes are gone", wait.Process, func(context.Context) (bool, error) {
		left := processesOf(dir)
		return len(left) == 0, fmt.Errorf("%d left: %v", len(left), left)
	})
	if err != nil {
		t.Error(err)
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || bytes.Contains(mounts, []byte(dir)) {
		t.Errorf("a mount is left on the host: %v\n%s", err, mounts)
	}
	if names, err := filepath.Glob("/run/netns/*herald*"); err != nil || len(names) > 0 {
		t.Errorf("named network namespaces are left: %v %v", names, err)
	}
	// The files are removed by the next lab.
	l, err := lab.New(t.Context(), lab.Options{Nodes: 1, Managers: -1, Routers: []lab.RouterOptions{}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("files of the killed lab are left in %s: %v", dir, err)
	}
}

// processesOf lists the processes that have a mount of the lab's directory, or
// name it on their command line.
func processesOf(dir string) []string {
	var found []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range procs {
		mounts, _ := os.ReadFile(filepath.Join(proc, "mountinfo")) // empty for one that ends
		command, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		if bytes.Contains(mounts, []byte(dir)) || bytes.Contains(command, []byte(dir)) {
			found = append(found, filepath.Base(proc)+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}
