package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// pageName is the page with the tables, in the directory of the documentation; the
// plots are in its images.
const (
	pageName  = "performance.md"
	imagesDir = "images"
)

// What stands in the page around what a run writes there.
func beginMark(name string) string { return "<!-- " + name + ": written by make " + name + " -->" }
func endMark(name string) string   { return "<!-- " + name + ": end -->" }

// document writes tables and plots into the documentation.
func (r *Report) document(dir string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d processors (%s), load average before the run %s; the run took %s.\n",
		r.Time.Format("2006-01-02 15:04 MST"), r.Processors, r.Processor, r.Load, r.Took)
	fmt.Fprintf(&b, "Figures are median / 99th percentile (of fewer than 100 runs: the largest).\n")
	fmt.Fprintf(&b, "\n![Each run of one Service's endpoints becoming ready](%s/bench-single.svg)\n", imagesDir)
	for _, version := range r.versions() {
		fmt.Fprintf(&b, "\n#### FRR %s\n\n", version)
		r.table(&b, func(result *Result) bool { return result.FRR == version && result.Way == "" && result.Target != "" })
	}
	fmt.Fprintf(&b, "\n### Ratios to other ways\n\n![The ways of bringing FRR to the same intent](%s/bench-ways.svg)\n\n", imagesDir)
	r.tableOfWays(&b)
	fmt.Fprintf(&b, "\n### What explains these figures\n")
	for _, version := range r.versions() {
		fmt.Fprintf(&b, "\n#### Parts, FRR %s\n\n", version)
		r.table(&b, func(result *Result) bool { return result.FRR == version && result.Way == "" && result.Target == "" })
	}
	if err := replaceBetween(filepath.Join(dir, pageName), "bench", b.String()); err != nil {
		return err
	}
	return writePlots(dir, r.plots())
}

func writePlots(dir string, plots map[string]string) error {
	if err := os.MkdirAll(filepath.Join(dir, imagesDir), 0o755); err != nil {
		return err
	}
	for name, svg := range plots {
		if err := os.WriteFile(filepath.Join(dir, imagesDir, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// table of some results: a line for each thing, a column for each number of Services.
func (r *Report) table(b *strings.Builder, belongs func(*Result) bool) {
	var whats []string
	var numbers []int
	cells := map[string]map[int]*Result{}
	for i := range r.Results {
		result := &r.Results[i]
		if !belongs(result) {
			continue
		}
		if cells[result.What] == nil {
			whats, cells[result.What] = append(whats, result.What), map[int]*Result{}
		}
		if !slices.Contains(numbers, result.Present) {
			numbers = append(numbers, result.Present)
		}
		cells[result.What][result.Present] = result
	}
	slices.Sort(numbers)
	b.WriteString("| from → to | runs | target |")
	for _, n := range numbers {
		fmt.Fprintf(b, " %s Services |", thousands(n))
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(numbers)) + "\n")
	for _, what := range whats {
		first := true
		for _, n := range numbers {
			result := cells[what][n]
			if result != nil && first {
				first = false
				fmt.Fprintf(b, "| %s | %d | %s |", what, result.Runs, result.Target)
				b.WriteString(strings.Repeat(" |", slices.Index(numbers, n)))
			}
			if !first {
				fmt.Fprintf(b, " %s |", result.cell())
			}
		}
		b.WriteString("\n")
	}
}

// cell of a table.
func (r *Result) cell() string {
	if r == nil {
		return ""
	}
	text := r.value(r.Median) + " " + r.Unit
	if r.Runs > 1 {
		text = fmt.Sprintf("%s / %s %s", r.value(r.Median), r.value(r.P99), r.Unit)
	}
	if verdict := r.verdict(); verdict == "not met" {
		text = strings.TrimSpace(text) + ", **not met**"
	}
	return strings.TrimSpace(text)
}

func (r *Result) value(v float64) string {
	switch {
	case r.Unit == "", r.Unit == "ms", v >= 10:
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func (r *Report) tableOfWays(b *strings.Builder) {
	b.WriteString("| FRR | Services | from → to | runs | way | median / 99th percentile | times Herald's median |\n|---|---|---|---|---|---|---|\n")
	for i := range r.Results {
		if result := &r.Results[i]; result.Way != "" {
			fmt.Fprintf(b, "| %s | %s | %s | %d | %s | %s | ×%.1f |\n",
				result.FRR, thousands(result.Present), result.What, result.Runs, result.Way, result.cell(), result.Ratio)
		}
	}
}

// replaceBetween the marks of a name in a file.
func replaceBetween(path, name, text string) error {
	page, err := readAll(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(page, beginMark(name))
	_, after, ends := strings.Cut(rest, endMark(name))
	if !begins || !ends {
		return fmt.Errorf("%s has no %q and %q", path, beginMark(name), endMark(name))
	}
	page = before + beginMark(name) + "\n" + strings.TrimRight(text, "\n") + "\n" + endMark(name) + after
	return os.WriteFile(path, []byte(page), 0o644)
}
