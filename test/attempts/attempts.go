// Package attempts prints every failed attempt of a Ginkgo suite's specs in one line,
// where the run's last lines are all that somebody sees: test/tally repeats them at its
// end. A suite that tries a failed spec again shows by this what it would hide:
//
//	var _ = ReportAfterSuite("failures", attempts.Print)
//
// Where HERALD_LOGS names a directory it writes there how such a spec failed and what it
// logged, all attempts of it in one file.
package attempts

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// messageLength is how much of a failure's message its line shows.
const messageLength = 1500

// failuresEnv names the file to which failed attempts are written. Ginkgo keeps what a
// process prints when it runs several; test/exec.sh prints the file.
const failuresEnv = "HERALD_FAILURES"

// logsEnv names the directory of logs.
const logsEnv = "HERALD_LOGS"

// Print prints "FAILED …", or "FLAKED …" of a spec that passed at a later attempt.
func Print(report types.Report) {
	out := os.Stdout
	if name := os.Getenv(failuresEnv); name != "" {
		var err error
		if out, err = os.Create(name); err != nil {
			ginkgo.Fail(err.Error())
		}
		defer func() {
			if err := out.Close(); err != nil {
				ginkgo.Fail(err.Error())
			}
		}()
	}
	for _, spec := range report.SpecReports {
		if dir := os.Getenv(logsEnv); dir != "" && (spec.Failed() || len(spec.AdditionalFailures) > 0) {
			if err := keep(dir, spec); err != nil {
				ginkgo.Fail(err.Error())
			}
		}
		for _, f := range failuresOf(spec) {
			if f.Failure.IsZero() {
				continue
			}
			message := strings.Join(strings.Fields(f.Failure.Message), " ")
			if len(message) > messageLength {
				message = message[:messageLength] + " …"
			}
			result := "FAILED"
			if spec.State == types.SpecStatePassed {
				result = "FLAKED"
			}
			fmt.Fprintf(out, "\n%s %s (%s, %d attempts in %.0f s) %s: %s\n",
				result, spec.LeafNodeText, f.State, spec.NumAttempts, spec.RunTime.Seconds(), f.Failure.Location, message)
		}
	}
}

// failuresOf all attempts; the first is the spec's own, if it failed.
func failuresOf(spec types.SpecReport) []types.AdditionalFailure {
	return append([]types.AdditionalFailure{{State: spec.State, Failure: spec.Failure}}, spec.AdditionalFailures...)
}

// noName is what a file's name here doesn't have.
var noName = regexp.MustCompile(`[^A-Za-z0-9]+`)

func keep(dir string, spec types.SpecReport) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := noName.ReplaceAllString(spec.FullText(), "-")
	name = name[:min(len(name), 100)]
	var text strings.Builder
	for _, f := range failuresOf(spec) {
		if !f.Failure.IsZero() {
			fmt.Fprintf(&text, "%s\n%s\n\n", f.Failure.Location, f.Failure.Message)
		}
	}
	text.WriteString(spec.CombinedOutput())
	return os.WriteFile(filepath.Join(dir, name+".log"), []byte(text.String()), 0o644)
}
