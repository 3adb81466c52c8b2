package cluster

import (
	"fmt"
	"os"

	"github.com/herald-lb/herald/test/thirdparty"
)

// Need skips a test loudly where no cluster can run. Missing parts fail it where
// thirdparty.RequireEnv is set; a machine that can't have a cluster at all does
// not: that is nobody's omission.
func Need(t thirdparty.TB) {
	t.Helper()
	thirdparty.Need(t, Parts()...)
	if missing := machineMissing(); missing != "" {
		fmt.Fprintf(os.Stderr, "\n*** SKIPPED, no cluster can run on this machine: %s\n\n", missing)
		t.Skipf("no cluster can run on this machine: %s", missing)
	}
}
