package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/vty"
)

// maxShown prefixes are verified one by one; for more it is cheaper to read the
// whole running configuration (10,000 prefixes: 7 ms).
const maxShown = 32

// maxDeltas in an error message.
const maxDeltas = 5

// verifyTouched looks at each prefix that was changed.
func (f *FRR) verifyTouched(touched []plan.Touched) error {
	for _, t := range touched {
		present, tag, err := f.Originates(t)
		switch {
		case err != nil:
			return err
		case present != t.Present:
			return fmt.Errorf("prefix %s: bgpd accepted the command, but originates it: %v", t.Prefix, present)
		case t.Present && t.Tag != "" && tag != t.Tag:
			return fmt.Errorf("prefix %s: bgpd accepted the command, but its tag is %q, want %s", t.Prefix, tag, t.Tag)
		}
	}
	return nil
}

// parseOriginated reads "show bgp … PREFIX json".
func parseOriginated(output string) (bool, string, error) {
	var shown struct {
		Paths []struct {
			Sourced bool `json:"sourced"`
			// Removed paths wait in bgpd's work queue, for up to 50 ms.
			Removed bool        `json:"removed"`
			Tag     json.Number `json:"tag"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(output), &shown); err != nil {
		return false, "", fmt.Errorf("bgpd: a prefix: %w", err)
	}
	for _, path := range shown.Paths {
		if path.Sourced && !path.Removed {
			return true, path.Tag.String(), nil
		}
	}
	return false, "", nil
}

// verifyState reads everything and fails where FRR runs anything else.
func (f *FRR) verifyState(ctx context.Context, want *plan.Config) (*plan.State, error) {
	state, err := f.ReadState(ctx)
	if err != nil {
		return nil, err
	}
	if deltas := plan.Deltas(want, state); len(deltas) > 0 {
		return state, fmt.Errorf("%w: %s", errDiffers, describe(deltas, maxDeltas))
	}
	return state, nil
}

// describe lists lines without passwords, and how many more there are.
func describe(deltas []plan.Delta, limit int) string {
	lines := deltaLines(deltas, limit)
	if more := len(deltas) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

func deltaLines(deltas []plan.Delta, limit int) []string {
	lines := make([]string, 0, min(len(deltas), limit))
	for _, d := range deltas[:min(len(deltas), limit)] {
		lines = append(lines, vty.Redact(d.String()))
	}
	return lines
}
