package main

import (
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// mostAgain is how many failed tests are tried again: more of them are no chance.
const mostAgain = 3

// messageLength is how much of a failed test's output its line at the end shows.
const messageLength = 1500

// failedTest is a Go test, not a Ginkgo suite, that failed.
type failedTest struct {
	pkg, name string
	leaves    counts // what it and its subtests added to the sums
	output    string
}

// seeded tells a test of random input by its failure, which names the seed: what that
// found is wrong however often another input is right.
var seeded = regexp.MustCompile(`(?i)\bseed\b`)

// tryAgain runs what failed once more by the command, to which "-run PATTERN PACKAGE" is
// added. What then passes counts as passed, and is named as flaked.
func (t *tally) tryAgain(command string, out io.Writer) error {
	few := t.broken == 0 && len(t.failed) <= mostAgain
	for _, f := range t.failed {
		if !few || f.leaves.failed == 0 || t.crashed[f.pkg] || seeded.MatchString(f.output) {
			fmt.Fprintf(out, "--- FAIL %s %s\n%s", f.pkg, f.name, f.output)
			continue
		}
		// No line of it begins like one of a test that has failed for good.
		fmt.Fprintf(out, "tally: once more: %s %s, which said:\n%s", f.pkg, f.name, quoted(f.output))
		second, err := runAgain(command, f, out)
		if err != nil {
			return err
		}
		result := "FAILED"
		if second.broken == 0 && second.total.failed == 0 && second.total.passed > 0 {
			result = "FLAKED"
			t.total.add(counts{passed: f.leaves.failed, failed: -f.leaves.failed})
		}
		t.failures = append(t.failures, fmt.Sprintf("%s %s %s (2 attempts): %s", result, f.pkg, f.name, oneLine(f.output)))
	}
	return nil
}

// crash begins a line of a program that Go ended: the tests behind it didn't run.
var crash = regexp.MustCompile(`^(panic|fatal error): `)

func runAgain(command string, f failedTest, out io.Writer) (*tally, error) {
	run := exec.Command("sh", "-c", command+` "$@"`, "sh", "-run", "^"+f.name+"$", f.pkg)
	second := newTally()
	status, err := second.follow(run, out)
	if err != nil {
		return nil, err
	}
	// It fails when the test does, which the events have told, and when nothing ran.
	if status != nil && second.total.failed == 0 {
		second.fail("%s %s: %v", f.pkg, f.name, status)
	}
	return second, nil
}

// remember keeps a failed test, or what a subtest of one added to the sums.
func (t *tally) remember(e event, x *test, c counts) {
	name, _, _ := strings.Cut(e.Test, "/")
	i := slices.IndexFunc(t.failed, func(f failedTest) bool { return f.pkg == e.Package && f.name == name })
	if i < 0 {
		t.failed = append(t.failed, failedTest{pkg: e.Package, name: name})
		i = len(t.failed) - 1
	}
	f := &t.failed[i]
	f.output += x.output.String()
	if x.specs == nil { // a suite tries its specs again itself
		f.leaves.add(c)
	}
}

func quoted(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("| " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > messageLength {
		text = text[:messageLength] + " …"
	}
	return text
}
