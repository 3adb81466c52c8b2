package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// ScaleReport is the whole of a run of the benchmark of scale.
type ScaleReport struct {
	Time       time.Time `json:"time"`
	Took       string    `json:"took"`
	Processors int       `json:"processors"`
	Processor  string    `json:"processor"`
	Load       string    `json:"loadAverage"`
	Sizes      []Scale   `json:"sizes"`
}

// column of the table of sizes.
type column struct {
	name string
	text func(*Scale) string
}

var processes = []string{apiServer, manager, oneAgent}

// three figures, one for each process.
func three(values map[string]float64, format string) string {
	var all []string
	for _, name := range processes {
		all = append(all, fmt.Sprintf(format, values[name]))
	}
	return strings.Join(all, " / ")
}

// columns; what is extrapolated says so.
var columns = []column{
	{"nodes", func(s *Scale) string { return thousands(s.Nodes) }},
	{"Services", func(s *Scale) string { return thousands(s.Services) }},
	{"watches", func(s *Scale) string {
		if s.Missing != "" {
			return thousands(s.Watches) + " (no more could be opened)"
		}
		return thousands(s.Watches)
	}},
	{"resident MiB", func(s *Scale) string { return three(s.Memory, "%.0f") }},
	{"CPU at rest, %", func(s *Scale) string { return three(s.Idle, "%.1f") }},
	{"CPU per changed Service, ms", func(s *Scale) string { return three(s.Change, "%.1f") }},
	{"write → last watch, ms", func(s *Scale) string { return fmt.Sprintf("%.0f", s.FanOut) }},
	{"rolling restart of FRR: nodes, writes, seconds, writes/s", func(s *Scale) string {
		return fmt.Sprintf("%d, %.0f, %.0f, %.0f", s.Restarted, sum(s.Writes), s.Took, sum(s.Writes)/max(s.Took, 1))
	}},
	{"CPU of one agent's start, ms", func(s *Scale) string { return three(s.Start, "%.0f") }},
	{"extrapolated: API server's CPU if all agents start, s", func(s *Scale) string {
		return fmt.Sprintf("%.0f", s.Start[apiServer]*float64(s.Nodes)/1000)
	}},
}

func (r *ScaleReport) print() {
	fmt.Printf("\n%d processors, load average before the run %s; of three figures: %s\n\n", r.Processors, r.Load, strings.Join(processes, " / "))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range columns {
		fmt.Fprint(w, strings.ToUpper(c.name), "\t")
	}
	fmt.Fprintln(w)
	for i := range r.Sizes {
		for _, c := range columns {
			fmt.Fprint(w, c.text(&r.Sizes[i]), "\t")
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

func (r *ScaleReport) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// document writes table and plot into the documentation.
func (r *ScaleReport) document(dir string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d processors (%s), load average before the run %s; the run took %s.\n",
		r.Time.Format("2006-01-02 15:04 MST"), r.Processors, r.Processor, r.Load, r.Took)
	fmt.Fprintf(&b, "Of three figures: %s.\n\n![Processor time of one changed Service](%s/bench-scale.svg)\n\n|", strings.Join(processes, " / "), imagesDir)
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(columns)) + "\n")
	sizes := slices.SortedFunc(slices.Values(r.Sizes), func(a, b Scale) int {
		if a.Services != b.Services {
			return a.Services - b.Services
		}
		return a.Nodes - b.Nodes
	})
	for i := range sizes {
		b.WriteString("|")
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.text(&sizes[i]))
		}
		b.WriteString("\n")
	}
	if err := replaceBetween(filepath.Join(dir, pageName), "bench-scale", b.String()); err != nil {
		return err
	}
	return writePlots(dir, map[string]string{"bench-scale.svg": plotScale(sizes)})
}

// plotScale shows what one changed Service costs each process.
func plotScale(sizes []Scale) string {
	groupHeight := barHeight*float64(len(processes)) + 12
	bottom := plotTop + 20 + groupHeight*float64(len(sizes))
	d := newDrawing(plotWidth, bottom+plotBottom, "Processor time of one changed Service's endpoints")
	most := 10.0
	for i := range sizes {
		for _, ms := range sizes[i].Change {
			most = max(most, ms)
		}
	}
	a := axis{left: plotLeft, right: plotRight - 60, from: 0, to: most, by: func(v float64) float64 { return v }}
	d.ticks(a, plotTop+20, bottom, []float64{0, most / 2, most}, duration)
	for i, name := range processes {
		x := plotLeft + 165*float64(i)
		d.bar(x, plotTop+2, 10, 10, colours[i])
		d.text(x+15, plotTop+11, "start", "", name)
	}
	for i := range sizes {
		y := plotTop + 26 + groupHeight*float64(i)
		d.text(plotLeft-10, y+groupHeight/2-2, "end", "", fmt.Sprintf("%s nodes, %s Services", thousands(sizes[i].Nodes), thousands(sizes[i].Services)))
		for j, name := range processes {
			ms := sizes[i].Change[name]
			d.bar(a.left, y+barHeight*float64(j), a.at(ms)-a.left, barHeight-2, colours[j])
			d.text(a.at(ms)+5, y+barHeight*float64(j)+10, "start", `font-size="11"`, fmt.Sprintf("%.1f ms", ms))
		}
	}
	return d.end()
}
