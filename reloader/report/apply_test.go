package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAppliesAreCountedByPathAndOutcome(t *testing.T) {
	var counts []ApplyCount
	for _, apply := range []Apply{
		{Steps: []string{"vty-remove", "vty-add"}, Duration: time.Second},
		{Steps: nil, Duration: time.Second},
		{Steps: []string{"vty-remove", "vtysh-add", "vty-add"}, Duration: time.Second},
		{Steps: []string{"vtysh-add", "frr-reload", "vtysh-cleanup"}, Duration: time.Second},
		{Steps: []string{"vty-add", "put-back", "frr-reload"}, Duration: time.Second, Error: "no"},
	} {
		before := counts
		counts = Counted(counts, &apply)
		if len(before) > 0 && len(counts) == len(before) && cmp.Equal(before, counts) {
			t.Error("what was published before is changed")
		}
	}
	want := []ApplyCount{
		{Path: PathVty, Count: 2, Duration: 2 * time.Second},
		{Path: PathVtysh, Count: 1, Duration: time.Second},
		{Path: PathReload, Count: 1, Duration: time.Second},
		{Path: PathVty, Failed: true, Count: 1, Duration: time.Second},
	}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}
}
