package loop

import (
	"errors"
	"strings"
	"testing"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/rules"
	"github.com/herald-lb/herald/relay/tunnel"
)

func TestTellingOnKernelsThatCanLogAndCannot(t *testing.T) {
	failed := errors.New("no memory")
	for _, c := range []struct {
		name   string
		kernel error
		tells  bool
		asked  int
		note   string
	}{
		{"can", nil, true, 1, ""},
		{"cannot", rules.ErrNoLog, false, 1, "load the modules nft_log and nfnetlink_log"},
		{"can't be asked", failed, false, 2, "no memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tellings, asked := &telling{}, 0
			for range 2 {
				w := decide(with(2), nil, nil, nil)
				p := w.plan(tunnel.Devices{Data: 1, Claim: 2}, rules.DefaultTiming())
				tellings.plan(w, p, func() error { asked++; return c.kernel })
				if tells := p.Tell != nil; tells != c.tells || tells && p.Tell.Local != at(1) {
					t.Errorf("tells: %+v", p.Tell)
				}
				if c.note == "" && tellings.notes != nil || c.note != "" && (len(tellings.notes) != 1 || !strings.Contains(tellings.notes[0], c.note) || !strings.Contains(tellings.notes[0], "by the second")) {
					t.Errorf("notes %q", tellings.notes)
				}
			}
			if asked != c.asked {
				t.Errorf("asked %d times, want %d", asked, c.asked)
			}
		})
	}
}

// Where nothing is searched nobody is told, and nothing is missing.
func TestNothingToTell(t *testing.T) {
	alone, off := with(0), with(2)
	off.Learn = nil
	for _, d := range []exchange.Desired{alone, off} {
		w := decide(d, nil, nil, nil)
		p := w.plan(tunnel.Devices{Data: 1, Claim: 2}, rules.DefaultTiming())
		tellings := &telling{}
		tellings.plan(w, p, func() error { t.Error("the kernel was asked"); return rules.ErrNoLog })
		if p.Tell != nil || tellings.notes != nil {
			t.Errorf("%+v, %q", p.Tell, tellings.notes)
		}
	}
}
