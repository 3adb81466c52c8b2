// Package workdir makes the directories that labs, routers and clusters run in.
//
// Each has a lock that the kernel releases when its maker ends, however it ends. One
// whose lock is free belongs to nobody any more: whoever makes a directory removes
// those first.
package workdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// prefix is short: paths of sockets below it hold 107 characters.
	prefix   = "herald-"
	lockName = ".lock"
)

// Dir is a directory of this process.
type Dir struct {
	Path string
	lock *os.File
}

// New makes a directory; what is a short word for its name. Users other than root can
// enter it, as FRR's must.
func New(what string) (*Dir, error) {
	sweep()
	for {
		path, err := os.MkdirTemp("", prefix+what+"-")
		if err != nil {
			return nil, err
		}
		lock, err := claim(path)
		if err == nil {
			return &Dir{Path: path, lock: lock}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			_ = os.RemoveAll(path)
			return nil, err
		}
		// Another process took it, before it was locked, for one of a killed maker's.
	}
}

// TB is what For uses of testing.TB and of Ginkgo's GinkgoT().
type TB interface {
	Helper()
	Cleanup(func())
	Fatal(args ...any)
}

// For makes a directory for a test, and removes it with the test. A path of TB's own
// TempDir would be too long for sockets, and stay when the test is killed.
func For(t TB, what string) string {
	t.Helper()
	d, err := New(what)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Remove)
	return d.Path
}

// Remove removes the directory. What can't be removed is left to the next maker.
func (d *Dir) Remove() {
	remove(d.Path)
	d.lock.Close()
}

// claim locks a directory. Whoever sweeps holds the lock while it removes: one that is
// still there once it is locked stays.
func claim(path string) (*os.File, error) {
	if err := os.Chmod(path, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err == nil {
		_, err = os.Stat(lock.Name())
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// sweep removes what killed makers left: files and mounts, all else died with them.
func sweep() {
	paths, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*-[0-9]*"))
	for _, path := range paths {
		lock, err := os.Open(filepath.Join(path, lockName))
		if err != nil {
			// Of one that was killed before it had a lock nothing is in it. All else
			// isn't ours, and isn't empty.
			_ = unix.Rmdir(path)
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			unmountBelow(path)
			remove(path)
		}
		lock.Close()
	}
}

// remove takes the lock's file last: a directory that is half removed is still known
// for one.
func remove(path string) {
	entries, err := os.ReadDir(path)
	for _, entry := range entries {
		if entry.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(path, entry.Name())))
		}
	}
	if err == nil {
		_ = os.RemoveAll(path)
	}
}

// unmountBelow takes off what is mounted below a directory: the nodes' exchange
// directories, where they have file systems of their own.
func unmountBelow(dir string) {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			_ = unix.Unmount(fields[1], unix.MNT_DETACH)
		}
	}
}
