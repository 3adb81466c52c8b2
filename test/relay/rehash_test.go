package relay

import (
	"net/netip"
	"testing"
)

// Without the relay most connections break when the router rehashes; with it none.
func TestRehash(t *testing.T) {
	for name, to := range map[string]netip.Addr{"IPv4": service4, "IPv6": service6} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, 4)
			s.route(s.nodes...)
			control := s.connect(to, 60)
			s.rehash(1)
			control.progress(5)
			without, why := control.broken()
			if without < 20 {
				t.Fatalf("control: %d of 60 broke (%s): the router doesn't rehash", without, why)
			}
			control.close()
			s.relays()
			crowd := s.connect(to, 60)
			for seed := 2; seed < 6; seed++ {
				s.rehash(seed)
				crowd.progress(5)
			}
			with, why := crowd.broken()
			t.Logf("broken: %d without, %d with %s; relayed %d, flooded %d, claimed %d, unclaimed %d, limited %d",
				without, with, why, s.counters("relayed"), s.counters("flooded"), s.counters("claimed"), s.counters("unclaimed"), s.counters("limited"))
			if with != 0 || s.counters("relayed") == 0 {
				t.Errorf("%d of 60 broke: %s", with, why)
			}
		})
	}
}
