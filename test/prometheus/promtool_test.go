package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"
)

// Prometheus' own promtool accepts the rules, and comes to the same as TestAlerts: it
// runs the same file. `make alerts` names it in HERALD_PROMTOOL.
func TestPromtool(t *testing.T) {
	promtool := os.Getenv("HERALD_PROMTOOL")
	if promtool == "" {
		t.Skip("SKIPPED: HERALD_PROMTOOL names no promtool: run `make alerts`")
	}
	dir := t.TempDir()
	var rules struct {
		Spec map[string]any
	}
	readYAML(t, filepath.Join(root, "config", "prometheus", "rules.yaml"), &rules)
	writeYAML(t, filepath.Join(dir, "rules.yaml"), rules.Spec)
	var tests map[string]any
	readYAML(t, "rules_test.yaml", &tests)
	tests["rule_files"] = []string{"rules.yaml"}
	writeYAML(t, filepath.Join(dir, "rules_test.yaml"), tests)

	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = dir
		said, err := cmd.CombinedOutput()
		t.Logf("promtool %s %s:\n%s", args[0], args[1], said)
		if err != nil {
			t.Errorf("promtool %s %s: %v", args[0], args[1], err)
		}
	}
}

func writeYAML(t *testing.T, path string, value any) {
	t.Helper()
	data, err := yaml.Marshal(value)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
