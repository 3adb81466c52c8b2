package thirdparty

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// RequireEnv is the environment variable that turns "skipped, because
// something is missing" into a failure; CI sets it.
const RequireEnv = "HERALD_REQUIRE_LAB"

// Missing says in one line what keeps the lab from running here: no root, or
// parts that aren't built. It is empty when everything is there.
func Missing(parts ...string) string {
	if os.Geteuid() != 0 {
		return "the lab needs root (network and mount namespaces): run as root or with sudo -E"
	}
	var missing []string
	for _, part := range parts {
		if !built(part) {
			missing = append(missing, part)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("third-party parts are missing (%s): %s", strings.Join(missing, ", "), remedy(missing))
}

func remedy(missing []string) string {
	if slices.Contains(missing, NodeKubernetesDir()) || slices.Contains(missing, NodeRoot()) {
		return ClusterRemedy
	}
	return Remedy
}

// built is whether a part is complete: build.sh renames whole directories into
// place, so that what is there is complete.
func built(part string) bool {
	_, err := os.Stat(filepath.Clean(part))
	return err == nil
}

// TB is what Need uses of testing.TB and of Ginkgo's GinkgoT().
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Need skips the test in -short mode. It skips it loudly when the lab can't
// run here, or fails it where RequireEnv is set. A test that needs the
// lab never passes without it.
func Need(t TB, parts ...string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("needs the lab: not in -short mode")
	}
	missing := Missing(parts...)
	if missing == "" {
		return
	}
	if os.Getenv(RequireEnv) != "" {
		t.Fatalf("%s is set, but %s", RequireEnv, missing)
	}
	// Also on standard error: go test shows a skip's reason only with -v.
	fmt.Fprintf(os.Stderr, "\n*** SKIPPED: %s\n\n", missing)
	t.Skipf("%s", missing)
}
