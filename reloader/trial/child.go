package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/snippet"
)

// Command is the first argument with which the reloader's program is a trial.
const Command = "trial"

// answer is what a trial tells the reloader.
type answer struct {
	Outcomes []Outcome
	// Error says why nothing could be tried.
	Error string
}

// nice leaves the processor to the node's own FRR.
const nice = 10

// Main is the program of a trial, in its own namespaces: a Job on standard input,
// an answer on standard output.
func Main() {
	runtime.LockOSThread() // the daemons die with the thread that started them
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice)
	signal.Ignore(syscall.SIGPIPE)
	var job Job
	var a answer
	err := json.NewDecoder(os.Stdin).Decode(&job)
	if err == nil {
		a.Outcomes, err = try(context.Background(), job)
	}
	if err != nil {
		a.Error = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// try tries the snippets in their order.
func try(ctx context.Context, job Job) ([]Outcome, error) {
	t := &attempt{job: job, base: plan.Parse(job.Base)}
	if err := t.restart(ctx); err != nil {
		return nil, err
	}
	defer func() { t.daemons.stop() }()
	outcomes := make([]Outcome, 0, len(job.Snippets))
	for _, s := range job.Snippets {
		outcome := Outcome{Name: s.Name, Hash: s.Hash()}
		additions, refused, err := t.one(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("snippet %q: %w", s.Name, err)
		}
		if outcome.Refused = refused; refused == nil {
			outcome.Additions = additions.Text(plan.Quirks{})
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, nil
}

// attempt is the state of a trial: daemons that run the base and the additions
// accepted so far.
type attempt struct {
	job     Job
	base    *plan.Config
	daemons *daemons
	// own is Herald's part as FRR prints it; accepted is what the daemons run.
	own, accepted *plan.Config
}

// restart brings the daemons back to what was accepted.
func (t *attempt) restart(ctx context.Context) error {
	if t.daemons != nil {
		t.daemons.stop()
	}
	config := t.base
	if t.accepted != nil {
		config = t.accepted
	}
	var err error
	if t.daemons, err = startDaemons(ctx, t.job, config.Text(plan.Quirks{})); err != nil {
		return err
	}
	if t.accepted, err = t.daemons.read(ctx); err != nil {
		return err
	}
	if t.own == nil {
		t.own = t.accepted
	}
	return nil
}

// one tries one snippet. The error is about the trial, not the snippet.
func (t *attempt) one(ctx context.Context, s snippet.Snippet) (*plan.Config, *snippet.Problem, error) {
	if output, err := t.daemons.check(ctx, s.Text()); err != nil || namesLine(output) {
		return nil, failed(output, err, s), nil
	}
	if output, err := t.daemons.load(ctx, s.Text()); err != nil || namesLine(output) {
		return nil, failed(output, err, s), t.restart(ctx)
	}
	after, err := t.daemons.read(ctx)
	if err != nil {
		// A daemon that a snippet kills must not come near the node.
		return nil, &snippet.Problem{Why: "a daemon of FRR does not answer after it: " + err.Error()}, t.restart(ctx)
	}
	additions, refused := Judge(t.own, t.accepted, after)
	if refused != nil {
		return nil, refused, t.restart(ctx)
	}
	t.accepted = after
	return additions, nil, nil
}

func failed(output string, err error, s snippet.Snippet) *snippet.Problem {
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		return &snippet.Problem{Why: fmt.Sprintf("FRR did not take it within %s: %s", loadTimeout, firstOf(strings.TrimSpace(output)))}
	}
	return refusal(output, s.Lines)
}
