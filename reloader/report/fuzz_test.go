package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode: a report that is taken says the same when it is written again.
func FuzzDecode(f *testing.F) {
	since := time.Unix(1795220564, 0).UTC()
	whole, err := Report{
		Time: since, AttemptedHash: "a", AppliedHash: "a", FRR: FRR{Version: "10.3", Daemons: map[string]bool{"bgpd": true}},
		LastApply: &Apply{Steps: []string{"vty-add"}, Duration: time.Millisecond, Error: "% x", Time: since},
		Sessions:  []Session{{Address: "192.0.2.1", State: "Established", Since: &since, IPv4: &Prefixes{Sent: 1}, BFD: &BFD{State: "Up"}}},
		Drift:     &Drift{Time: since, Lines: []string{"+ x"}},
	}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(whole), `{}`, `{"version":1}`, `{"version":2}`, `[]`, `{"version":1,"sessions":[{"ipv4":null}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := Decode(data)
		if err != nil {
			return
		}
		text, err := read.Encode()
		if err != nil {
			return // a time that JSON can't tell
		}
		again, err := Decode(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		written, err := again.Encode()
		if err != nil || cmp.Diff(string(text), string(written)) != "" {
			t.Errorf("%v %s", err, cmp.Diff(string(text), string(written)))
		}
	})
}
