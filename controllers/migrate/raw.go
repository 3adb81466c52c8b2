package migrate

import (
	"fmt"
	"strings"

	"github.com/herald-lb/herald/reloader/snippet"
)

// maxPriority of an FRRSnippet.
const maxPriority = 65535

// raw makes a FRRSnippet of a FRRConfiguration's raw text: of those of its lines that a
// snippet may hold on any node.
func (p *planner) raw(object map[string]any, raw *fields, neighbors map[snippet.Neighbor]bool, selectors []any) {
	priority, text := raw.number("priority"), raw.text("rawConfig")
	if text == "" {
		return
	}
	lines, taken := p.snippetLines(text, neighbors)
	if !taken {
		p.remark("spec.raw.rawConfig is left out: no line of it can be in an FRRSnippet")
		return
	}
	if priority > maxPriority || priority < 0 {
		p.remark("spec.raw.priority %d is out of an FRRSnippet's range: it is left out, and 100 holds", priority)
		priority = 0
	}
	spec := map[string]any{"config": strings.Join(lines, "\n") + "\n"}
	if priority != 0 {
		spec["priority"] = priority
	}
	if !p.options.AtOnce {
		selectors = cutOver(selectors, map[string]any{"key": CutOverLabel, "operator": "Exists"})
	}
	if len(selectors) > 0 {
		spec["nodeSelectors"] = selectors
	}
	name := p.add("FRRSnippet", p.ref.Name, object, spec)
	p.remark("spec.raw.rawConfig becomes FRRSnippet %s: look for fields of Herald that say the same, they are safer. What an FRRSnippet may not change, such as policy of Herald's own neighbors, each node refuses", name)
}

// snippetLines are the lines without those that an FRRSnippet may not hold; with a
// line go those of its block. No such line is quoted: it may hold a password.
func (p *planner) snippetLines(text string, neighbors map[snippet.Neighbor]bool) (lines []string, taken bool) {
	lines = strings.Split(strings.TrimRight(text, "\n"), "\n")
	for {
		_, problem := snippet.Check(strings.Join(lines, "\n"), snippet.Owned{Neighbors: neighbors})
		if problem == nil {
			return lines, true
		}
		if problem.Line == 0 {
			return nil, false
		}
		at := problem.Line - 1
		word, _, _ := strings.Cut(strings.TrimSpace(lines[at]), " ")
		end := blockEnd(lines, at)
		with := ""
		if end > at+1 {
			with = fmt.Sprintf(", with the %d lines of its block", end-at-1)
		}
		p.remark("spec.raw.rawConfig: line %d (%q …)%s is left out: an FRRSnippet can't hold it; see docs/kinds/frrsnippet.md", problem.Line, word, with)
		for i := at; i < end; i++ {
			lines[i] = "!" // lines keep their numbers
		}
	}
}

// blockEnd is behind the lines that are indented more than one, and the "exit" that
// ends them.
func blockEnd(lines []string, at int) int {
	end := at + 1
	for end < len(lines) && depth(lines[end]) > depth(lines[at]) {
		end++
	}
	if end > at+1 && end < len(lines) && strings.TrimSpace(lines[end]) == "exit" {
		end++
	}
	return end
}

func depth(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }
