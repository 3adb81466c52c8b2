package apply

import "testing"

// FuzzVersion: a version that is read names numbers, and is not older than itself.
func FuzzVersion(f *testing.F) {
	for _, seed := range []string{"FRRouting 8.4.4 (node1).", "FRRouting 10.3 (x) on Linux", "FRR 9.x", "FRRouting 10", "% Unknown command", "", "FRRouting 99999999999999999999.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, output string) {
		v, err := parseVersion(output)
		if err == nil && (v.Major < 0 || v.Minor < 0 || v.Text == "" || v.Less(v)) {
			t.Errorf("%q: %+v", output, v)
		}
	})
}

// FuzzOriginated: no answer about a prefix makes a panic, and only one with a
// path counts.
func FuzzOriginated(f *testing.F) {
	for _, seed := range []string{`{}`, `{"paths":[]}`, `{"paths":[{"sourced":true,"tag":7}]}`, `{"paths":[{"sourced":true,"removed":true}]}`, `{"paths":null}`, `[`, `{"paths":[{"tag":"x"}]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, output string) {
		if present, tag, err := parseOriginated(output); err != nil && (present || tag != "") {
			t.Errorf("%q: %v %q beside %v", output, present, tag, err)
		}
	})
}
