package apply

import (
	"context"
	"fmt"

	"github.com/herald-lb/herald/reloader/plan"
)

// Way is how FRR is brought to a configuration.
type Way string

// The ways.
const (
	// BySteps: prefixes over bgpd's vty socket, what only adds structure by vtysh, the
	// rest by frr-reload.py.
	BySteps Way = "steps"
	// ByFRRReload gives the whole file to frr-reload.py, which deletes before it adds,
	// line by line: prefixes that change are withdrawn meanwhile, and edited policy
	// takes effect when FRR's delay timer ends. It is there to compare with.
	ByFRRReload Way = "frr-reload"
)

// Set implements flag.Value.
func (w *Way) Set(text string) error {
	switch Way(text) {
	case BySteps, ByFRRReload:
		*w = Way(text)
		return nil
	}
	return fmt.Errorf("want %s or %s", BySteps, ByFRRReload)
}

// String implements flag.Value.
func (w *Way) String() string { return string(*w) }

// reloadAll leaves everything to frr-reload.py.
func (a *Applier) reloadAll(ctx context.Context, want *plan.Config, p *plan.Plan, r *Result) error {
	if p.Empty() {
		return a.verifyAll(ctx, want)
	}
	a.FRR.AwaitScripts(ctx)
	r.Steps = append(r.Steps, StepFRRReload)
	if err := a.FRR.Tools.Reload(ctx, want.Text(a.FRR.version.quirks())); err != nil {
		return err
	}
	if err := a.FRR.TakeModes(p.Modes); err != nil {
		return err
	}
	return a.verifyAll(ctx, want)
}

// verifyAll reads everything that FRR runs, and fails if it is something else.
func (a *Applier) verifyAll(ctx context.Context, want *plan.Config) error {
	var err error
	a.state, err = a.FRR.verifyState(ctx, want)
	return err
}
