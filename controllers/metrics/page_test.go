package metrics

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/herald-lb/herald/controllers/status"
)

// everything is a registry of all that Herald serves, with something to tell of each.
func everything() *prometheus.Registry {
	known := func() (status.View, bool) { return view(), true }
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(&Agent{View: known}, NewLatency((&clock{}).now), &Services{View: known}, &Manager{Cluster: cluster})
	return registry
}

// Names, units and help are as Prometheus wants them: what `promtool check metrics` asks.
func TestPromlint(t *testing.T) {
	problems, err := testutil.GatherAndLint(everything())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Families that Herald serves.
func served(t *testing.T) map[string]string {
	t.Helper()
	registry := everything()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, family := range families {
		labels := []string{}
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		slices.Sort(labels)
		all[family.GetName()] = strings.ToLower(family.GetType().String()) + " " + strings.Join(labels, ",")
	}
	// What is described and told nothing would be missing above.
	descs := make(chan *prometheus.Desc, 100)
	registry.Describe(descs)
	close(descs)
	for d := range descs {
		if name := nameOfDesc.FindStringSubmatch(d.String())[1]; all[name] == "" {
			t.Errorf("%s is described, and the world of this test has none", name)
		}
	}
	return all
}

var (
	nameOfDesc = regexp.MustCompile(`fqName: "([^"]+)"`)
	row        = regexp.MustCompile("(?m)^\\| `(herald_[a-z0-9_]+)` \\| ([a-z]+) \\|([^|]*)\\| ")
	label      = regexp.MustCompile("`([a-z_]+)`")
)

// The page documents each metric, with its type and labels, and no other.
func TestThePageIsWhatIsServed(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, found := range row.FindAllStringSubmatch(string(data), -1) {
		labels := []string{}
		for _, name := range label.FindAllStringSubmatch(found[3], -1) {
			labels = append(labels, name[1])
		}
		slices.Sort(labels)
		if documented[found[1]] != "" {
			t.Errorf("%s is there twice", found[1])
		}
		documented[found[1]] = found[2] + " " + strings.Join(labels, ",")
	}
	if diff := cmp.Diff(served(t), documented); diff != "" {
		t.Errorf("served (-) and documented (+):\n%s", diff)
	}
	mentioned := map[string]bool{}
	for _, name := range nameInExpr.FindAllString(string(data), -1) {
		mentioned[name] = true
	}
	for name := range maps.Keys(mentioned) {
		if family := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count"), "_bucket"); documented[family] == "" && documented[name] == "" {
			t.Errorf("the page speaks of %s, which doesn't exist", name)
		}
	}
}
