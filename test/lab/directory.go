package lab

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// directory is a lab's own directory, with a lock that lives as long as the
// process: one whose lock is free belongs to a lab that was killed.
type directory struct {
	path string
	lock *os.File
}

const (
	// directoryPrefix is short: paths of sockets below it hold 107 characters.
	directoryPrefix = "herald-lab-"
	lockName        = ".lock"
)

func newDirectory() (*directory, error) {
	sweep()
	path, err := os.MkdirTemp("", directoryPrefix)
	if err != nil {
		return nil, err
	}
	// FRR's user must reach its directories.
	if err := os.Chmod(path, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.Create(filepath.Join(path, lockName))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, err
	}
	return &directory{path: path, lock: lock}, nil
}

func (d *directory) remove() {
	_ = os.RemoveAll(d.path)
	d.lock.Close()
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

// sweep removes what killed labs left: files and mounts, all else died with them.
func sweep() {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), directoryPrefix+"*", lockName))
	for _, name := range locks {
		lock, err := os.Open(name)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			unmountBelow(filepath.Dir(name))
			_ = os.RemoveAll(filepath.Dir(name))
		}
		lock.Close()
	}
}
