package sandbox

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running command.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// spawn starts cmd from a thread of its own, after prepare has run on it. The
// thread lives as long as the process, because the kernel's "parent died"
// (PR_SET_PDEATHSIG) means the thread that forked.
func spawn(cmd *exec.Cmd, prepare func() error) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(p.done)
		err := prepare()
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err != nil {
			p.err = err
			return
		}
		p.err = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Pid is the process's number on the host.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Alive says whether the process still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Wait returns when the process is gone, with its exit as os/exec tells it.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Signal sends a signal; a process that is gone is no error.
func (p *Process) Signal(sig syscall.Signal) {
	if p.Alive() {
		_ = p.cmd.Process.Signal(sig)
	}
}

// Kill ends the process with SIGKILL and waits for it.
func (p *Process) Kill() {
	p.Signal(unix.SIGKILL)
	<-p.done
}

// Stop asks the process to end (SIGTERM) and kills it when it hasn't after
// grace.
func (p *Process) Stop(grace time.Duration) {
	p.Signal(unix.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
	}
}

// State is the exit state, nil while the process runs.
func (p *Process) State() *os.ProcessState {
	if p.Alive() {
		return nil
	}
	return p.cmd.ProcessState
}
