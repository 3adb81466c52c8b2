package scenarios

import (
	"fmt"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// messageLength is how much of a failure's message its last line shows.
const messageLength = 1500

// Each failed attempt of a spec in one line, where the run's last lines are all
// that somebody sees: test/tally repeats them at its end.
var _ = ReportAfterSuite("failures", func(report Report) {
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
			fmt.Fprintf(os.Stdout, "\n%s %s (%s, %d attempts in %.0f s) %s: %s\n",
				result, spec.LeafNodeText, f.State, spec.NumAttempts, spec.RunTime.Seconds(), f.Failure.Location, message)
		}
	}
})
