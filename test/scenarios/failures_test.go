package scenarios

import (
	"fmt"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
)

// messageLength is how much of a failure's message its last line shows.
const messageLength = 1500

// failuresEnv names the file to which failed attempts are written. Ginkgo keeps what a
// process prints when it runs several; test/exec.sh prints the file.
const failuresEnv = "HERALD_FAILURES"

// Each failed attempt of a spec in one line, where the run's last lines are all
// that somebody sees: test/tally repeats them at its end.
var _ = ReportAfterSuite("failures", func(report Report) {
	out := os.Stdout
	if name := os.Getenv(failuresEnv); name != "" {
		var err error
		out, err = os.Create(name)
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(out.Close()).To(Succeed()) }()
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
})
