package observe

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func addAnswers(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no %s: %v", pattern, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range []string{"", "{}", "[]", "null", `{"default":{"10.0.0.1":null}}`, `{"default":{"10.0.0.1":{"bgpState":7}}}`, "% Unknown command"} {
		f.Add(text)
	}
}

// FuzzNeighbors: whatever bgpd says, twice the same is the same sessions, one for
// each neighbor and in one order.
func FuzzNeighbors(f *testing.F) {
	addAnswers(f, "*-*.json")
	f.Fuzz(func(t *testing.T, output string) {
		neighbors, err := parseNeighbors(output)
		if err != nil {
			return
		}
		o, now := &Observer{}, time.Unix(1795220569, 0)
		o.sessions(neighbors, now)
		sessions := o.sessions(neighbors, now.Add(time.Second))
		if len(sessions) != len(neighbors) {
			t.Errorf("%d sessions of %d neighbors", len(sessions), len(neighbors))
		}
		for i := 1; i < len(sessions); i++ {
			a, b := sessions[i-1], sessions[i]
			if a.VRF > b.VRF || a.VRF == b.VRF && a.Address >= b.Address {
				t.Errorf("%s %s comes before %s %s", a.VRF, a.Address, b.VRF, b.Address)
			}
		}
		(&Observer{}).recall(sessions)
	})
}

// FuzzBFD: whatever bfdd says, a path has a state of RFC 5880 or none.
func FuzzBFD(f *testing.F) {
	addAnswers(f, "bfd-*.json")
	f.Fuzz(func(t *testing.T, output string) {
		paths, err := parseBFD(output)
		if err != nil {
			return
		}
		for k, path := range paths {
			switch path.State {
			case "", "AdminDown", "Down", "Init", "Up":
			default:
				t.Errorf("%v: %q", k, path.State)
			}
		}
	})
}

// FuzzSummary: whatever bgpd says, twice the same is no change.
func FuzzSummary(f *testing.F) {
	addAnswers(f, "summary-*.json")
	f.Add(`{"default":{"ipv4Unicast":{"peers":{"a":{"state":"Idle"}}},"ipv6Unicast":{"peers":{"a":{"state":"Established"}}}},"":{"ipv4Unicast":{"peers":{"a":{"pfxSnt":1}}}}}`)
	f.Fuzz(func(t *testing.T, output string) {
		if seen := parseSummary(output); !seen.equal(parseSummary(output)) {
			t.Errorf("%+v", seen)
		}
	})
}
