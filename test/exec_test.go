package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/herald-lb/herald/test/lab/wait"
)

// programs stand for Ginkgo's: each starts a process, as Ginkgo does, and writes the
// number of both to the file "pids". SIGQUIT does nothing to Ginkgo's.
var programs = map[string]string{
	"ends by itself":        `echo "ran $1"; echo FAILED D1 why >>"$HERALD_FAILURES"; exit 3`,
	"ends when interrupted": `trap '' QUIT; trap 'echo FAILED D1 interrupted >>"$HERALD_FAILURES"; exit 4' INT; sh -c 'trap "echo cleaned; exit" INT; echo $$ $PPID >pids; while :; do sleep 0.1; done'`,
	"never ends":            `trap '' INT QUIT; sh -c 'echo $$ $PPID >pids; while :; do sleep 0.1; done'`,
}

// script is test/exec.sh under way, with one of the programs for Ginkgo's.
type script struct {
	*exec.Cmd
	dir    string
	output strings.Builder
}

func start(t *testing.T, program, grace string) *script {
	t.Helper()
	path, err := filepath.Abs("exec.sh")
	must(t, err)
	s := &script{dir: t.TempDir()}
	for name, text := range map[string]string{"ginkgo": "#!/bin/sh\n" + programs[program] + "\n", "built/scenarios.test": ""} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(s.dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o755))
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait.BringUp)
	t.Cleanup(cancel)
	s.Cmd = exec.CommandContext(ctx, path, filepath.Join(s.dir, "built", "scenarios.test"))
	s.WaitDelay = wait.Process
	s.Dir, s.Stdout, s.Stderr = s.dir, &s.output, &s.output
	s.Env = append(os.Environ(), "HERALD_GINKGO="+filepath.Join(s.dir, "ginkgo"), "HERALD_GRACE="+grace)
	must(t, s.Start())
	return s
}

// pids are those of the program and its process, once they are ready for signals.
func (s *script) pids(t *testing.T) []int {
	t.Helper()
	var pids []int
	must(t, wait.Until(t.Context(), "the program's processes", wait.Process, func(context.Context) (bool, error) {
		text, err := os.ReadFile(filepath.Join(s.dir, "pids"))
		if err != nil || !strings.HasSuffix(string(text), "\n") {
			return false, err
		}
		for _, word := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(word)
			must(t, err)
			pids = append(pids, pid)
		}
		return true, nil
	}))
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return pids
}

func TestExecRunsGinkgoAndShowsWhatFailed(t *testing.T) {
	s := start(t, "ends by itself", "60")
	if code := exitCode(s.Wait()); code != 3 || s.output.String() != "ran scenarios.test\nFAILED D1 why\n" {
		t.Errorf("exit status %d, output %q", code, s.output.String())
	}
	if _, err := os.Lstat(filepath.Join(s.dir, "scenarios.test")); !os.IsNotExist(err) {
		t.Errorf("the link to the binary is left: %v", err)
	}
}

// Whatever ends the script, ^C, a CI's SIGTERM or go's SIGQUIT at a time-out: Ginkgo's
// program and its processes clean up, and their report comes.
func TestExecLetsAnInterruptedRunCleanUpAndReport(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			s := start(t, "ends when interrupted", "60")
			pids := s.pids(t)
			must(t, s.Process.Signal(signal))
			if code := exitCode(s.Wait()); code != 4 || s.output.String() != "cleaned\nFAILED D1 interrupted\n" {
				t.Errorf("exit status %d, output %q", code, s.output.String())
			}
			gone(t, pids)
		})
	}
}

// One that doesn't end is killed, and so is one whose script was.
func TestExecLeavesNoProcess(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"interrupted": syscall.SIGINT, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "never ends", "1")
			pids := s.pids(t)
			must(t, s.Process.Signal(signal))
			if code := exitCode(s.Wait()); code == 0 {
				t.Error("it passes")
			}
			gone(t, pids)
		})
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func gone(t *testing.T, pids []int) {
	t.Helper()
	err := wait.Until(t.Context(), "all processes are gone", wait.Process, func(context.Context) (bool, error) {
		for _, pid := range pids {
			// Empty for one that is dead and waits for its parent.
			if command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(command) > 0 {
				return false, fmt.Errorf("process %d is left: %q", pid, command)
			}
		}
		return true, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
