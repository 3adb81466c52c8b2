package frr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/workdir"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Instance is a running FRR.
type Instance struct {
	version Version
	box     *sandbox.Box
	dir     string
	cfg     config

	mu        sync.Mutex
	processes map[string]*sandbox.Process
}

// Start runs FRR for one test and ends it with the test. Without root or the
// root filesystem the test is skipped (failed with HERALD_REQUIRE_LAB).
func Start(t testing.TB, v Version, opts ...Option) *Instance {
	t.Helper()
	thirdparty.Need(t, v.Root())
	inst, err := Run(v, workdir.For(t, "frr"), opts...)
	if err != nil {
		t.Fatalf("starting FRR %s: %v", v, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs of FRR %s:\n%s", v, inst.Logs(40))
		}
		inst.Stop()
	})
	return inst
}

// Run starts FRR with its files in dir, a directory of its own with a short
// path, and returns when every daemon answers.
func Run(v Version, dir string, opts ...Option) (*Instance, error) {
	cfg := config{name: "frr", args: map[string][]string{}}
	for _, opt := range opts {
		opt(&cfg)
	}
	inst := &Instance{version: v, dir: dir, cfg: cfg, processes: map[string]*sandbox.Process{}}
	if err := inst.prepare(); err != nil {
		return nil, err
	}
	if err := inst.startBox(); err != nil {
		return nil, err
	}
	if err := inst.startAll(); err != nil {
		inst.Stop()
		return nil, fmt.Errorf("%w\n%s", err, inst.Logs(20))
	}
	return inst, nil
}

// prepare makes the directories that FRR's user must own.
func (i *Instance) prepare() error {
	uid, gid, err := owner(i.version.Root(), "frr")
	if err != nil {
		return err
	}
	for _, d := range []string{i.RunDir(), i.EtcDir(), i.LogDir()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
		if err := os.Chown(d, uid, gid); err != nil {
			return err
		}
	}
	files := map[string]string{"vtysh.conf": "service integrated-vtysh-config\n", "frr.conf": i.cfg.startup}
	for name, text := range files {
		file := filepath.Join(i.EtcDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			return err
		}
		if err := os.Chown(file, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

func (i *Instance) startBox() error {
	mounts := append([]sandbox.Mount{
		{Kind: sandbox.Bind, Source: i.RunDir(), Target: "/run/frr"},
		{Kind: sandbox.Bind, Source: i.EtcDir(), Target: "/etc/frr"},
		{Kind: sandbox.Bind, Source: i.LogDir(), Target: "/var/log/frr"},
		{Kind: sandbox.Tmpfs, Target: "/tmp", Mode: "1777"},
	}, i.cfg.mounts...)
	box, err := sandbox.Start(sandbox.Spec{
		Name: i.cfg.name, Dir: filepath.Join(i.dir, "box"), Root: i.version.Root(),
		Within: i.cfg.within, Mounts: mounts,
	})
	i.box = box
	return err
}

func (i *Instance) startAll() error {
	for _, daemon := range i.version.daemons() {
		if err := i.StartDaemon(daemon); err != nil {
			return err
		}
	}
	if i.cfg.startup == "" {
		return nil
	}
	_, err := i.Exec("vtysh", "-b")
	return err
}

// Version is the release that runs.
func (i *Instance) Version() Version { return i.version }

// Box is where FRR runs: its network, and commands in it.
func (i *Instance) Box() *sandbox.Box { return i.box }

// Root is the root filesystem that FRR runs from, on the host and read-only.
func (i *Instance) Root() string { return i.version.Root() }

// RunDir is the host's path of /run/frr: the daemons' vty sockets.
func (i *Instance) RunDir() string { return filepath.Join(i.dir, "run") }

// EtcDir is the host's path of /etc/frr.
func (i *Instance) EtcDir() string { return filepath.Join(i.dir, "etc") }

// LogDir is the host's path of /var/log/frr: one file per daemon.
func (i *Instance) LogDir() string { return filepath.Join(i.dir, "log") }

// execDeadline bounds one command in the box.
const execDeadline = 60 * time.Second

// Exec runs a command inside (chroot and all namespaces) and returns its
// standard output; an error holds what the command said.
func (i *Instance) Exec(cmd ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), execDeadline)
	defer cancel()
	return i.box.Run(ctx, cmd...)
}

// Vtysh runs vtysh with the given arguments, for example
// Vtysh("-c", "show bgp summary json").
func (i *Instance) Vtysh(args ...string) (string, error) {
	return i.Exec(append([]string{"vtysh"}, args...)...)
}

// LoadConfig adds a configuration to what runs (vtysh -f), as typed.
func (i *Instance) LoadConfig(conf string) error {
	file := filepath.Join(i.EtcDir(), "load.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return err
	}
	out, err := i.Vtysh("-f", "/etc/frr/load.conf")
	if err != nil {
		return fmt.Errorf("loading: %w", err)
	}
	if strings.Contains(strings.ReplaceAll(out, echoNote, ""), "% ") {
		return fmt.Errorf("loading: FRR refuses: %s", strings.TrimSpace(out))
	}
	return nil
}

// echoNote is what bfdd says to every "echo-mode", and takes it.
const echoNote = "% Echo mode works correctly for IPv4"

// Stop ends every daemon and the box.
func (i *Instance) Stop() {
	if i.box != nil {
		i.box.Kill()
	}
}

// errNotRunning is about a daemon that was never started or has ended.
var errNotRunning = errors.New("not running")
