package plan

import (
	"strings"
	"testing"
)

// Only a file with a neighbor that comes ends so, and none where a user has set the
// timer: it would be reset.
func TestNeighborsThatComeNeedNotWait(t *testing.T) {
	const more = " neighbor 10.10.0.9 remote-as 64501\n"
	with := func(conf string) string {
		return strings.Replace(conf, " !\n address-family", more+" !\n address-family", 1)
	}
	tests := map[string]struct {
		want, runs string
		released   bool
	}{
		"one comes":           {with(base), base, true},
		"one goes":            {base, with(base), false},
		"policy":              {strings.Replace(base, "match tag 123\n", "match tag 123\n set metric 5\n", 1), base, false},
		"a timer of the user": {"bgp route-map delay-timer 7\n" + with(base), base, false},
		"all from nothing":    {base, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := Make(Parse(tt.want), running(tt.runs))
			if got := strings.HasSuffix(p.Edit, release); got != tt.released || p.Edit == "" {
				t.Errorf("released %v:\n%s", got, p.Edit)
			}
		})
	}
	startup := Parse(base).Text(Quirks{}) + Parse(base).Release()
	if got := WithoutRelease(startup); got+release != startup {
		t.Error(got)
	}
}
