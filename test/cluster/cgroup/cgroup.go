// Package cgroup makes the control groups of a cluster's nodes and removes them,
// also those of clusters that were killed. It knows version 1 (a hierarchy per
// controller) and version 2 (one).
//
// A tree is NAME/NODE… in every hierarchy. Its owner holds a lock on NAME: one
// whose lock is free belongs to nobody any more.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/herald-lb/herald/test/lab/wait"
)

// Mount is where the control groups are mounted.
const Mount = "/sys/fs/cgroup"

// prefix of the trees' names.
const prefix = "cluster-of-"

// needed are the controllers that a kubelet insists on.
var needed = []string{"cpu", "cpuset", "memory", "pids"}

// Missing says in one line what keeps a kubelet from working with the control
// groups mounted at mount; it is empty if nothing does.
func Missing(mount string) string {
	have := controllers(mount)
	for _, name := range needed {
		if !slices.Contains(have, name) {
			return fmt.Sprintf("a kubelet needs the cgroup controller %q, which %s doesn't have: mount the cgroups, or boot with them enabled", name, mount)
		}
	}
	probe, err := os.MkdirTemp(filepath.Join(mount, v1Directory(mount, needed[0])), prefix+"probe-")
	if err != nil {
		return fmt.Sprintf("cgroups can't be made: %v: run as root, with %s writable", err, mount)
	}
	_ = os.Remove(probe)
	if isV2(mount) {
		// In a container the mount is a group with processes, which can't hand its
		// controllers down.
		if err := enable(mount); err != nil {
			return fmt.Sprintf("the groups below %s can't have the controllers that a kubelet needs: %v: run where it is the root of all control groups, or move its processes into a group below", mount, err)
		}
	}
	return ""
}

// Tree is the control groups of one cluster.
type Tree struct {
	mount, name string
	locks       []*os.File
}

// New makes an empty tree for the cluster of that name, and removes what killed
// clusters left.
func New(mount, name string) (*Tree, error) {
	sweep(mount)
	t := &Tree{mount: mount, name: prefix + name}
	for _, hierarchy := range hierarchies(mount) {
		dir := filepath.Join(hierarchy, t.name)
		if err := makeGroup(hierarchy, dir); err != nil {
			t.Remove()
			return nil, fmt.Errorf("cgroup %s: %w", dir, err)
		}
		lock, err := lockDir(dir)
		if err != nil {
			t.Remove()
			return nil, fmt.Errorf("cgroup %s: %w", dir, err)
		}
		t.locks = append(t.locks, lock)
	}
	return t, nil
}

// Node makes a node's group in every hierarchy and returns its path in them. One
// that is there from an earlier boot is taken.
func (t *Tree) Node(name string) (string, error) {
	for _, hierarchy := range hierarchies(t.mount) {
		parent := filepath.Join(hierarchy, t.name)
		if err := makeGroup(parent, filepath.Join(parent, name)); err != nil {
			return "", fmt.Errorf("cgroup of node %q: %w", name, err)
		}
	}
	return "/" + filepath.Join(t.name, name), nil
}

// Remove removes the tree, whose processes must be dead or dying.
func (t *Tree) Remove() {
	_ = wait.Until(context.Background(), "cgroups are removed", wait.Process, func(context.Context) (bool, error) {
		return removeTree(t.mount, t.name) == nil, nil
	})
	for _, lock := range t.locks {
		lock.Close()
	}
}

// sweep removes the trees that nobody holds a lock on.
func sweep(mount string) {
	for _, hierarchy := range hierarchies(mount) {
		dirs, _ := filepath.Glob(filepath.Join(hierarchy, prefix+"*"))
		for _, dir := range dirs {
			lock, err := lockDir(dir)
			if err != nil {
				continue // in use, or just gone
			}
			_ = removeGroup(dir)
			lock.Close()
		}
	}
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// hierarchies are the roots of version 1's hierarchies, or version 2's only one.
// Version 2 beside version 1 ("unified") has no controllers, but runc uses it.
func hierarchies(mount string) []string {
	if isV2(mount) {
		return []string{mount}
	}
	files, _ := filepath.Glob(filepath.Join(mount, "*", "cgroup.procs"))
	var roots []string
	for _, file := range files {
		dir := filepath.Dir(file)
		// "cpu" may be a link to "cpu,cpuacct".
		if st, err := os.Lstat(dir); err == nil && st.IsDir() {
			roots = append(roots, dir)
		}
	}
	return roots
}

func isV2(mount string) bool {
	_, err := os.Stat(filepath.Join(mount, "cgroup.controllers"))
	return err == nil
}

func controllers(mount string) []string {
	if isV2(mount) {
		text, _ := os.ReadFile(filepath.Join(mount, "cgroup.controllers"))
		return strings.Fields(string(text))
	}
	var names []string
	for _, dir := range hierarchies(mount) {
		names = append(names, strings.Split(filepath.Base(dir), ",")...)
	}
	return names
}

// v1Directory is the hierarchy of a controller below mount, "" for version 2.
func v1Directory(mount, controller string) string {
	for _, dir := range hierarchies(mount) {
		if slices.Contains(strings.Split(filepath.Base(dir), ","), controller) {
			return filepath.Base(dir)
		}
	}
	return ""
}

// makeGroup makes dir below parent in which processes can be put: a new group of
// version 1's cpuset has no CPU, one of version 2 has no controllers.
func makeGroup(parent, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil || isV2(parent) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
			return err
		}
	}
	if !isV2(parent) {
		return nil
	}
	return enable(parent)
}

// enable lets the groups below dir have the controllers that dir has.
func enable(dir string) error {
	for _, name := range controllers(dir) {
		err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0o644)
		if err != nil && slices.Contains(needed, name) {
			return err
		}
	}
	return nil
}

func removeTree(mount, name string) error {
	var failed []error
	for _, hierarchy := range hierarchies(mount) {
		failed = append(failed, removeGroup(filepath.Join(hierarchy, name)))
	}
	return errors.Join(failed...)
}

// removeGroup removes a group and those below it; none there is no error. The
// files in a group go with it.
func removeGroup(dir string) error {
	below, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range below {
		if entry.IsDir() {
			if err := removeGroup(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(dir)
}
