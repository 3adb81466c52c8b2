package prometheus

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"
)

var root = filepath.Join("..", "..")

// rule is an alert of config/prometheus/rules.yaml.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         model.Duration    `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func readRules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Spec struct {
			Groups []struct{ Rules []rule }
		}
	}
	readYAML(t, filepath.Join(root, "config", "prometheus", "rules.yaml"), &file)
	var all []rule
	for _, group := range file.Spec.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) < 10 {
		t.Fatalf("only %d rules were read", len(all))
	}
	return all
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

var (
	row    = regexp.MustCompile("(?m)^\\| `(herald_[a-z0-9_]+)` \\| ([a-z]+) \\|([^|]*)\\| ")
	quoted = regexp.MustCompile("`([a-z_]+)`")
)

// scraped are the labels that Prometheus adds, by the ServiceMonitor and by itself.
var scraped = []string{"node", "instance", "job", "namespace", "service", "pod", "container", "endpoint"}

// existing are the series that there are, with their labels, by docs/metrics.md: a
// test of Herald's compares that with what the programs serve.
func existing(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{"up": scraped}
	for _, found := range row.FindAllStringSubmatch(string(data), -1) {
		labels := append([]string(nil), scraped...)
		for _, name := range quoted.FindAllStringSubmatch(found[3], -1) {
			labels = append(labels, name[1])
		}
		switch found[2] {
		case "histogram":
			all[found[1]+"_bucket"] = append(labels, "le")
			fallthrough
		case "summary":
			all[found[1]+"_sum"], all[found[1]+"_count"] = labels, labels
		default:
			all[found[1]] = labels
		}
	}
	if len(all) < 15 {
		t.Fatalf("docs/metrics.md: only %d metrics were read", len(all))
	}
	return all
}
