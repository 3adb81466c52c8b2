package observe

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-lb/herald/reloader/report"
)

// What FRR 8.4 and 10.3 print of neighbors behind interfaces, but for what matters
// not: two routers with one link-local address, and an interface with nobody.
const behindInterfaces = `{"default":{"vrfId":0,"vrfName":"default",
"eth1":{"bgpNeighborAddr":"fe80::1","bgpState":"Established","neighborCapabilities":{"extendedNexthop":"advertisedAndReceived"},"peerBfdInfo":{}},
"eth2":{"bgpNeighborAddr":"fe80::1","bgpState":"Established","neighborCapabilities":{"extendedNexthop":"advertised"},"peerBfdInfo":{}},
"eth3":{"bgpNeighborAddr":"none","bgpState":"Idle"},
"10.0.0.1":{"bgpNeighborAddr":"10.0.0.1","bgpState":"Established","neighborCapabilities":{}}}}`

func TestSessionsBehindInterfaces(t *testing.T) {
	neighbors, err := parseNeighbors(behindInterfaces)
	if err != nil {
		t.Fatal(err)
	}
	o := &Observer{}
	type told struct {
		name, linkLocal string
		extended        bool
	}
	var got []told
	sessions := o.sessions(neighbors, time.Unix(1795220569, 0))
	for _, s := range sessions {
		got = append(got, told{s.Address, s.LinkLocal, s.ExtendedNextHop})
	}
	want := []told{{"10.0.0.1", "", false}, {"eth1", "fe80::1", true}, {"eth2", "fe80::1", false}, {"eth3", "", false}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(told{})); diff != "" {
		t.Error(diff)
	}
}

func TestBFDBehindInterfaces(t *testing.T) {
	paths, err := parseBFD(`[{"peer":"fe80::1","interface":"eth1","vrf":"default","status":"up","diagnostic":"ok"},
		{"peer":"fe80::1","interface":"eth2","vrf":"default","status":"down","diagnostic":"ok"}]`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"eth1": "Up", "eth2": "Down"} {
		if diff := cmp.Diff(&report.BFD{State: want}, paths[key{"", name}]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
