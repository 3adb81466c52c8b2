// Command draw draws the panels of config/prometheus/dashboard.json as SVG, from
// what test/dashboard has recorded. The queries are answered by Prometheus' engine.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"

	herald "github.com/herald-lb/herald/test/prometheus"
)

func main() {
	recorded := flag.String("recorded", "", "what test/dashboard has written")
	dashboard := flag.String("dashboard", "", "the dashboard's file")
	out := flag.String("out", "", "the picture")
	flag.Parse()
	if err := run(*recorded, *dashboard, *out); err != nil {
		fmt.Fprintln(os.Stderr, "draw:", err)
		os.Exit(1)
	}
}

func run(recorded, dashboard, out string) error {
	d, err := herald.ReadDashboard(dashboard)
	if err != nil {
		return err
	}
	world, last, err := read(recorded)
	if err != nil {
		return err
	}
	text, err := draw(d, world, time.UnixMilli(last))
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(text), 0o644)
}

// read makes series of the scrapes, with the labels that Prometheus would add. A
// series that a scrape doesn't have any more ends there, as in Prometheus.
func read(path string) (*herald.World, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	r := reader{all: map[string]*herald.Series{}, had: map[string]map[string]bool{}}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if err := r.line(lines.Text()); err != nil {
			return nil, 0, fmt.Errorf("%q: %w", lines.Text(), err)
		}
	}
	r.end()
	world := herald.World{}
	for _, s := range r.all {
		world = append(world, *s)
	}
	sort.Slice(world, func(i, j int) bool { return labels.Compare(world[i].Labels, world[j].Labels) < 0 })
	return &world, r.at, lines.Err()
}

// reader keeps the series, and those of each target's last scrape.
type reader struct {
	all       map[string]*herald.Series
	at        int64
	job, node string
	had       map[string]map[string]bool
	has       map[string]bool
}

func (r *reader) line(line string) error {
	if strings.HasPrefix(line, "# scrape ") {
		r.end()
		r.has = map[string]bool{}
		_, err := fmt.Sscanf(line, "# scrape %d %s %s", &r.at, &r.job, &r.node)
		return err
	}
	name, text, found := cutLast(line)
	number, err := strconv.ParseFloat(text, 64)
	if !found || err != nil {
		return fmt.Errorf("no sample: %w", err)
	}
	metric, err := parser.ParseMetric(name)
	if err != nil {
		return err
	}
	metric = labels.NewBuilder(metric).Set("node", r.node).Set("service", "herald-"+r.job+"-metrics").Labels()
	key := metric.String()
	if r.all[key] == nil {
		r.all[key] = &herald.Series{Labels: metric}
	}
	r.all[key].Points = append(r.all[key].Points, herald.Point{At: r.at, Value: number})
	r.has[key] = true
	return nil
}

// end of a scrape: what it hasn't any more is stale.
func (r *reader) end() {
	who := r.job + " " + r.node
	for key := range r.had[who] {
		if !r.has[key] {
			r.all[key].Points = append(r.all[key].Points, herald.Point{At: r.at, Value: math.Float64frombits(value.StaleNaN)})
		}
	}
	r.had[who] = r.has
}

func cutLast(line string) (before, after string, found bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}
