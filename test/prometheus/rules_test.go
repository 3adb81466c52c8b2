package prometheus

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// tests are in the format of "promtool test rules".
type tests struct {
	Tests []struct {
		Name        string
		Interval    model.Duration
		InputSeries []struct{ Series, Values string } `yaml:"input_series"`
		Alerts      []expectation                     `yaml:"alert_rule_test"`
	}
}

type expectation struct {
	At       model.Duration `yaml:"eval_time"`
	Name     string         `yaml:"alertname"`
	Expected []alert        `yaml:"exp_alerts"`
}

type alert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

// Every alert fires in a test, with its labels and words, and is silent in another.
func TestAlerts(t *testing.T) {
	var file tests
	readYAML(t, "rules_test.yaml", &file)
	rules := map[string]rule{}
	for _, r := range readRules(t) {
		rules[r.Alert] = r
	}
	engine := NewEngine()
	fired, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		w := &World{}
		for _, s := range test.InputSeries {
			load(t, w, s.Series, s.Values, time.Duration(test.Interval))
		}
		for _, want := range test.Alerts {
			t.Run(fmt.Sprintf("%s: %s at %s", test.Name, want.Name, want.At), func(t *testing.T) {
				r, found := rules[want.Name]
				if !found {
					t.Fatal("there is no such alert")
				}
				fired[want.Name] = fired[want.Name] || len(want.Expected) > 0
				silent[want.Name] = silent[want.Name] || len(want.Expected) == 0
				got := evaluate(t, w, engine, r, time.Duration(want.At), time.Duration(test.Interval))
				if diff := cmp.Diff(sorted(want.Expected), sorted(got)); diff != "" {
					t.Errorf("wanted (-) and fired (+):\n%s", diff)
				}
			})
		}
	}
	for name := range rules {
		if !fired[name] || !silent[name] {
			t.Errorf("%s: fires in a test: %v; is silent in one: %v", name, fired[name], silent[name])
		}
	}
}

func sorted(alerts []alert) []alert {
	return slices.SortedFunc(slices.Values(alerts), func(a, b alert) int {
		return strings.Compare(fmt.Sprint(a.Labels), fmt.Sprint(b.Labels))
	})
}

// load reads the notation of promtool: 'herald_x{a="b"}' and '1+1x10'.
func load(t *testing.T, w *World, name, values string, interval time.Duration) {
	t.Helper()
	metric, found, err := parser.ParseSeriesDesc(name + " " + values)
	if err != nil {
		t.Fatalf("%s %s: %v", name, values, err)
	}
	s := Series{Labels: metric}
	for i, v := range found {
		if !v.Omitted {
			s.Points = append(s.Points, Point{At: int64(i) * interval.Milliseconds(), Value: v.Value})
		}
	}
	*w = append(*w, s)
}

// evaluate a rule from the beginning on, as Prometheus does: an alert fires when
// its expression has given the same labels for as long as "for" says.
func evaluate(t *testing.T, w *World, engine *promql.Engine, r rule, until, interval time.Duration) []alert {
	t.Helper()
	since := map[string]time.Duration{}
	var firing []alert
	for at := time.Duration(0); at <= until; at += interval {
		vector, err := w.Ask(engine, r.Expr, at)
		if err != nil {
			t.Fatal(err)
		}
		active := map[string]bool{}
		firing = nil
		for _, sample := range vector {
			key := sample.Metric.String()
			active[key] = true
			if _, was := since[key]; !was {
				since[key] = at
			}
			if at-since[key] >= time.Duration(r.For) {
				firing = append(firing, r.alert(t, sample))
			}
		}
		maps.DeleteFunc(since, func(key string, _ time.Duration) bool { return !active[key] })
	}
	return firing
}

// alert as it is told to people.
func (r rule) alert(t *testing.T, sample promql.Sample) alert {
	t.Helper()
	own := map[string]string{}
	sample.Metric.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			own[l.Name] = l.Value
		}
	})
	a := alert{Labels: maps.Clone(r.Labels), Annotations: map[string]string{}}
	maps.Copy(a.Labels, own)
	for name, text := range r.Annotations {
		parsed, err := template.New("").Option("missingkey=error").Parse("{{$labels := .Labels}}{{$value := .Value}}" + text)
		if err != nil {
			t.Fatalf("%s: %s: %v", r.Alert, name, err)
		}
		var out strings.Builder
		if err := parsed.Execute(&out, map[string]any{"Labels": own, "Value": sample.F}); err != nil {
			t.Fatalf("%s: %s: %v", r.Alert, name, err)
		}
		a.Annotations[name] = out.String()
	}
	return a
}

// Every alert is in docs/metrics.md, with its severity and how long it waits.
func TestAlertsAreDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	rules := readRules(t)
	for _, r := range rules {
		waits := "at once"
		if r.For > 0 {
			waits = r.For.String()
		}
		if line := fmt.Sprintf("\n| `%s` | %s | %s | ", r.Alert, r.Labels["severity"], waits); !strings.Contains(string(page), line) {
			t.Errorf("docs/metrics.md has no line that begins with %q", line)
		}
	}
	if rows := strings.Count(string(page), "\n| `Herald"); rows != len(rules) {
		t.Errorf("docs/metrics.md has %d alerts, there are %d", rows, len(rules))
	}
}

// Rules are about series and labels that exist.
func TestRulesReferToWhatExists(t *testing.T) {
	known := existing(t)
	for _, r := range readRules(t) {
		checkExpr(t, r.Alert, r.Expr, known)
	}
}

// checkExpr says what an expression speaks of that doesn't exist.
func checkExpr(t *testing.T, where, text string, known map[string][]string) {
	t.Helper()
	expr, err := parser.ParseExpr(text)
	if err != nil {
		t.Errorf("%s: %s: %v", where, text, err)
		return
	}
	var some []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		have, found := known[selector.Name]
		if !found {
			t.Errorf("%s: there is no series %s", where, selector.Name)
			return nil
		}
		some = append(some, have...)
		for _, m := range selector.LabelMatchers {
			if m.Name != model.MetricNameLabel && !slices.Contains(have, m.Name) {
				t.Errorf("%s: %s has no label %s", where, selector.Name, m.Name)
			}
		}
		return nil
	})
	if len(some) == 0 {
		t.Errorf("%s: %s asks for nothing", where, text)
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if sum, is := node.(*parser.AggregateExpr); is {
			for _, name := range sum.Grouping {
				if !slices.Contains(some, name) {
					t.Errorf("%s: %s: no series has the label %s", where, text, name)
				}
			}
		}
		return nil
	})
}
