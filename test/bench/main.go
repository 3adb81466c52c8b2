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
	"errors"
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

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-lb/herald/test/lab/frr"
)

// Report is the whole of a run.
type Report struct {
	Time       time.Time `json:"time"`
	Took       string    `json:"took"`
	Processors int       `json:"processors"`
	Processor  string    `json:"processor"`
	// Load is the machine's load average before the run: figures of a busy machine
	// are too large.
	Load    string   `json:"loadAverage"`
	Results []Result `json:"results"`
}

type options struct {
	versions []string
	present  []int
	nodes    []int
	services []int
	runs     int
	scale    bool
	rest     bool
	output   string
	docs     string
}

func main() {
	o := options{
		versions: []string{"10.3", "8.4"}, present: []int{0, 1000, 10000}, nodes: []int{100, 500, 1000}, services: []int{1000, 10000},
	}
	flag.Func("frr", "releases of FRR on the node, separated by commas", func(text string) error {
		o.versions = strings.Split(text, ",")
		return nil
	})
	flag.Func("present", "numbers of Services that are announced meanwhile", numbers(&o.present))
	flag.Func("nodes", "with -scale: numbers of nodes", numbers(&o.nodes))
	flag.Func("services", "with -scale: numbers of Services", numbers(&o.services))
	flag.IntVar(&o.runs, "runs", 40, "runs of each measurement of single Services")
	flag.BoolVar(&o.scale, "scale", false, "measure what many nodes cost manager, API server and agent instead")
	flag.BoolVar(&o.rest, "rest", false, "measure only what a reloader costs that observes sessions, and FRR with it; writes no page")
	flag.StringVar(&o.output, "o", "dist/bench.json", "file for the figures")
	flag.StringVar(&o.docs, "docs", "", "directory of the documentation: tables are written into its performance.md, plots into its images")
	flag.Parse()
	if o.rest {
		o.docs = ""
	}
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	work := run
	if o.scale {
		work = runScale
	}
	err := work(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: FAILED:", err)
		os.Exit(1)
	}
}

// numbers reads some, separated by commas.
func numbers(into *[]int) func(string) error {
	return func(text string) error {
		*into = nil
		for _, word := range strings.Split(text, ",") {
			n, err := strconv.Atoi(word)
			if err != nil || n < 0 {
				return fmt.Errorf("%q: want numbers, separated by commas", text)
			}
			*into = append(*into, n)
		}
		return nil
	}
}

func runScale(ctx context.Context, o options) error {
	report := ScaleReport{Time: time.Now().UTC(), Processors: runtime.NumCPU(), Processor: processorName(), Load: loadAverage()}
	err := measureScale(ctx, frr.Version(o.versions[0]), o.nodes, o.services, func(one Scale) error {
		report.Sizes = append(report.Sizes, one)
		return report.keep(o)
	})
	report.print()
	return err
}

// keep writes what is asked for.
func (r *ScaleReport) keep(o options) error {
	r.Took = time.Since(r.Time).Round(time.Second).String()
	if err := r.write(o.output); err != nil || o.docs == "" {
		return err
	}
	return r.document(o.docs)
}

func loadAverage() string {
	load, err := readAll("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(load)[:3], " ")
}

func run(ctx context.Context, o options) error {
	report := Report{Time: time.Now().UTC(), Processors: runtime.NumCPU(), Processor: processorName(), Load: loadAverage()}
	var others []Result
	var failed error
	if !o.rest {
		failed = ofSite(ctx, o, func(results []Result) error {
			report.Results = results
			return report.keep(o)
		})
	}
	for _, version := range o.versions {
		if ctx.Err() != nil {
			break
		}
		results, err := ofReloader(ctx, frr.Version(version))
		others, failed = append(others, results...), errors.Join(failed, err)
	}
	report.Results = append(report.Results, others...)
	report.print()
	return errors.Join(failed, report.keep(o))
}

// keep writes what is asked for.
func (r *Report) keep(o options) error {
	r.Took = time.Since(r.Time).Round(time.Second).String()
	if err := r.write(o.output); err != nil || o.docs == "" {
		return err
	}
	return r.document(o.docs)
}

// ofReloader is what observing sessions costs.
func ofReloader(ctx context.Context, version frr.Version) ([]Result, error) {
	results, err := observing(ctx, version)
	for i := range results {
		results[i].FRR = string(version)
	}
	return results, err
}

// processorName as Linux tells it.
func processorName() string {
	text, err := readAll("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func (r *Report) print() {
	fmt.Printf("\n%d processors, load average before the run %s\n\n", r.Processors, r.Load)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FRR\tPRESENT\tWHAT\tWAY\tRUNS\tMEDIAN\tP99\tUNIT\tTIMES HERALD'S\tTARGET\t")
	for _, result := range r.Results {
		ratio := ""
		if result.Ratio > 0 {
			ratio = fmt.Sprintf("%.1f", result.Ratio)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%.1f\t%.1f\t%s\t%s\t%s\t%s\n", result.FRR, result.Present, result.What, result.Way, result.Runs,
			result.Median, result.P99, result.Unit, ratio, result.Target, result.verdict())
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
