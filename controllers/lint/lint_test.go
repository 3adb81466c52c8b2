package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/offline"
)

func read(t *testing.T, path string) []offline.Manifest {
	t.Helper()
	manifests, err := offline.ReadFiles(resource.FilenameOptions{Filenames: []string{path}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return manifests
}

func lint(t *testing.T, input Input) []Finding {
	t.Helper()
	report, err := Lint(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	return report.Findings
}

// TestSamplesAreClean: config/samples have nothing wrong, not even a note.
func TestSamplesAreClean(t *testing.T) {
	if found := lint(t, Input{Manifests: read(t, "../../config/samples"), Assume: offline.Assumptions{Ready: true}}); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

// TestSaysWhatCompileSays: each issue of compile's goldens is found, unless the
// API server would refuse the same field.
func TestSaysWhatCompileSays(t *testing.T) {
	files, err := filepath.Glob("../compile/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	issues := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sections := map[string]string{}
		for _, f := range archive.Files {
			sections[f.Name] = string(f.Data)
		}
		if strings.HasPrefix(filepath.Base(file), "nothing-written-by-a-user") {
			continue // no API server takes such names, and they take several lines
		}
		if sections["situation.yaml"] != "" || sections["applied.conf"] != "" || sections["issues"] == "" {
			continue // what only a node knows
		}
		issues += checkGolden(t, filepath.Base(file), sections)
	}
	if issues < 60 {
		t.Errorf("only %d issues were looked for", issues)
	}
}

func checkGolden(t *testing.T, name string, sections map[string]string) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "objects.yaml")
	if err := os.WriteFile(path, []byte(sections["objects.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	manifests := read(t, path)
	for _, manifest := range manifests {
		if manifest.Object.GetKind() == "Secret" {
			manifest.Object.SetNamespace(v1alpha1.DefaultSecretsNamespace)
		}
		if manifest.Object.GetKind() == "Service" {
			if err := unstructured.SetNestedField(manifest.Object.Object, "LoadBalancer", "spec", "type"); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := lint(t, Input{Manifests: manifests, Assume: offline.Assumptions{SecretsKnown: true}})
	said := map[string]bool{}
	refused := map[string]bool{}
	for _, f := range found {
		said[f.Kind+"/"+f.Name+" "+f.Reason+": "+f.Message] = true
		if f.Reason == ReasonInvalid {
			refused[f.Kind+"/"+f.Name+" "+f.Field] = true
		}
	}
	count := 0
	for line := range strings.Lines(sections["issues"]) {
		line = strings.TrimSuffix(line, "\n")
		object, rest, _ := strings.Cut(line, " ")
		_, message, _ := strings.Cut(rest, ": ")
		if !said[line] && !refused[object+" "+fieldOf(message)] {
			t.Errorf("%s: not found: %s\nfound: %+v", name, line, found)
		}
		count++
	}
	return count
}
