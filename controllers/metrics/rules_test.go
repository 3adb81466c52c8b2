package metrics

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var (
	nameInExpr = regexp.MustCompile(`\bherald_[a-z0-9_]+`)
	labelInUse = regexp.MustCompile(`\$labels\.([a-z]+)`)
)

type ruleFile struct {
	Spec struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
}

// Alerts are about metrics that exist, and say how bad it is, what it is, and what to
// do, with labels that their series have.
func TestAlertsReferToWhatExists(t *testing.T) {
	told := served(t)
	for name, kind := range maps.Clone(told) {
		if strings.HasPrefix(kind, "histogram") || strings.HasPrefix(kind, "summary") {
			told[name+"_bucket"], told[name+"_sum"], told[name+"_count"] = kind, kind, kind
		}
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "config", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file ruleFile
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Spec.Groups) == 0 || len(file.Spec.Groups[0].Rules) < 10 {
		t.Fatal("no rules were read")
	}
	for _, rule := range file.Spec.Groups[0].Rules {
		about := ""
		for _, name := range nameInExpr.FindAllString(rule.Expr, -1) {
			if told[name] == "" {
				t.Errorf("%s: there is no metric %s", rule.Alert, name)
			}
			about += told[name] + " "
		}
		if s := rule.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", rule.Alert, s)
		}
		for _, annotation := range []string{"summary", "description"} {
			if rule.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", rule.Alert, annotation)
			}
			for _, label := range labelInUse.FindAllStringSubmatch(rule.Annotations[annotation], -1) {
				// The monitor adds the node.
				if label[1] != "node" && !regexp.MustCompile(`[ ,]`+label[1]+`[ ,]`).MatchString(about) {
					t.Errorf("%s: its series have no label %q: %s", rule.Alert, label[1], about)
				}
			}
		}
	}
}
