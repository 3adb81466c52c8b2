package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/herald-lb/herald/reloader/apply"
	"github.com/herald-lb/herald/reloader/plan"
)

// space is the name of the scratch daemons' directory in FRR's run directory
// (FRR's -N). There is one trial at a time.
const space = "herald-trial"

// Deadlines within a trial.
const (
	startTimeout = 30 * time.Second
	loadTimeout  = 20 * time.Second
	socketPoll   = 5 * time.Millisecond
)

// daemons are one set of scratch daemons.
type daemons struct {
	job Job
	dir string
	// running are their processes.
	running []*exec.Cmd
	frr     *apply.FRR
}

// startDaemons starts them all and loads a configuration.
func startDaemons(ctx context.Context, job Job, config string) (*daemons, error) {
	d := &daemons{job: job, dir: filepath.Join(job.RunDir, space)}
	err := d.prepare()
	for _, name := range job.Daemons {
		if err == nil {
			err = d.start(ctx, name)
		}
	}
	if err == nil {
		d.frr = &apply.FRR{Tools: &apply.Tools{RunDir: d.dir}}
		err = d.frr.Connect(ctx)
	}
	if err == nil {
		var output string
		if output, err = d.load(ctx, config); err != nil {
			err = fmt.Errorf("loading the base: %w: %s", err, strings.TrimSpace(output))
		}
	}
	if err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// prepare makes the directory anew, for FRR's user.
func (d *daemons) prepare() error {
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	if err := os.Mkdir(d.dir, 0o750); err != nil {
		return err
	}
	frr, err := user.Lookup("frr")
	if err != nil {
		return fmt.Errorf("FRR's user: %w", err)
	}
	uid, err1 := strconv.Atoi(frr.Uid)
	gid, err2 := strconv.Atoi(frr.Gid)
	return errors.Join(err1, err2, os.Chown(d.dir, uid, gid),
		os.WriteFile(filepath.Join(d.dir, "vtysh.conf"), []byte("service integrated-vtysh-config\n"), 0o600))
}

// start starts a daemon and returns when its vty socket answers. No daemon opens
// a TCP port for its vty, and bgpd none for BGP.
func (d *daemons) start(ctx context.Context, name string) error {
	args := []string{"-N", space, "-P", "0", "-F", "traditional", "--limit-fds", "1024", "--log", "stdout", "--log-level", "err"}
	if name == plan.BGPDaemon {
		args = append(args, "-p", "0")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(d.job.LibDir, name), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	said := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.running = append(d.running, cmd)
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	for {
		if conn, err := net.Dial("unix", filepath.Join(d.dir, name+".vty")); err == nil {
			return conn.Close()
		}
		select {
		case <-ended:
			return fmt.Errorf("%s ended while it started (%s); %s", name, firstOf(said.String()), remedy)
		case <-deadline.C:
			return fmt.Errorf("%s did not answer within %s", name, startTimeout)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(socketPoll):
		}
	}
}

func firstOf(said string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	return first
}

// stop ends the daemons at once.
func (d *daemons) stop() {
	if d.frr != nil {
		d.frr.Disconnect()
	}
	for _, cmd := range d.running {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	_ = os.RemoveAll(d.dir)
}

// load gives a configuration to all daemons; what they said tells which line
// failed.
func (d *daemons) load(ctx context.Context, text string) (output string, err error) {
	return d.vtysh(ctx, text, "-f")
}

// check only lets vtysh look whether it knows every line.
func (d *daemons) check(ctx context.Context, text string) (output string, err error) {
	return d.vtysh(ctx, text, "-C", "-f")
}

func (d *daemons) vtysh(ctx context.Context, text string, mode ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	file := filepath.Join(d.dir, "frr.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", err
	}
	args := append([]string{"--vty_socket", d.dir, "--config_dir", d.dir}, mode...)
	return apply.Command(ctx, d.job.Vtysh, append(args, file)...)
}

// running configuration of all daemons in one.
func (d *daemons) read(ctx context.Context) (*plan.Config, error) {
	state, err := d.frr.ReadState(ctx)
	if err != nil {
		return nil, err
	}
	return state.Merged(), nil
}
