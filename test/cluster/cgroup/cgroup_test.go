package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/herald-lb/herald/test/thirdparty"
)

func leftovers(t *testing.T, name string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(Mount, "*", prefix+name))
	if err != nil {
		t.Fatal(err)
	}
	one, _ := filepath.Glob(filepath.Join(Mount, prefix+name))
	return append(found, one...)
}

func need(t *testing.T) {
	t.Helper()
	thirdparty.Need(t)
	if missing := Missing(Mount); missing != "" {
		t.Skip(missing)
	}
}

func TestTreeComesAndGoes(t *testing.T) {
	need(t)
	tree, err := New(Mount, "test-comes")
	if err != nil {
		t.Fatal(err)
	}
	path, err := tree.Node("node1")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := tree.Node("node1"); err != nil || again != path {
		t.Errorf("the node's second boot: %q, %v; want %q", again, err, path)
	}
	for _, hierarchy := range hierarchies(Mount) {
		// Something that a container made.
		if err := os.Mkdir(filepath.Join(hierarchy, path, "pod"), 0o755); err != nil {
			t.Errorf("%s: %v", hierarchy, err)
		}
	}
	if cpus := v1Directory(Mount, "cpuset"); cpus != "" {
		text, err := os.ReadFile(filepath.Join(Mount, cpus, path, "cpuset.cpus"))
		if err != nil || strings.TrimSpace(string(text)) == "" {
			t.Errorf("cpuset.cpus is %q, %v: no process can run there", text, err)
		}
	}
	tree.Remove()
	if left := leftovers(t, "test-comes"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestSweepTakesOnlyWhatIsAbandoned(t *testing.T) {
	need(t)
	abandoned, err := New(Mount, "test-abandoned")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := abandoned.Node("node1"); err != nil {
		t.Fatal(err)
	}
	for _, lock := range abandoned.locks { // as the kernel does when the owner is killed
		lock.Close()
	}
	held, err := New(Mount, "test-held")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Remove()
	other, err := New(Mount, "test-other")
	if err != nil {
		t.Fatal(err)
	}
	other.Remove()
	if left := leftovers(t, "test-abandoned"); len(left) > 0 {
		t.Errorf("the abandoned tree is left: %v", left)
	}
	if left := leftovers(t, "test-held"); len(left) != len(hierarchies(Mount)) {
		t.Errorf("of the tree in use there is only %v", left)
	}
}

func TestMissing(t *testing.T) {
	if got := Missing(t.TempDir()); !strings.Contains(got, `"cpu"`) {
		t.Errorf("no cgroups at all: %q", got)
	}
	v2 := t.TempDir()
	write(t, filepath.Join(v2, "cgroup.controllers"), "cpuset cpu io memory hugetlb")
	if got := Missing(v2); !strings.Contains(got, `"pids"`) {
		t.Errorf("no pids: %q", got)
	}
	write(t, filepath.Join(v2, "cgroup.controllers"), "cpuset cpu io memory pids")
	if got := Missing(v2); got != "" {
		t.Errorf("nothing is missing: %q", got)
	}
}

// Where version 1 has the controllers that a kubelet needs, version 2 may be mounted
// beside it with the rest of them, or with none: what the kernel does with groups of
// version 2 shows there too.
func TestTreeOfVersion2(t *testing.T) {
	thirdparty.Need(t)
	mount := Mount
	if !isV2(mount) {
		mount = filepath.Join(Mount, "unified")
	}
	if !isV2(mount) {
		t.Skipf("neither %s nor %s is a hierarchy of cgroups version 2", Mount, mount)
	}
	tree, err := New(mount, "test-v2")
	if err != nil {
		t.Fatal(err)
	}
	path, err := tree.Node("node1")
	if err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(mount, path)
	if have, want := controllers(node), controllers(mount); !slices.Equal(have, want) {
		t.Errorf("the node's group has the controllers %q, want %q", have, want)
	}
	below := filepath.Join(node, "pod")
	if err := makeGroup(node, below); err != nil {
		t.Fatal(err)
	}
	process := exec.Command("sleep", "infinity")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	if err := os.WriteFile(filepath.Join(below, "cgroup.procs"), []byte(strconv.Itoa(process.Process.Pid)), 0o644); err != nil {
		t.Errorf("no process can run there: %v", err)
	}
	if err := removeTree(mount, tree.name); err == nil {
		t.Error("a tree with a process was removed")
	}
	if err := process.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-ended
	tree.Remove()
	if _, err := os.Stat(filepath.Join(mount, tree.name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

// A directory tree isn't a cgroup, but shows what is written where.
func TestVersion2ControllersAreHandedDown(t *testing.T) {
	v2 := t.TempDir()
	write(t, filepath.Join(v2, "cgroup.controllers"), "pids")
	dir := filepath.Join(v2, "a")
	if err := makeGroup(v2, dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(v2, "cgroup.subtree_control"))
	if err != nil || string(text) != "+pids" {
		t.Errorf("cgroup.subtree_control: %q, %v", text, err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
