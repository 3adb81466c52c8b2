package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// path is PATH inside every box.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// pipeGrace is how long output is still read after a command ended, where a
// process that it left behind holds the pipe.
const pipeGrace = time.Second

// Command is what to run in a box.
type Command struct {
	// Args is the program (absolute, or looked up in the box's PATH) and its
	// arguments.
	Args []string
	// Env is added to the box's environment.
	Env []string
	// Dir is the working directory inside the box, "/" if empty.
	Dir string
	// Stdin, Stdout, Stderr default to nothing. A file is handed down as it is.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// OpenFiles lowers the limit of open files, 0 leaves it. FRR's daemons
	// allocate tables in proportion to it.
	OpenFiles int
}

// Start runs a command in all namespaces of the box. It dies with the box and
// with the starting process.
func (b *Box) Start(c Command) (*Process, error) {
	args := c.Args
	if c.OpenFiles > 0 {
		args = append([]string{"/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$@"`, c.OpenFiles), "sh"}, args...)
	} else if !strings.Contains(args[0], "/") {
		// PATH is the box's, which the starting process doesn't see.
		args = append([]string{"/usr/bin/env", "--"}, args...)
	}
	cmd := &exec.Cmd{
		Path: args[0], Args: args, Dir: c.Dir,
		Env:   append(append([]string{"PATH=" + path, "HOME=/root", "TERM=dumb", "LC_ALL=C.UTF-8"}, b.spec.Env...), c.Env...),
		Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr,
		WaitDelay: pipeGrace,
		// No Pdeathsig: PID 1 has it, and its end is the end of all. (Go's own
		// check for a dead parent would also take the other PID namespace, where
		// the parent is 0, for one, and the process would kill itself.)
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	if b.root != "/" {
		cmd.SysProcAttr.Chroot = b.root
	}
	p, err := spawn(cmd, b.enterAll)
	if err != nil {
		return nil, fmt.Errorf("%s: starting %s: %w", b.spec.Name, c.Args[0], err)
	}
	return p, nil
}

func (b *Box) enterAll() error {
	// A thread that shares its root and working directory with others can't
	// change its mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unsharing the thread's root: %w", err)
	}
	return b.enter("uts", "ipc", "net", "pid", "mnt")
}

// Run runs a command to its end and returns its standard output. A failure's
// error holds what the command said.
func (b *Box) Run(ctx context.Context, args ...string) (string, error) {
	return b.RunInput(ctx, "", args...)
}

// RunInput is Run with a standard input.
func (b *Box) RunInput(ctx context.Context, input string, args ...string) (string, error) {
	var out, errOut bytes.Buffer
	p, err := b.Start(Command{Args: args, Stdin: strings.NewReader(input), Stdout: &out, Stderr: &errOut})
	if err != nil {
		return "", err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Kill()
		return out.String(), fmt.Errorf("%s: %s: %w", b.spec.Name, strings.Join(args, " "), ctx.Err())
	}
	if err := p.Wait(); err != nil {
		said := strings.TrimSpace(errOut.String() + out.String())
		return out.String(), fmt.Errorf("%s: %s: %w: %s", b.spec.Name, strings.Join(args, " "), err, said)
	}
	return out.String(), nil
}
