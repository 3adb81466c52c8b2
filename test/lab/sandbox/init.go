package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Names (argv[0]) under which the executable is started again.
const (
	// initName is a box's PID 1.
	initName = "herald-sandbox-init"
	// launchName starts PID 1 of a container: a new PID namespace can only be
	// made by a process that itself is in the one above it.
	launchName = "herald-sandbox-launch"
)

// File descriptors of PID 1 beyond the standard ones.
const (
	specFD   = 3 // the initSpec, read to its end
	answerFD = 4 // ready, else the error
)

// ready is PID 1's answer when all mounts are made.
const ready = "ready"

func init() {
	switch os.Args[0] {
	case initName:
		bePID1()
	case launchName:
		launchPID1()
	}
	// Keeps the main thread out of the pool, so that no goroutine that enters
	// another namespace changes what /proc/self means.
	runtime.LockOSThread()
}

// launchPID1 starts PID 1 with its descriptors and ends when it ends. init runs
// on the main thread, so PID 1's parent (Pdeathsig) is this whole process.
func launchPID1() {
	runtime.LockOSThread()
	cmd := initCommand(initName, unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWIPC,
		os.NewFile(specFD, "spec"), os.NewFile(answerFD, "answer"))
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.NewFile(answerFD, "answer"), "starting PID 1: %v", err)
		os.Exit(1)
	}
	unix.Close(specFD)
	unix.Close(answerFD)
	_ = cmd.Wait()
	os.Exit(0)
}

// initCommand starts the executable again as name in new namespaces. Where
// there is no new PID namespace it is the launcher's, which dies with the box
// around it; see Start for why a Pdeathsig wouldn't do.
func initCommand(name string, flags uintptr, spec, answer *os.File) *exec.Cmd {
	var deathSignal syscall.Signal
	if flags&unix.CLONE_NEWPID != 0 {
		deathSignal = syscall.SIGKILL
	}
	return &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{name},
		Env:        []string{"PATH=" + path, "GOMAXPROCS=1"},
		Stderr:     os.Stderr,
		ExtraFiles: []*os.File{spec, answer},
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: flags, Pdeathsig: deathSignal, Setsid: true,
		},
	}
}

// bePID1 makes the box's mounts, says so, and then only reaps orphans: being
// there is what keeps the namespaces alive.
func bePID1() {
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, unix.SIGCHLD, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	answer := os.NewFile(answerFD, "answer")
	if err := setUp(os.NewFile(specFD, "spec")); err != nil {
		fmt.Fprint(answer, err.Error())
		os.Exit(1)
	}
	fmt.Fprint(answer, ready)
	answer.Close()
	for s := range sigs {
		if s == unix.SIGCHLD {
			reap()
		}
	}
}

func reap() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}

func setUp(in io.ReadCloser) error {
	var spec initSpec
	if err := json.NewDecoder(in).Decode(&spec); err != nil {
		return fmt.Errorf("reading the box's specification: %w", err)
	}
	in.Close()
	if err := unix.Sethostname([]byte(spec.Name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if spec.NewNet {
		if err := loopbackUp(); err != nil {
			return fmt.Errorf("bringing up lo: %w", err)
		}
	}
	return mountAll(&spec)
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, syscall.SIOCSIFFLAGS, req)
}
