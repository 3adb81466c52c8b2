package trial

import (
	"fmt"
	"strings"

	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/snippet"
)

// Judge looks at what FRR printed before and after a snippet. base is Herald's
// own part of it.
func Judge(base, before, after *plan.Config) (additions *plan.Config, refused *snippet.Problem) {
	if lost := before.Minus(after); !lost.Empty() {
		return nil, &snippet.Problem{Why: fmt.Sprintf(
			"it would change or remove what is there without it: %s; a snippet only adds", firstLine(lost))}
	}
	additions = after.Minus(before)
	return additions, Conflict(base, additions)
}

// Conflict says why additions can't stand beside a base, as FRR prints both; nil:
// they can. What was abbreviated in a snippet is no more.
func Conflict(base, additions *plan.Config) *snippet.Problem {
	if additions.Empty() {
		return nil
	}
	if inside := base.Defines(additions); len(inside) > 0 {
		return &snippet.Problem{Why: fmt.Sprintf("it would change Herald's own %q: choose another name", inside[0])}
	}
	owned := snippet.Owned{Neighbors: map[snippet.Neighbor]bool{}}
	for neighbor := range base.Neighbors() {
		owned.Neighbors[snippet.Neighbor(neighbor)] = true
	}
	_, problem := snippet.Check(additions.Text(plan.Quirks{}), owned)
	if problem != nil {
		return &snippet.Problem{Why: fmt.Sprintf("FRR reads it as %q: %s", problem.Text, problem.Why)}
	}
	return nil
}

// firstLine of a configuration, with the block that it is in.
func firstLine(c *plan.Config) string {
	lines := strings.Split(strings.TrimSpace(c.Text(plan.Quirks{})), "\n")
	for i, line := range lines {
		if i > 0 && !strings.HasPrefix(strings.TrimSpace(line), "address-family") {
			return fmt.Sprintf("%q in %q", strings.TrimSpace(line), lines[0])
		}
		if i == 0 && (len(lines) == 1 || !strings.HasPrefix(lines[1], " ")) {
			break
		}
	}
	return fmt.Sprintf("%q", lines[0])
}
