package plan

import (
	"fmt"
	"strings"
	"testing"
)

func manyPrefixes(n int, skip int) string {
	var b strings.Builder
	for i := range n {
		if i != skip {
			fmt.Fprintf(&b, "  network 10.%d.%d.%d/32 route-map herald.gold\n", i>>16, i>>8&255, i&255)
		}
	}
	return strings.Replace(base, "  neighbor 10.10.0.1 activate", b.String()+"  neighbor 10.10.0.1 activate", 1)
}

// BenchmarkPlanOneChanged is one changed line among 10,000: parsing the new
// file and planning against the state in memory.
func BenchmarkPlanOneChanged(b *testing.B) {
	state := running(manyPrefixes(10000, -1))
	text := manyPrefixes(10000, 5000)
	for b.Loop() {
		if p := Make(Parse(text), state); len(p.Touched) != 1 {
			b.Fatal(len(p.Touched))
		}
	}
}

// BenchmarkPlanFromScratch is 10,000 prefixes for an empty FRR.
func BenchmarkPlanFromScratch(b *testing.B) {
	state := &State{Daemons: map[string]*Config{"bgpd": {}, "zebra": {}}}
	text := manyPrefixes(10000, -1)
	for b.Loop() {
		if p := Make(Parse(text), state); len(p.Touched) != 10002 {
			b.Fatal(len(p.Touched))
		}
	}
}

// FuzzParse: no text makes a plan panic, and FRR that runs a text is asked to
// delete nothing for the same text.
func FuzzParse(f *testing.F) {
	f.Add(base)
	f.Add("bfd\n profile a\n  x\n exit\nexit\nvrf red\n ip route 1.2.3.4/32 lo\nexit-vrf\n")
	f.Fuzz(func(t *testing.T, text string) {
		state := &State{Daemons: map[string]*Config{"bgpd": Parse(text)}}
		p := Make(Parse(text), state)
		if len(p.Remove) > 0 || p.Cleanup != "" {
			t.Errorf("%q: %+v", text, p)
		}
		_ = Deltas(Parse(Parse(text).Text(Quirks{})), state)
	})
}
