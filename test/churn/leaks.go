package churn

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
	prometheus "github.com/prometheus/common/model"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/sandbox"
)

// Where the programs serve their metrics, each on its own host.
const (
	agentMetrics   = "127.0.0.1:8090"
	managerMetrics = "127.0.0.1:8091"
)

// Slack of counts: pools of connections to the API server, a query under way.
const (
	filesSlack      = 6
	goroutinesSlack = 12
)

// usage counts what processes hold, by process and thing, such as "agent of node1:
// open files".
type usage map[string]int

// over says what is more than before by more than the slack.
func (u usage) over(before usage) []string {
	var wrong []string
	for _, what := range slices.Sorted(maps.Keys(u)) {
		slack := filesSlack
		if strings.HasSuffix(what, goroutines) {
			slack = goroutinesSlack
		}
		if u[what] > before[what]+slack {
			wrong = append(wrong, fmt.Sprintf("%s: %d before, %d now", what, before[what], u[what]))
		}
	}
	return wrong
}

const (
	openFiles  = ": open files and sockets"
	goroutines = ": goroutines"
)

// measure what all processes hold.
func (c *churn) measure(ctx context.Context) (usage, error) {
	u := usage{}
	for _, n := range c.lab.Nodes() {
		if err := measureNode(ctx, n, u); err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name(), err)
		}
	}
	var err error
	if u["manager"+openFiles], err = filesOf(c.lab.Managers()[0].Process().Pid()); err != nil {
		return nil, err
	}
	u["manager"+goroutines], err = goroutinesAt(ctx, c.lab.ControlPlane().Box(), managerMetrics)
	return u, err
}

func measureNode(ctx context.Context, n *node.Node, u usage) error {
	for _, name := range []string{node.Agent, node.Reloader} {
		count, err := filesOf(n.Container(name).Process().Pid())
		if err != nil {
			return err
		}
		u[name+" of "+n.Name()+openFiles] = count
	}
	count, err := goroutinesAt(ctx, n.Box(), agentMetrics)
	if err != nil {
		return err
	}
	u[node.Agent+" of "+n.Name()+goroutines] = count
	data, err := os.ReadFile(filepath.Join(n.ExchangeDir(), exchange.ReportFile))
	if err != nil {
		return err
	}
	said, err := report.Decode(data)
	if err != nil {
		return err
	}
	u[node.Reloader+" of "+n.Name()+goroutines] = said.Goroutines
	return measureFRR(ctx, n, u)
}

// measureFRR counts what is open in FRR's daemons: connections to their vty sockets
// that nobody closes, above all.
func measureFRR(ctx context.Context, n *node.Node, u usage) error {
	out, err := n.Container(node.FRR).Box().Run(ctx, "sh", "-c",
		`for d in bgpd zebra bfdd staticd; do echo $d $(ls /proc/$(cat /run/frr/$d.pid)/fd | wc -l); done`)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		count, err := strconv.Atoi(fields[1])
		if err != nil {
			return err
		}
		u[fields[0]+" of "+n.Name()+openFiles] = count
	}
	return nil
}

func filesOf(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries), err
}

// goroutinesAt asks a program for its count.
func goroutinesAt(ctx context.Context, box *sandbox.Box, address string) (int, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: box.Dial}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(prometheus.LegacyValidation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		return 0, err
	}
	metrics := families["go_goroutines"].GetMetric()
	if len(metrics) != 1 {
		return 0, fmt.Errorf("%s tells no go_goroutines", address)
	}
	return int(metrics[0].GetGauge().GetValue()), nil
}
