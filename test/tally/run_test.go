package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	const (
		passes = `printf '{"Action":"run","Package":"p","Test":"A"}\n{"Action":"pass","Package":"p","Test":"A"}\n'`
		fails  = `printf '{"Action":"run","Package":"p","Test":"A"}\n{"Action":"fail","Package":"p","Test":"A"}\n{"Action":"fail","Package":"p"}\n'`
	)
	cases := map[string]struct {
		script, again, want string
		well                bool
	}{
		"passes":                           {passes, "", "1 passed, 0 failed, 0 skipped\n", true},
		"fails":                            {fails + "; exit 1", "", "0 passed, 1 failed, 0 skipped\n", false},
		"fails, then passes":               {fails + "; exit 1", passes + " #", "1 passed, 0 failed, 0 skipped\n", true},
		"fails twice":                      {fails + "; exit 1", fails + "; exit 1 #", "0 passed, 1 failed, 0 skipped\n", false},
		"fails without a failed test":      {passes + "; exit 1", "", "FAILED sh: exit status 1, and no test failed\n1 passed, 1 failed, 0 skipped\n", false},
		"fails in another way":             {fails + "; exit 2", passes + " #", "FAILED sh: exit status 2\n", false},
		"is killed after its test failed":  {fails + "; kill -KILL $$", passes + " #", "FAILED sh: signal: killed\n", false},
		"is killed after its tests passed": {passes + "; kill -KILL $$", "", "FAILED sh: signal: killed", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tl := newTally()
			if err := tl.run([]string{"sh", "-c", c.script}, c.again, io.Discard); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if well := tl.finish(&out); well != c.well || !strings.Contains(out.String(), c.want) {
				t.Errorf("%v %q, want %v %q", well, out.String(), c.well, c.want)
			}
		})
	}
	if err := newTally().run(nil, "", io.Discard); err == nil {
		t.Error("without a command it must say so")
	}
}

// The program itself around go's: what it ends with decides whether "make test" passes.
func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":       "module flaky\n\ngo 1.25\n",
		"flaky.go":     "package flaky\n",
		"good_test.go": "package flaky\n\nimport \"testing\"\n\nfunc TestGood(t *testing.T) {}\n",
		"flaky_test.go": "package flaky\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestFlaky(t *testing.T) {\n\tt.Run(\"part\", func(t *testing.T) {\n" +
			"\t\tif os.Mkdir(os.Getenv(\"TRIED\"), 0o700) == nil {\n\t\t\tt.Fatal(\"the first time\")\n\t\t}\n\t})\n}\n",
		"bad/bad_test.go": "package bad\n\nimport \"testing\"\n\nfunc TestBad(t *testing.T) { t.Fatal(\"always\") }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "tally")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tally := func(packages string) (string, error) {
		run := exec.Command(program, "-again", "go test -json -count=1", "go", "test", "-json", "-count=1", packages)
		run.Dir = dir
		run.Env = append(os.Environ(), "TRIED="+filepath.Join(t.TempDir(), "tried"), "GOFLAGS=")
		out, err := run.CombinedOutput()
		return string(out), err
	}
	out, err := tally(".")
	if err != nil || !strings.Contains(out, "\nFLAKED flaky TestFlaky (2 attempts): ") || !strings.HasSuffix(out, "\n2 passed, 0 failed, 0 skipped\n") {
		t.Errorf("a test that passes at the second attempt: %v\n%s", err, out)
	}
	// Who reads the output for failed tests finds none.
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimSpace(line), "--- FAIL") || strings.HasPrefix(line, "FAIL") {
			t.Errorf("%q in\n%s", line, out)
		}
	}
	out, err = tally("./...")
	if err == nil || !strings.Contains(out, "--- FAIL flaky/bad TestBad\n") || !strings.HasSuffix(out, "\n2 passed, 1 failed, 0 skipped\n") {
		t.Errorf("a test that always fails: %v\n%s", err, out)
	}
}
