package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/herald-lb/herald/test/survival/flow"
)

// Report is the whole of a run.
type Report struct {
	Time    time.Time `json:"time"`
	Nodes   int       `json:"nodes"`
	Results []Result  `json:"results"`
}

// load takes the results of an earlier run, of events that there still are.
func (r *Report) load(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var earlier Report
	if err := json.Unmarshal(text, &earlier); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for i := range earlier.Results {
		if slices.ContainsFunc(events, func(e event) bool { return e.name == earlier.Results[i].Event }) {
			r.Results = append(r.Results, earlier.Results[i])
		}
	}
	return nil
}

// add takes a result in place of an earlier one of the same.
func (r *Report) add(result Result) {
	i := slices.IndexFunc(r.Results, func(old Result) bool {
		return old.Event == result.Event && old.Proxy == result.Proxy && old.Preserved == result.Preserved
	})
	if i < 0 {
		r.Results = append(r.Results, result)
		return
	}
	r.Results[i] = result
}

// columns of the table: kube-proxy's mode, without and with preservation.
type column struct {
	proxy     string
	preserved bool
}

func (r *Report) columns() []column {
	var all []column
	seen := map[column]bool{}
	for i := range r.Results {
		c := column{r.Results[i].Proxy, r.Results[i].Preserved}
		if !seen[c] {
			seen[c], all = true, append(all, c)
		}
	}
	return all
}

func (c column) String() string {
	return fmt.Sprintf("%s, %s", c.proxy, map[bool]string{true: "with", false: "without"}[c.preserved])
}

// cell is what a table says of an event in a column, for a protocol.
func (r *Report) cell(event string, c column, protocol string) string {
	for i := range r.Results {
		result := &r.Results[i]
		if result.Event != event || result.Proxy != c.proxy || result.Preserved != c.preserved {
			continue
		}
		open, reset, silent := result.of(protocol)
		text := fmt.Sprintf("%d of %d", reset+silent, open)
		if silent > 0 && reset+silent > 0 {
			text += fmt.Sprintf(" (%d silent)", silent)
		}
		return text
	}
	return "–"
}

// events that were measured, in the order in which they are.
func (r *Report) events() []string {
	var all []string
	for _, e := range events {
		if slices.ContainsFunc(r.Results, func(result Result) bool { return result.Event == e.name }) {
			all = append(all, e.name)
		}
	}
	return all
}

func (r *Report) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, protocol := range []string{flow.TCP, flow.QUIC} {
		fmt.Fprintf(w, "\nbroken %s connections", protocol)
		for _, c := range r.columns() {
			fmt.Fprintf(w, "\t%s", c)
		}
		fmt.Fprintln(w)
		for _, e := range r.events() {
			fmt.Fprint(w, e)
			for _, c := range r.columns() {
				fmt.Fprintf(w, "\t%s", r.cell(e, c, protocol))
			}
			fmt.Fprintln(w)
		}
	}
	_ = w.Flush() // a terminal that is gone
}

// markdown is the same for the documentation.
func (r *Report) markdown() string {
	var b strings.Builder
	for _, protocol := range []string{flow.TCP, flow.QUIC} {
		fmt.Fprintf(&b, "\nBroken %s connections, %d nodes, %s:\n\n| event |", map[string]string{flow.TCP: "TCP", flow.QUIC: "QUIC-like"}[protocol], r.Nodes, r.Time.Format(time.DateOnly))
		for _, c := range r.columns() {
			fmt.Fprintf(&b, " %s |", c)
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(r.columns())) + "\n")
		for _, e := range r.events() {
			fmt.Fprintf(&b, "| %s |", e)
			for _, c := range r.columns() {
				fmt.Fprintf(&b, " %s |", r.cell(e, c, protocol))
			}
			b.WriteByte('\n')
		}
	}
	b.WriteString(r.notes())
	return b.String()
}

// notes are what doesn't fit into a table.
func (r *Report) notes() string {
	var b strings.Builder
	for i := range r.Results {
		result := &r.Results[i]
		c := column{result.Proxy, result.Preserved}
		if result.Late > 0 {
			fmt.Fprintf(&b, "- %s (%s): %d more connections were silent for longer than %s, and went on.\n", result.Event, c, result.Late, patience)
		}
		if result.Told != nil {
			fmt.Fprintf(&b, "- %s (%s): %s. Broken that had nothing to do with it: %d.\n", result.Event, c, result.Told, result.Foreign)
		}
		if result.Requests != nil {
			fmt.Fprintf(&b, "- %s (%s): %d connections were ended by their clients, %d of %d requests failed meanwhile.\n",
				result.Event, c, result.Ended, result.Requests.Failed, result.Requests.Made)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n" + b.String()
}

// Marks in survival.md between which the tables stand.
const (
	beginMark = "<!-- make survival writes from here -->"
	endMark   = "<!-- to here -->"
)

func (r *Report) document(dir string) error {
	file := filepath.Join(dir, "survival.md")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(text), beginMark)
	_, tail, closed := strings.Cut(rest, endMark)
	if !ok || !closed {
		return fmt.Errorf("%s: no %q and %q to write between", file, beginMark, endMark)
	}
	return os.WriteFile(file, []byte(head+beginMark+"\n"+r.markdown()+"\n"+endMark+tail), 0o644)
}

// verdict is an error if a connection broke that preservation should have kept.
func (r *Report) verdict() error {
	var failed []error
	for i := range r.Results {
		result := &r.Results[i]
		broken := 0
		for _, f := range result.Fates {
			broken += f.broken()
		}
		if result.Crash {
			broken = result.Foreign
		}
		if result.Requests != nil {
			broken += result.Requests.Failed
		}
		if result.Preserved && broken > 0 {
			failed = append(failed, errors.New(result.String()))
		}
	}
	return errors.Join(failed...)
}
