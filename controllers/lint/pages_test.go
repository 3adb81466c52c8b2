package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// manifest is a block of YAML on a page.
var manifest = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// TestManifestsOfPagesAreAdmitted: the API server takes every object that a page shows. What
// an object lacks, such as a pool that stands on another page, is no mistake.
func TestManifestsOfPagesAreAdmitted(t *testing.T) {
	pages := []string{"../../README.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/kinds/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	refused := []string{ReasonInvalid, ReasonUnreadable, ReasonUnknownField, ReasonUnknownKind, ReasonUnknownVersion}
	blocks := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range manifest.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(block[1], "apiVersion: herald-lb.io/") {
				continue
			}
			blocks++
			file := filepath.Join(t.TempDir(), "page.yaml")
			if err := os.WriteFile(file, []byte(block[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, finding := range lint(t, Input{Manifests: read(t, file)}) {
				if slices.Contains(refused, finding.Reason) {
					t.Errorf("%s: %+v", page, finding)
				}
			}
		}
	}
	if blocks < 8 {
		t.Errorf("only %d blocks were found", blocks)
	}
}
