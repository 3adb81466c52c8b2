package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

var update = flag.Bool("update", false, "rewrite the goldens with what comes out")

// What a golden has beside its files: "args", one argument per word, and "stdin";
// of the standard output it keeps the lines that match "lines", or all.
const (
	argumentsSection = "args"
	stdinSection     = "stdin"
	linesSection     = "lines"
)

var outputs = []string{"exit", "stdout", "stderr"}

// TestGoldens runs the program as each file of testdata says: its name is the
// rule, its comment says why. The files of testdata/shared are there too.
func TestGoldens(t *testing.T) {
	now = func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }
	t.Cleanup(func() { now = time.Now })
	shared, err := filepath.Abs("testdata/shared")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".txtar")
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			absolute, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runGolden(t, archive, shared)
			if *update {
				rewrite(t, absolute, archive, got)
				return
			}
			for _, output := range outputs {
				if want := section(archive, output); got[output] != want {
					t.Errorf("%s differs (go test -update rewrites it):\n--- got\n%s--- want\n%s", output, got[output], want)
				}
			}
		})
	}
}

func runGolden(t *testing.T, archive *txtar.Archive, shared string) map[string]string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.CopyFS("shared", os.DirFS(shared)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	for _, file := range archive.Files {
		if slices.Contains(append(outputs, argumentsSection, stdinSection, linesSection), file.Name) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file.Name, file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := runProgram(t, section(archive, stdinSection), strings.Fields(section(archive, argumentsSection))...)
	if pattern := strings.TrimSpace(section(archive, linesSection)); pattern != "" {
		got["stdout"] = matching(got["stdout"], regexp.MustCompile(pattern))
	}
	return got
}

// runProgram is what a run prints, and its exit code.
func runProgram(t *testing.T, stdin string, arguments ...string) map[string]string {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(t.Context(), arguments, genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &out, ErrOut: &errOut})
	return map[string]string{"stdout": out.String(), "stderr": errOut.String(), "exit": fmt.Sprintln(code)}
}

func matching(text string, pattern *regexp.Regexp) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if pattern.MatchString(line) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func section(archive *txtar.Archive, name string) string {
	for _, file := range archive.Files {
		if file.Name == name {
			return string(file.Data)
		}
	}
	return ""
}

func rewrite(t *testing.T, file string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return slices.Contains(outputs, f.Name) })
	for _, output := range outputs {
		archive.Files = append(archive.Files, txtar.File{Name: output, Data: []byte(got[output])})
	}
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
