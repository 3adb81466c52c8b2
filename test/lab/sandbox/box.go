package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// namespaces of a box that commands join, in the order of joining: the mount
// namespace last, because /proc is the host's until then.
var namespaces = []struct {
	name string
	flag int
}{
	{"uts", unix.CLONE_NEWUTS},
	{"ipc", unix.CLONE_NEWIPC},
	{"net", unix.CLONE_NEWNET},
	{"pid", unix.CLONE_NEWPID},
	{"mnt", unix.CLONE_NEWNS},
}

// Box is a set of namespaces held by its PID 1.
type Box struct {
	spec Spec
	root string
	// init is PID 1, or the launcher that waits for it.
	init *Process
	pid  int
	// ns are open namespaces, so that a reused PID is never entered.
	ns map[string]*os.File

	close sync.Once
}

// Start makes the namespaces and mounts of a box and returns when they are
// complete. It needs root.
func Start(spec Spec) (*Box, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(spec.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("box %q: %w", spec.Name, err)
	}
	b := &Box{spec: spec, root: spec.rootInside(), ns: map[string]*os.File{}}
	if err := b.startInit(); err != nil {
		return nil, fmt.Errorf("box %q: %w", spec.Name, err)
	}
	if err := b.openNamespaces(); err != nil {
		b.Kill()
		return nil, fmt.Errorf("box %q: %w", spec.Name, err)
	}
	return b, nil
}

// startInit starts PID 1 (for a container through a launcher in the box around
// it), tells it its mounts and waits until they are made.
func (b *Box) startInit() error {
	specR, specW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer specW.Close()
	answerR, answerW, err := os.Pipe()
	if err != nil {
		specR.Close()
		return err
	}
	defer answerR.Close()
	name, flags := initName, unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWIPC
	if b.spec.Within != nil {
		name, flags = launchName, 0
	}
	if b.spec.newNetwork() {
		flags |= unix.CLONE_NEWNET | unix.CLONE_NEWUTS
	}
	b.init, err = spawn(initCommand(name, uintptr(flags), specR, answerW), b.enterForInit)
	specR.Close()
	answerW.Close()
	if err != nil {
		return fmt.Errorf("starting PID 1 (are you root?): %w", err)
	}
	if err := b.tell(specW, answerR); err != nil {
		b.init.Kill()
		return err
	}
	return b.findPID1()
}

// tell hands the specification to PID 1 and waits for its answer.
func (b *Box) tell(to io.WriteCloser, from io.Reader) error {
	spec := initSpec{
		Name: b.spec.Name, Dir: b.spec.Dir, Root: b.spec.Root, Pivot: b.spec.Pivot,
		NewNet: b.spec.newNetwork(), Mounts: b.spec.Mounts,
	}
	if err := json.NewEncoder(to).Encode(spec); err != nil {
		return fmt.Errorf("telling PID 1 its mounts: %w", err)
	}
	to.Close()
	answer, err := io.ReadAll(from)
	if err == nil && string(answer) != ready {
		err = fmt.Errorf("PID 1: %s", answer)
	}
	return err
}

// enterForInit joins what a container shares with the box it is in. Its PID
// namespace becomes a child of that box's, so that they die together.
func (b *Box) enterForInit() error {
	switch {
	case b.spec.Within == nil:
		return nil
	case b.spec.OwnNetwork:
		return b.spec.Within.enter("pid")
	}
	return b.spec.Within.enter("uts", "net", "pid")
}

// findPID1 sets the host's number of PID 1, which a launcher doesn't know.
func (b *Box) findPID1() error {
	b.pid = b.init.Pid()
	if b.spec.Within == nil {
		return nil
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		// "PID (COMMAND) STATE PPID …": the command may hold anything.
		after := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(after) > 1 && after[1] == strconv.Itoa(b.init.Pid()) {
			b.pid, err = strconv.Atoi(strings.Split(file, "/")[2])
			return err
		}
	}
	return errors.New("PID 1 is gone")
}

func (b *Box) openNamespaces() error {
	for _, n := range namespaces {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", b.pid, n.name))
		if err != nil {
			return err
		}
		b.ns[n.name] = f
	}
	return nil
}

// enter joins namespaces with the calling thread, which must be locked to its
// goroutine for good.
func (b *Box) enter(names ...string) error {
	for _, n := range namespaces {
		for _, name := range names {
			if n.name != name {
				continue
			}
			if err := unix.Setns(int(b.ns[name].Fd()), n.flag); err != nil {
				return fmt.Errorf("joining the %s namespace of %q: %w", name, b.spec.Name, err)
			}
		}
	}
	return nil
}

// Name is the name given in the Spec.
func (b *Box) Name() string { return b.spec.Name }

// Pid is the host's number of the box's PID 1; /proc/<Pid>/ns/net is its
// network namespace while it lives.
func (b *Box) Pid() int { return b.pid }

// Dir is the box's directory on the host.
func (b *Box) Dir() string { return b.spec.Dir }

// HostPath is where a path inside the box is seen from outside while the box
// lives.
func (b *Box) HostPath(inside string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", b.Pid()), b.root, inside)
}

// Enter is the command line that runs what follows it in all namespaces of the
// box, for people at a terminal.
func (b *Box) Enter() []string {
	args := []string{"nsenter", "-t", strconv.Itoa(b.pid), "-m", "-u", "-i", "-n", "-p"}
	if b.root != "/" {
		args = append(args, "chroot", b.root)
	}
	return args
}

// Done is closed when PID 1 is gone.
func (b *Box) Done() <-chan struct{} { return b.init.Done() }

// Kill ends every process in the box at once, as a power cut would, and
// returns when all are gone.
func (b *Box) Kill() {
	if b.init.Alive() {
		_ = unix.Kill(b.pid, unix.SIGKILL) // its launcher, if any, ends with it
	}
	<-b.init.Done()
	b.close.Do(func() {
		for _, f := range b.ns {
			f.Close()
		}
	})
}
