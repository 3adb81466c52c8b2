package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestReasonsAreExplained: each reason that a condition, an issue or kubectl herald explain
// may give stands in a page, other than the list of fields.
func TestReasonsAreExplained(t *testing.T) {
	var pages strings.Builder
	for _, pattern := range []string{"*.md", "kinds/*.md"} {
		names, err := filepath.Glob(filepath.Join("../../docs", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if filepath.Base(name) == "api.md" {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			pages.Write(text)
		}
	}
	found := 0
	for dir, prefix := range map[string]string{"api/v1alpha1": "Reason", "controllers/explain": "Reason", "controllers/compile": "Why"} {
		for name, reason := range reasonsIn(t, filepath.Join("../..", dir), prefix) {
			found++
			if !strings.Contains(pages.String(), "`"+reason+"`") {
				t.Errorf("%s.%s: no page says what %q means, and what to do", dir, name, reason)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d reasons were found", found)
	}
}

// reasonsIn are the string constants of a package whose names begin so.
func reasonsIn(t *testing.T, dir, prefix string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, ident := range spec.Names {
				if !strings.HasPrefix(ident.Name, prefix) || i >= len(spec.Values) {
					continue
				}
				if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
					if reasons[ident.Name], err = strconv.Unquote(literal.Value); err != nil {
						t.Fatal(err)
					}
				}
			}
			return true
		})
	}
	return reasons
}
