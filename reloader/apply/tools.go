package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/herald-lb/herald/reloader/vty"
)

// Deadlines of FRR's tools. Loading 10,000 lines takes seconds.
const (
	vtyshTimeout  = 60 * time.Second
	reloadTimeout = 5 * time.Minute
	// lockTimeout is how long a refused lock (mgmtd, FRR 10) is tried again.
	lockTimeout = 5 * time.Second
	lockPause   = 200 * time.Millisecond
)

// maxToolOutput bounds what is kept of a tool's words for the report.
const maxToolOutput = 2000

// RunFunc runs a program to its end and returns everything it printed.
type RunFunc func(ctx context.Context, name string, args ...string) (string, error)

// Tools are FRR's own programs for changing configuration.
type Tools struct {
	// Vtysh and FRRReload are the programs' paths.
	Vtysh, FRRReload string
	// RunDir is FRR's run directory with the vty sockets; ToolRunDir is the same
	// directory as the programs see it (RunDir where empty).
	RunDir, ToolRunDir string
	// Run is Command unless a test runs the programs elsewhere.
	Run RunFunc
}

// ToolError is a failed run of vtysh or frr-reload.py.
type ToolError struct {
	Tool string
	// Output is what FRR said, passwords redacted.
	Output string
	Err    error
}

func (e *ToolError) Error() string {
	if e.Output == "" {
		return fmt.Sprintf("%s: %v", e.Tool, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Tool, e.Output)
}

func (e *ToolError) Unwrap() error { return e.Err }

// Check looks whether vtysh knows every line, changing nothing.
func (t *Tools) Check(ctx context.Context, text string) error {
	return t.vtysh(ctx, text, "-C", "-f")
}

// Load gives lines to all daemons. A refused lock is tried again.
func (t *Tools) Load(ctx context.Context, text string) error {
	deadline := time.Now().Add(lockTimeout)
	for {
		err := t.vtysh(ctx, text, "-f")
		var failed *ToolError
		if err == nil || !errors.As(err, &failed) || !refusedLock(failed.Output) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lockPause):
		}
	}
}

// refusedLock: vtysh has no other way to say so than its text.
func refusedLock(output string) bool {
	lower := strings.ToLower(output)
	return strings.Contains(lower, "lock") && !strings.Contains(lower, "unknown command")
}

func (t *Tools) vtysh(ctx context.Context, text string, mode ...string) error {
	return t.withFile(text, func(dir, file string) error {
		ctx, cancel := context.WithTimeout(ctx, vtyshTimeout)
		defer cancel()
		args := append([]string{"--config_dir", dir, "--vty_socket", t.toolRunDir()}, mode...)
		output, err := t.run()(ctx, t.Vtysh, append(args, file)...)
		return toolError("vtysh", output, err)
	})
}

// Reload runs frr-reload.py with a private directory for its files, quietly:
// it would otherwise log passwords and overwrite /etc/frr/frr.conf.
func (t *Tools) Reload(ctx context.Context, text string) error {
	return t.withFile(text, func(dir, file string) error {
		ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
		defer cancel()
		output, err := t.run()(ctx, t.FRRReload, "--reload", "--stdout", "--log-level", "warning",
			"--bindir", filepath.Dir(t.Vtysh), "--confdir", dir, "--rundir", dir,
			"--vty_socket", t.toolRunDir(), file)
		return toolError("frr-reload.py", output, err)
	})
}

// withFile puts a text into a directory that only root can read.
func (t *Tools) withFile(text string, use func(dir, file string) error) (err error) {
	dir, err := os.MkdirTemp(t.RunDir, scratchPrefix)
	if err != nil {
		return fmt.Errorf("a file for FRR's tools: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for name, content := range map[string]string{"frr.conf": text, "vtysh.conf": "service integrated-vtysh-config\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("a file for FRR's tools: %w", err)
		}
	}
	seen := filepath.Join(t.toolRunDir(), filepath.Base(dir))
	return use(seen, filepath.Join(seen, "frr.conf"))
}

const scratchPrefix = ".herald-conf-"

// RemoveScratch removes what a killed reloader left in FRR's run directory.
func (t *Tools) RemoveScratch() {
	left, _ := filepath.Glob(filepath.Join(t.RunDir, scratchPrefix+"*"))
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
}

func (t *Tools) toolRunDir() string {
	if t.ToolRunDir != "" {
		return t.ToolRunDir
	}
	return t.RunDir
}

func (t *Tools) run() RunFunc {
	if t.Run != nil {
		return t.Run
	}
	return Command
}

// Command runs a program with its own process group, which is killed whole when
// the context ends: frr-reload.py starts vtysh.
func Command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root", "VTYSH_PAGER=cat"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("not done in time: %w", ctx.Err())
	}
	return string(output), err
}

func toolError(tool, output string, err error) error {
	if err == nil {
		return nil
	}
	return &ToolError{Tool: tool, Output: meaningful(output), Err: err}
}

// meaningful leaves out vtysh's progress, joins lines and bounds the text.
func meaningful(output string) string {
	var kept []string
	for line := range strings.Lines(vty.Redact(output)) {
		line = strings.TrimSpace(line)
		if line != "" && !isProgress(line) {
			kept = append(kept, line)
		}
	}
	text := strings.Join(kept, "; ")
	if len(text) > maxToolOutput {
		text = text[:maxToolOutput] + "…"
	}
	return text
}

func isProgress(line string) bool {
	return strings.HasSuffix(line, "] sending configuration") || strings.HasSuffix(line, "] done") ||
		strings.HasPrefix(line, "Waiting for children") || strings.HasPrefix(line, "MGMTD: No changes found") ||
		strings.HasPrefix(line, "The route-map '") || strings.Contains(line, "FRR_end_configuration")
}
