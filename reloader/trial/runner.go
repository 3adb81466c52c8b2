package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// remedy for what FRR's daemons say least clearly.
const remedy = "the reloader's container needs the capabilities of FRR's: SYS_ADMIN, NET_ADMIN, NET_RAW, NET_BIND_SERVICE"

// Deadline of a whole trial: each snippet may need the daemons started anew.
const (
	timeout        = 60 * time.Second
	snippetTimeout = 20 * time.Second
)

// program is this one, again.
const program = "/proc/self/exe"

// Run tries a Job. The error says why nothing could be tried, with the remedy. It
// returns when nothing is left of the trial.
func Run(ctx context.Context, job Job) ([]Outcome, error) {
	limit := timeout + time.Duration(len(job.Snippets))*snippetTimeout
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer func() { _ = os.RemoveAll(filepath.Join(job.RunDir, space)) }()
	input, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	output, err := inNamespaces(ctx, input)
	switch {
	case errors.Is(err, syscall.EPERM):
		return nil, fmt.Errorf("no scratch daemons: %w; %s", err, remedy)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the trial was not done within %s", limit)
	case err != nil:
		return nil, fmt.Errorf("the trial failed: %w", err)
	}
	var a answer
	if err := json.Unmarshal(output, &a); err != nil {
		return nil, fmt.Errorf("the trial's answer: %w", err)
	}
	if a.Error != "" {
		return nil, errors.New("scratch daemons: " + a.Error)
	}
	return a.Outcomes, nil
}

// inNamespaces runs Main as the first process of new process and network
// namespaces.
func inNamespaces(ctx context.Context, input []byte) ([]byte, error) {
	// The death signal comes when the thread ends that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, program, Command)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID, Setpgid: true, Pdeathsig: syscall.SIGKILL,
	}
	cmd.WaitDelay = time.Second
	cmd.Stdin = bytes.NewReader(input)
	var said bytes.Buffer
	cmd.Stderr = &said
	output, err := cmd.Output()
	if text := strings.TrimSpace(said.String()); err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, firstOf(text))
	}
	return output, err
}
