package plan

import (
	"slices"
	"strings"
)

// FRR 10 keeps a neighbor Idle while its BFD session is down. Over several hops
// that session has to know its source, which FRR learns from the connection: one
// that was made for a single hop, before "ebgp-multihop" or "update-source" came or
// went, is down for good, and so is the neighbor. So BFD is what a neighbor gets
// last, and gets anew when such a line changes, which resets the session anyway.

// pathKinds are the commands that decide between which addresses, and over how
// many hops, BFD watches a neighbor's path.
var pathKinds = []string{"ebgp-multihop", "update-source"}

// watches says whether a line is of a neighbor's BFD.
func watches(line string) bool { return commandOf(line) == "bfd" }

// order puts the neighbors' BFD behind all other lines where that matters.
func (q Quirks) order(r *Router) *Router {
	if !q.HoldsForBFD || !slices.ContainsFunc(r.Lines, watches) {
		return r
	}
	ordered := *r
	ordered.Lines = slices.Concat(
		slices.DeleteFunc(slices.Clone(r.Lines), watches),
		slices.DeleteFunc(slices.Clone(r.Lines), func(line string) bool { return !watches(line) }))
	return &ordered
}

// commandOf is the word after a neighbor's name, "" in other lines.
func commandOf(line string) string {
	if f := strings.Fields(line); len(f) > 2 && f[0] == "neighbor" {
		return f[2]
	}
	return ""
}

// rewatched are the neighbors whose BFD runs, is wanted, and has to be made anew.
func (d *difference) rewatched(r routerDiff) []string {
	if r.want == nil || r.have == nil || !d.state.Quirks.HoldsForBFD {
		return nil
	}
	var names []string
	for _, line := range r.have.Lines {
		name := neighborOf(line)
		if watches(line) && !slices.Contains(names, name) && watched(r.want, name) && pathChanges(r.lines, name) {
			names = append(names, name)
		}
	}
	return names
}

func watched(r *Router, name string) bool {
	return slices.ContainsFunc(r.Lines, func(line string) bool { return neighborOf(line) == name && watches(line) })
}

func pathChanges(d lineDiff, name string) bool {
	return slices.ContainsFunc(pathKinds, func(kind string) bool {
		return has(d.missing, name, kind) || has(d.unexpected, name, kind)
	})
}

// pathRemoved: a line goes that only frr-reload.py can remove. It adds the
// neighbor's BFD after that.
func pathRemoved(d lineDiff, name string) bool {
	return slices.ContainsFunc(pathKinds, func(kind string) bool {
		return has(d.unexpected, name, kind) && !has(d.missing, name, kind)
	})
}

func has(lines []string, name, kind string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return neighborOf(line) == name && commandOf(line) == kind })
}

// missingLines are those of a router that can be added now.
func (d *difference) missingLines(r routerDiff) []string {
	if !d.state.Quirks.HoldsForBFD {
		return r.lines.missing
	}
	again := d.rewatched(r)
	var lines []string
	for _, line := range d.state.Quirks.order(r.want).Lines {
		name := neighborOf(line)
		missing := slices.Contains(r.lines.missing, line)
		if watches(line) && (missing || slices.Contains(again, name)) {
			missing = !pathRemoved(r.lines, name)
		}
		if missing {
			lines = append(lines, line)
		}
	}
	return lines
}
