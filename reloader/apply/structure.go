package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/herald-lb/herald/reloader/plan"
)

// maxRounds of structure: edit, reload for the rest, and the edits that only
// that made possible.
const maxRounds = 3

// structure edits and reloads until no line of structure differs; it returns
// the plan for the rest.
func (a *Applier) structure(ctx context.Context, want *plan.Config, p *plan.Plan, steps *[]string) (*plan.Plan, error) {
	a.FRR.AwaitScripts(ctx)
	for range maxRounds {
		refused := a.structureRound(ctx, p, steps)
		if err := a.FRR.TakeModes(p.Modes); err != nil {
			return nil, errors.Join(refused, err)
		}
		state, err := a.FRR.ReadState(ctx)
		if err != nil {
			return nil, errors.Join(refused, err)
		}
		edit := p.Edit
		if p = plan.Make(want, state); p.Structure() {
			return p, nil
		}
		if refused != nil {
			return nil, refused
		}
		if p.Edit != "" && p.Edit == edit {
			return nil, fmt.Errorf("%w: %s", errDiffers, describe(plan.Deltas(want, state), maxDeltas))
		}
	}
	return nil, errDiffers
}

// structureRound edits; what only frr-reload.py can remove is left for the next
// round, unless FRR refuses the edit because of it.
func (a *Applier) structureRound(ctx context.Context, p *plan.Plan, steps *[]string) error {
	if p.Edit == "" {
		return a.reload(ctx, p, steps)
	}
	*steps = append(*steps, StepVtyshAdd)
	err := a.FRR.Tools.Load(ctx, p.Edit)
	if err != nil && p.Reload {
		return a.reload(ctx, p, steps)
	}
	return err
}

func (a *Applier) reload(ctx context.Context, p *plan.Plan, steps *[]string) error {
	*steps = append(*steps, StepFRRReload)
	return a.FRR.Tools.Reload(ctx, p.Target)
}
