// Package attempts prints every failed attempt of a Ginkgo suite's specs in one line,
// where the run's last lines are all that somebody sees: test/tally repeats them at its
// end. A suite that tries a failed spec again shows by this what it would hide:
//
//	var _ = ReportAfterSuite("failures", attempts.Print)
package attempts

import (
	"fmt"
	"os"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// messageLength is how much of a failure's message its line shows.
const messageLength = 1500

// failuresEnv names the file to which failed attempts are written. Ginkgo keeps what a
// process prints when it runs several; test/exec.sh prints the file.
const failuresEnv = "HERALD_FAILURES"

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
		for _, f := range append([]types.AdditionalFailure{{State: spec.State, Failure: spec.Failure}}, spec.AdditionalFailures...) {
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
