// Command bench measures Herald on a lab of real parts, one node and one router
// that are both FRR: from a write to the API until the route is in the router's
// kernel, or gone. `make bench` runs it.
//
// It prints a table and writes all figures as JSON. All is on one machine: API
// server, etcd, manager, agent, reloader, kube-proxy, both FRRs and the benchmark
// share its processors.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/herald-lb/herald/test/lab/frr"
)

// Report is the whole of a run.
type Report struct {
	Time       time.Time `json:"time"`
	Processors int       `json:"processors"`
	// Load is the machine's load average before the run: figures of a busy machine
	// are too large.
	Load    string   `json:"loadAverage"`
	Results []Result `json:"results"`
}

type options struct {
	versions []string
	present  []int
	runs     int
	output   string
}

func main() {
	var versions, present string
	var o options
	flag.StringVar(&versions, "frr", "10.3,8.4", "releases of FRR on the node")
	flag.StringVar(&present, "present", "0,1000,10000", "numbers of Services that are announced meanwhile")
	flag.IntVar(&o.runs, "runs", 100, "runs of each measurement of single Services")
	flag.StringVar(&o.output, "o", "dist/bench.json", "file for the figures")
	flag.Parse()
	o.versions = strings.Split(versions, ",")
	for _, text := range strings.Split(present, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			fmt.Fprintf(os.Stderr, "bench: --present %q: want numbers of Services, separated by commas\n", present)
			os.Exit(2)
		}
		o.present = append(o.present, n)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: FAILED:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	report := Report{Time: time.Now(), Processors: runtime.NumCPU()}
	if load, err := readAll("/proc/loadavg"); err == nil {
		report.Load = strings.Join(strings.Fields(load)[:3], " ")
	}
	for _, version := range o.versions {
		fmt.Fprintf(os.Stderr, "bench: FRR %s\n", version)
		results, err := ofVersion(ctx, frr.Version(version), o)
		report.Results = append(report.Results, results...)
		if err != nil {
			report.print()
			return fmt.Errorf("FRR %s: %w", version, err)
		}
	}
	report.print()
	return report.write(o.output)
}

func (r *Report) print() {
	fmt.Printf("\n%d processors, load average before the run %s\n\n", r.Processors, r.Load)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FRR\tPRESENT\tWHAT\tRUNS\tMEDIAN\tP99\tUNIT\tTARGET\tMET\t")
	for _, result := range r.Results {
		met := ""
		if result.Met != nil {
			met = map[bool]string{true: "yes", false: "NO"}[*result.Met]
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%.1f\t%.1f\t%s\t%s\t%s\t%s\n", result.FRR, result.Present, result.What, result.Runs,
			result.Median, result.P99, result.Unit, result.Target, met, result.Note)
	}
	w.Flush()
}

func (r *Report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
