package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// counts of one run, package or suite.
type counts struct{ passed, failed, skipped int }

func (c *counts) add(o counts) {
	c.passed += o.passed
	c.failed += o.failed
	c.skipped += o.skipped
}

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

// test is what is kept of one test until it ends.
type test struct {
	output   strings.Builder
	children bool    // it has subtests: they count, it doesn't
	specs    *counts // it is a Ginkgo suite: its specs count
}

type tally struct {
	total    counts
	packages map[string]counts
	tests    map[string]*test // by package + " " + test; "" is the package itself
	skips    []string
	failures []string
	failed   []failedTest    // see again.go
	crashed  map[string]bool // packages
	maySkip  bool
	hold     bool // what failed may pass yet: its output waits for that
	broken   int  // packages that failed outside of a test (a build error, a panic, a time-out), or passed without any
}

func newTally() *tally {
	return &tally{packages: map[string]counts{}, tests: map[string]*test{}, crashed: map[string]bool{}}
}

var (
	ansi        = regexp.MustCompile("\x1b\\[[0-9;]*m")
	ginkgoSpecs = regexp.MustCompile(`(\d+) Passed \| (\d+) Failed \| (?:\d+ Flaked \| )?(\d+) Pending \| (\d+) Skipped`)
)

func (t *tally) get(e event) *test {
	key := e.Package + " " + e.Test
	if t.tests[key] == nil {
		t.tests[key] = &test{}
	}
	return t.tests[key]
}

func (t *tally) add(e event, out io.Writer) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "run":
		if i := strings.LastIndex(e.Test, "/"); i >= 0 {
			t.get(event{Package: e.Package, Test: e.Test[:i]}).children = true
		}
	case "output":
		x := t.get(e)
		x.output.WriteString(e.Output)
		if strings.HasPrefix(e.Output, "FAILED ") || strings.HasPrefix(e.Output, "FLAKED ") {
			t.failures = append(t.failures, strings.TrimSuffix(e.Output, "\n"))
		}
		if crash.MatchString(e.Output) {
			t.crashed[e.Package] = true
		}
		if m := ginkgoSpecs.FindStringSubmatch(ansi.ReplaceAllString(e.Output, "")); m != nil {
			x.specs = &counts{passed: atoi(m[1]), failed: atoi(m[2]), skipped: atoi(m[3]) + atoi(m[4])}
		}
	case "pass", "fail", "skip":
		t.end(e, out)
	}
}

func (t *tally) end(e event, out io.Writer) {
	x := t.get(e)
	if e.Test == "" {
		t.endPackage(e, x, out)
		return
	}
	c := x.count(e.Action)
	t.expectSpecs(e, x)
	t.total.add(c)
	p := t.packages[e.Package]
	p.add(c)
	t.packages[e.Package] = p
	if e.Action == "fail" {
		if t.hold {
			fmt.Fprintf(out, "failed, more at the end: %s %s\n", e.Package, e.Test)
		} else {
			fmt.Fprintf(out, "--- FAIL %s %s\n%s", e.Package, e.Test, x.output.String())
		}
		t.remember(e, x, c)
	}
	if e.Action == "skip" && !x.children {
		t.skips = append(t.skips, fmt.Sprintf("SKIPPED %s %s: %s", e.Package, e.Test, reason(x.output.String())))
	}
	x.output.Reset()
}

// count is what one ended test adds to the sums.
func (x *test) count(action string) counts {
	switch {
	case x.specs != nil:
		c := *x.specs
		if action == "fail" && c.failed == 0 { // for example a failure in BeforeSuite
			c.failed = 1
		}
		return c
	case x.children && action != "fail":
		return counts{}
	case action == "pass":
		return counts{passed: 1}
	case action == "skip":
		return counts{skipped: 1}
	case x.children:
		return counts{} // the failed subtest counts
	}
	return counts{failed: 1}
}

func (t *tally) endPackage(e event, x *test, out io.Writer) {
	c, tested := t.packages[e.Package]
	if x.specs != nil { // it was run by Ginkgo's own program, which says nothing of the test
		specs := x.count(e.Action)
		t.expectSpecs(e, x)
		c.add(specs)
		t.total.add(specs)
		if e.Action == "fail" {
			fmt.Fprintf(out, "--- FAIL %s\n%s", e.Package, x.output.String())
		}
	}
	if e.Action == "pass" && x.specs == nil && !tested {
		t.fail("%s passed without running any of its tests", e.Package)
	}
	if e.Action == "fail" && c.failed == 0 {
		t.broken++
		fmt.Fprint(out, x.output.String())
	}
	if e.Action != "skip" { // skip: a package without test files
		fmt.Fprintf(out, "%-4s %s (%.1fs): %s\n", e.Action, e.Package, e.Elapsed, c)
	}
}

// expectSpecs: a suite that ran none of its specs has shown nothing, and its skipped
// ones are told nowhere.
func (t *tally) expectSpecs(e event, x *test) {
	if x.specs == nil || e.Action != "pass" || x.specs.passed+x.specs.failed > 0 || t.maySkip && x.specs.skipped > 0 {
		return
	}
	t.fail("%s passed without running any of its specs (%d skipped)", e.Package, x.specs.skipped)
}

// fail counts a package as broken, and says why before the last line.
func (t *tally) fail(format string, args ...any) {
	t.broken++
	t.failures = append(t.failures, "FAILED "+fmt.Sprintf(format, args...))
}

// finish prints the skips and the closing line, and says whether all is well.
func (t *tally) finish(out io.Writer) bool {
	slices.Sort(t.skips)
	for _, s := range slices.Concat(t.skips, t.failures) {
		fmt.Fprintln(out, s)
	}
	t.total.failed += t.broken
	fmt.Fprintln(out, t.total)
	ran := t.total.passed + t.total.failed
	if t.maySkip {
		ran += t.total.skipped
	}
	if ran == 0 {
		fmt.Fprintln(out, "tally: no test ran")
		return false
	}
	return t.total.failed == 0
}

// reason is what a skipped test said, without go's own lines.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // the pattern admits digits or nothing
	return n
}
