package frr

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/herald-lb/herald/test/lab/sandbox"
)

// openFiles is the daemons' limit: with the host's, often a million, each
// allocates a table of that size.
const openFiles = 1024

// StartDaemon starts one daemon and returns when its vty socket answers.
func (i *Instance) StartDaemon(daemon string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if p := i.processes[daemon]; p != nil && p.Alive() {
		return fmt.Errorf("%s: already running", daemon)
	}
	socket := i.VtySocket(daemon)
	_ = os.Remove(socket)
	out, err := os.OpenFile(filepath.Join(i.LogDir(), daemon+".out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	p, err := i.box.Start(sandbox.Command{Args: i.commandLine(daemon), OpenFiles: openFiles, Stdout: out, Stderr: out})
	if err != nil {
		return err
	}
	i.processes[daemon] = p
	return waitSocket(daemon, socket, p)
}

func (i *Instance) commandLine(daemon string) []string {
	args := []string{
		"/usr/lib/frr/" + daemon, "-u", "frr", "-g", "frr", "-A", "127.0.0.1",
		"--log", "file:/var/log/frr/" + daemon + ".log", "--log-level", "debug",
	}
	if daemon == "zebra" {
		args = append(args, "-s", "90000000") // netlink receive buffer, as packaged
	}
	return append(args, i.cfg.args[daemon]...)
}

func waitSocket(daemon, socket string, p *sandbox.Process) error {
	deadline := time.NewTimer(startDeadline)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("unix", socket); err == nil {
			return conn.Close()
		}
		select {
		case <-p.Done():
			return fmt.Errorf("%s ended while starting: %w", daemon, p.Wait())
		case <-deadline.C:
			return fmt.Errorf("%s: no vty socket after %s", daemon, startDeadline)
		case <-tick.C:
		}
	}
}

// VtySocket is the host's path of a daemon's vty socket.
func (i *Instance) VtySocket(daemon string) string {
	return filepath.Join(i.RunDir(), daemon+".vty")
}

// Daemon is a running daemon's process, nil when it isn't running.
func (i *Instance) Daemon(daemon string) *sandbox.Process {
	i.mu.Lock()
	defer i.mu.Unlock()
	if p := i.processes[daemon]; p != nil && p.Alive() {
		return p
	}
	return nil
}

// KillDaemon ends one daemon with SIGKILL.
func (i *Instance) KillDaemon(daemon string) error {
	p := i.Daemon(daemon)
	if p == nil {
		return fmt.Errorf("%s: %w", daemon, errNotRunning)
	}
	p.Kill()
	return nil
}

// Kill ends all daemons at once with SIGKILL; the box and its network stay.
func (i *Instance) Kill() {
	for _, daemon := range i.version.daemons() {
		_ = i.KillDaemon(daemon)
	}
}

// Restart kills what runs and starts all daemons again, with /etc/frr/frr.conf
// loaded if Startup gave one.
func (i *Instance) Restart() error {
	i.Kill()
	return i.startAll()
}

// Logs is the tail of each daemon's log, for a failing test.
func (i *Instance) Logs(lines int) string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(i.LogDir(), "*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
		if len(all) > lines {
			all = all[len(all)-lines:]
		}
		fmt.Fprintf(&b, "--- %s\n%s\n", filepath.Base(file), strings.Join(all, "\n"))
	}
	return b.String()
}

// owner looks a user up in a root filesystem's own /etc/passwd.
func owner(root, user string) (uid, gid int, err error) {
	text, err := os.ReadFile(filepath.Join(root, "etc", "passwd"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, ":")
		if len(f) < 4 || f[0] != user {
			continue
		}
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 != nil || err2 != nil {
			break
		}
		return uid, gid, nil
	}
	return 0, 0, fmt.Errorf("%s/etc/passwd: no user %q", root, user)
}
