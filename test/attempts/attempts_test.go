package attempts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/types"
)

// TestLogsAreKept: of a spec that failed, at whichever attempt, and of no other.
func TestLogsAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	t.Setenv(logsEnv, dir)
	t.Setenv(failuresEnv, filepath.Join(t.TempDir(), "failures"))
	failed := types.AdditionalFailure{State: types.SpecStateFailed, Failure: types.Failure{Message: "late"}}
	Print(types.Report{SpecReports: types.SpecReports{
		{LeafNodeText: "D1 goes", State: types.SpecStatePassed, CapturedGinkgoWriterOutput: "well"},
		{LeafNodeText: "D2 comes, and/or goes", State: types.SpecStatePassed, CapturedGinkgoWriterOutput: "was late", AdditionalFailures: []types.AdditionalFailure{failed}},
		{ContainerHierarchyTexts: []string{"Drain"}, LeafNodeText: "D3", State: types.SpecStateFailed, Failure: failed.Failure, CapturedGinkgoWriterOutput: "is late"},
	}})
	want := map[string]string{"D2-comes-and-or-goes.log": "was late", "Drain-D3.log": "is late"}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != len(want) {
		t.Fatalf("%v, %v", files, err)
	}
	for name, text := range want {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.HasSuffix(string(got), text) || !strings.Contains(string(got), "late\n") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
