package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/vty"
)

// Names of the steps in the report.
const (
	StepVtyRemove = "vty-remove"
	StepVtyshAdd  = "vtysh-add"
	StepFRRReload = "frr-reload"
	StepVtyAdd    = "vty-add"
	StepClearSoft = "clear-soft"
	StepCleanup   = "vtysh-cleanup"
	StepPutBack   = "put-back"
)

// startDeadline is how long FRR may take to load what it starts with.
const (
	startDeadline = 15 * time.Second
	startPoll     = 50 * time.Millisecond
)

// Applier brings FRR to configurations. It is used by one goroutine.
type Applier struct {
	FRR     *FRR
	Startup *Startup
	Log     *slog.Logger
	// Way is how, empty: BySteps.
	Way Way
	// Now is the clock of reports.
	Now func() time.Time

	// state is what FRR runs as far as it was read or made, nil where that isn't known.
	state *plan.State
	good  *Good
	// startupErr is about the last try to write the startup file.
	startupErr error
}

// Result of bringing FRR to a file.
type Result struct {
	Steps []string
	// Prefixes is how many "network" lines differed from what ran.
	Prefixes int
	Duration time.Duration
	// Err in FRR's words; nil: FRR runs the file.
	Err error
	// Drift lists what was wrong, where the applied file was to be restored.
	Drift []string
}

// Connect starts an epoch: it waits until FRR has loaded what it starts with.
func (a *Applier) Connect(ctx context.Context) error {
	a.state = nil
	if err := a.FRR.Connect(ctx); err != nil {
		return err
	}
	a.FRR.AwaitScripts(ctx)
	startup := a.Startup.Read()
	if a.good == nil {
		a.good = startup
	}
	if err := a.awaitStart(ctx, startup); err != nil {
		return err
	}
	return a.FRR.TakeModes(a.state.VRFs())
}

// awaitStart returns when bgpd shows all that it starts with, or when it is
// older than the deadline: then something else runs, which the comparison will
// find.
func (a *Applier) awaitStart(ctx context.Context, startup *Good) error {
	deadline := time.NewTimer(startDeadline - a.FRR.age())
	defer deadline.Stop()
	for {
		state, err := a.FRR.ReadState(ctx)
		if err == nil {
			a.state = state
			if startup == nil || !lacks(startup.Config, state) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			if err == nil {
				a.Log.Warn("FRR lacks something of its startup file")
			}
			return err
		case <-time.After(startPoll):
		}
		if !a.FRR.Connected() {
			return err
		}
	}
}

func lacks(want *plan.Config, state *plan.State) bool {
	for _, d := range plan.Deltas(want, state) {
		if d.Missing {
			return true
		}
	}
	return false
}

// AppliedHash is the hash of the file that FRR runs, "" where that isn't known.
func (a *Applier) AppliedHash() string {
	if a.good == nil || a.state == nil || !a.FRR.Connected() {
		return ""
	}
	return a.good.Hash
}

// Applied says whether a configuration is the one that FRR is known to run.
func (a *Applier) Applied(want *Good) bool {
	return a.AppliedHash() != "" && a.good.Same(want)
}

// Apply brings FRR to a configuration. If FRR refuses, the last good one is put
// back. It never stops in the middle: end it by its tools' deadlines.
func (a *Applier) Apply(ctx context.Context, want *Good) Result {
	began := a.Now()
	var r Result
	if r.Err = a.bring(ctx, want.Config, &r); r.Err == nil {
		a.good = want
		a.saveStartup()
	} else if a.FRR.Connected() {
		a.putBack(ctx, &r)
	}
	r.Duration = a.Now().Sub(began)
	return r
}

// putBack restores what ran before. The error stays that of the new file.
func (a *Applier) putBack(ctx context.Context, r *Result) {
	if a.good == nil {
		return
	}
	a.state = nil
	var back Result
	if err := a.bring(ctx, a.good.Config, &back); err != nil {
		r.Err = errors.Join(r.Err, fmt.Errorf("putting the last good configuration back: %w", err))
	}
	if len(back.Steps) > 0 {
		r.Steps = append(append(r.Steps, StepPutBack), back.Steps...)
	}
}

// Check compares everything that FRR runs with the applied file and repairs
// what differs.
func (a *Applier) Check(ctx context.Context) Result {
	began := a.Now()
	var r Result
	if a.good == nil {
		return r
	}
	if a.startupErr != nil {
		a.saveStartup()
	}
	var state *plan.State
	if state, r.Err = a.FRR.ReadState(ctx); r.Err != nil {
		return r
	}
	a.state = state
	deltas := plan.Deltas(a.good.Config, state)
	if len(deltas) == 0 {
		return r
	}
	r.Drift = deltaLines(deltas, 20)
	r.Err = a.bring(ctx, a.good.Config, &r)
	r.Duration = a.Now().Sub(began)
	return r
}

// Runs says whether FRR, as last read, runs a configuration already; it then
// counts as applied.
func (a *Applier) Runs(want *Good) bool {
	if a.state == nil {
		return false
	}
	if len(plan.Deltas(want.Config, a.state)) > 0 {
		return false
	}
	a.good = want
	a.saveStartup()
	return true
}

// Good is the last configuration that FRR accepted, nil before the first.
func (a *Applier) Good() *Good { return a.good }

// StartupError is why FRR would come back with an older configuration.
func (a *Applier) StartupError() error { return a.startupErr }

func (a *Applier) saveStartup() {
	err := a.Startup.Write(a.good, a.FRR.version.quirks())
	if err != nil && a.startupErr == nil {
		a.Log.Error("the startup file could not be written", "error", err)
	}
	a.startupErr = err
}

// bring takes the steps of a plan. Afterwards state is what FRR runs, or nil.
func (a *Applier) bring(ctx context.Context, want *plan.Config, r *Result) error {
	state := a.state
	a.state = nil
	if state == nil {
		var err error
		if state, err = a.FRR.ReadState(ctx); err != nil {
			return err
		}
	}
	p := plan.Make(want, state)
	r.Prefixes = len(p.Touched)
	if a.Way == ByFRRReload {
		return a.reloadAll(ctx, want, p, r)
	}
	structured := !p.Structure()
	if err := a.precheck(ctx, p); err != nil {
		a.state = state
		return err
	}
	if err := a.networks(ctx, StepVtyRemove, p.Remove, &r.Steps); err != nil {
		return err
	}
	refresh := p.Refresh
	if structured {
		var err error
		if p, err = a.structure(ctx, want, p, &r.Steps); err != nil {
			return err
		}
	}
	return a.finish(ctx, want, state, p, finish{structured: structured, refresh: refresh}, &r.Steps)
}

// precheck lets vtysh look at the lines before any route is touched: a line
// that FRR doesn't know then costs nothing.
func (a *Applier) precheck(ctx context.Context, p *plan.Plan) error {
	if p.Edit == "" {
		return nil
	}
	return a.FRR.Tools.Check(ctx, p.Edit)
}

type finish struct {
	structured bool
	refresh    []plan.Neighbor
}

// finish adds prefixes, cleans up, refreshes and verifies.
func (a *Applier) finish(ctx context.Context, want *plan.Config, state *plan.State, p *plan.Plan, f finish, steps *[]string) error {
	if err := a.networks(ctx, StepVtyAdd, p.Add, steps); err != nil {
		return err
	}
	for _, neighbor := range f.refresh {
		if err := a.FRR.Refresh(neighbor); err != nil {
			return err
		}
	}
	if len(f.refresh) > 0 {
		*steps = append(*steps, StepClearSoft)
	}
	if p.Drop != "" {
		*steps = append(*steps, StepFRRReload)
		if err := a.FRR.Tools.Reload(ctx, p.Drop); err != nil {
			return err
		}
	}
	if p.Cleanup != "" {
		*steps = append(*steps, StepCleanup)
		if err := a.FRR.Tools.Load(ctx, p.Cleanup); err != nil {
			return err
		}
	}
	if f.structured || p.Tidies() || len(p.Touched) > maxShown {
		return a.verifyAll(ctx, want)
	}
	if err := a.FRR.verifyTouched(p.Touched); err != nil {
		return err
	}
	a.state = state.With(want)
	return nil
}

func (a *Applier) networks(ctx context.Context, step string, batches []plan.Batch, steps *[]string) error {
	if len(batches) == 0 {
		return nil
	}
	*steps = append(*steps, step)
	return a.FRR.WriteNetworks(ctx, batches)
}

var errDiffers = errors.New("FRR accepted every line, but runs something else")

// Lost says whether an error ended the epoch: FRR went away, it didn't refuse.
func Lost(err error) bool { return errors.Is(err, vty.ErrBroken) }
