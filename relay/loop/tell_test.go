package loop

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/rules"
	"github.com/herald-lb/herald/relay/tunnel"
)

// kernel is asked what it can, and says this.
type kernel struct {
	log   error
	reset map[rules.Family]error
	asked int
}

func (k *kernel) CanLog() error                 { k.asked++; return k.log }
func (k *kernel) CanReset(f rules.Family) error { return k.reset[f] }

func TestTellingOnKernelsThatCanLogAndCannot(t *testing.T) {
	failed := errors.New("no memory")
	lacksOne := map[rules.Family]error{rules.IPv6: rules.ErrNoReset}
	lacksBoth := map[rules.Family]error{rules.IPv4: rules.ErrNoReset, rules.IPv6: rules.ErrNoReset}
	for _, c := range []struct {
		name   string
		kernel kernel
		tells  bool
		asked  int
		resets []rules.Family
		notes  []string
	}{
		{"can all", kernel{}, true, 1, rules.Families, nil},
		{"can't log", kernel{log: rules.ErrNoLog}, false, 1, nil, []string{"load the modules nft_log and nfnetlink_log"}},
		{"can't be asked", kernel{log: failed}, false, 2, nil, []string{"by the second of its packets that reaches another node, not by the first: no memory"}},
		{"can't reset IPv6", kernel{reset: lacksOne}, true, 1, []rules.Family{rules.IPv4}, []string{"no nft_reject that works in prerouting (Linux 5.9) in this kernel: load the modules nft_reject_ipv4 and nft_reject_ipv6"}},
		{"can't reset", kernel{reset: lacksBoth}, true, 1, nil, []string{"over IPv4 a client", "over IPv6 a client"}},
		{"can't be asked whether it resets", kernel{reset: map[rules.Family]error{rules.IPv4: failed}}, true, 2, []rules.Family{rules.IPv6}, []string{"over IPv4 a client whose node crashed waits for its own time-out where kube-proxy sends it to a pod that is gone too: no memory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tellings := &telling{}
			for range 2 {
				w := decide(with(2), nil, nil, nil)
				p := w.plan(tunnel.Devices{Data: 1, Claim: 2}, rules.DefaultTiming())
				tellings.plan(w, p, &c.kernel)
				if tells := p.Tell != nil; tells != c.tells || tells && (p.Tell.Local != at(1) || !slices.Equal(p.Tell.Reset, c.resets)) {
					t.Errorf("tells: %+v", p.Tell)
				}
				if !slices.EqualFunc(tellings.notes, c.notes, strings.Contains) {
					t.Errorf("notes %q, want %q", tellings.notes, c.notes)
				}
			}
			if c.kernel.asked != c.asked {
				t.Errorf("asked %d times, want %d", c.kernel.asked, c.asked)
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
		k := &kernel{log: rules.ErrNoLog}
		tellings.plan(w, p, k)
		if p.Tell != nil || tellings.notes != nil || k.asked != 0 {
			t.Errorf("%+v, %q, asked %d times", p.Tell, tellings.notes, k.asked)
		}
	}
}
