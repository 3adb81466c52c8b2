package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// red is what a VRF adds to base; the first part goes before the router of base.
const (
	redBlock = `vrf red
 ip nht resolve-via-default
 ip route 203.0.113.0/24 blackhole 254
exit-vrf
!
`
	redRouter = `router bgp 64600 vrf red
 bgp router-id 10.10.0.11
 neighbor 10.10.0.1 remote-as 64500
 !
 address-family ipv4 unicast
  network 203.0.113.0/24 route-map herald.gold
  network 203.0.113.7/32 route-map herald.gold
  neighbor 10.10.0.1 activate
  neighbor 10.10.0.1 route-map herald.in in
  neighbor 10.10.0.1 route-map herald.out.a out
 exit-address-family
exit
!
`
	redHeader = "router bgp 64600 vrf red"
)

func withRed(t *testing.T, pairs ...string) string {
	t.Helper()
	return edit(t, redBlock+base+redRouter, pairs...)
}

func TestVRFComesAsAWhole(t *testing.T) {
	p := Make(Parse(withRed(t)), running(base))
	if p.Reload || !strings.HasPrefix(p.Edit, "vrf red\n ip nht resolve-via-default\n ip route 203.0.113.0/24 blackhole 254\nexit-vrf\n") {
		t.Errorf("reload %v, edit\n%s", p.Reload, p.Edit)
	}
	want := []Batch{{redHeader, "ipv4 unicast", []string{"network 203.0.113.0/24 route-map herald.gold", "network 203.0.113.7/32 route-map herald.gold"}}}
	if diff := cmp.Diff(want, p.Add); diff != "" {
		t.Error(diff)
	}
	if len(p.Touched) != 2 || p.Touched[0].VRF != "red" || p.Touched[0].Tag != "123" {
		t.Errorf("touched %+v", p.Touched)
	}
}

// The router of a VRF and its lines go at once, with frr-reload; what the default
// VRF has stays. Its discard routes go when nothing announces their aggregates.
func TestVRFGoesAsAWhole(t *testing.T) {
	p := Make(Parse(base), running(withRed(t)))
	if len(p.Remove)+len(p.Add) > 0 || p.Edit != "" || !p.Reload {
		t.Errorf("%+v", p)
	}
	for _, gone := range []string{"64600", " ip nht resolve"} {
		if strings.Contains(p.Target, gone) {
			t.Errorf("target still has %q:\n%s", gone, p.Target)
		}
	}
	for _, kept := range []string{"vrf red\n ip route 203.0.113.0/24 blackhole 254\nexit-vrf\n", "  network 203.0.113.7/32 route-map herald.gold\n"} {
		if !strings.Contains(p.Target, kept) {
			t.Errorf("target lacks %q:\n%s", kept, p.Target)
		}
	}
	if p.Drop == "" || strings.Contains(p.Drop, "203.0.113.0/24") {
		t.Errorf("drop\n%s", p.Drop)
	}
}

// One prefix is a line of each VRF; a change in one is no concern of the other.
func TestVRFsAreIndependent(t *testing.T) {
	p := Make(Parse(withRed(t, "  network 203.0.113.0/24 route-map herald.gold\n", "", " ip route 203.0.113.0/24 blackhole 254\n", "")), running(withRed(t)))
	want := []Batch{{redHeader, "ipv4 unicast", []string{"no network 203.0.113.0/24"}}}
	if diff := cmp.Diff(want, p.Remove); diff != "" || len(p.Add) > 0 || !p.Structure() || p.Drop == "" {
		t.Errorf("%+v\n%s", p, diff)
	}
	if got := Deltas(Parse(base), running(redBlock+base)); !slices.ContainsFunc(got, func(d Delta) bool {
		return d.String() == "- vrf red / ip route 203.0.113.0/24 blackhole 254"
	}) {
		t.Errorf("deltas %v", got)
	}
	p = Make(Parse(withRed(t, "set community 64512:1", "set community 64512:2")), running(withRed(t)))
	if diff := cmp.Diff([]Neighbor{{Name: "10.10.0.1", Direction: "out"}, {VRF: "red", Name: "10.10.0.1", Direction: "out"}}, p.Refresh); diff != "" {
		t.Error(diff)
	}
	// A mode of graceful restart that is new, in a VRF of its own.
	const last = " neighbor 10.10.0.1 remote-as 64500\n !\n"
	p = Make(Parse(withRed(t, last, " neighbor 10.10.0.1 graceful-restart-disable\n"+last)), running(withRed(t)))
	if diff := cmp.Diff([]string{"red"}, p.Modes); diff != "" {
		t.Error(diff)
	}
	// The own AS number of a VRF is not that of another one.
	p = Make(Parse(strings.ReplaceAll(withRed(t), "64600", "64700")), running(withRed(t)))
	if !p.Reload || strings.Contains(p.Edit, "64700") || !strings.Contains(p.Target, "router bgp 64700 vrf red") || !strings.Contains(p.Target, "router bgp 64512\n") {
		t.Errorf("%+v", p)
	}
}

// What a VRF is made of is not Herald's: FRR prints it where zebra runs with -n.
func TestWhatBacksAVRFStays(t *testing.T) {
	const netns = " netns /run/netns/red\n"
	with := func(t *testing.T) *State { return running(withRed(t, "vrf red\n", "vrf red\n"+netns)) }
	if p := Make(Parse(withRed(t)), with(t)); !p.Empty() {
		t.Errorf("%+v", p)
	}
	if got := Deltas(Parse(withRed(t)), with(t)); len(got) > 0 {
		t.Errorf("%v", got)
	}
	p := Make(Parse(base), with(t))
	if !strings.Contains(p.Target, netns) || !strings.Contains(p.Drop, "vrf red\n"+netns+"exit-vrf\n") {
		t.Errorf("target\n%s\ndrop\n%s", p.Target, p.Drop)
	}
}

// FRR that doesn't print a default of its own prints its contrary.
func TestVRFLinesThatAreQuiet(t *testing.T) {
	state := running(withRed(t, " ip nht resolve-via-default\n", ""))
	state.Quirks.ResolveViaDefault = true
	state.Daemons["zebra"].Top = nil
	if p := Make(Parse(withRed(t)), state); !p.Empty() {
		t.Errorf("%+v", p)
	}
	// Not written to frr-reload either: it would add it at every run.
	p := Make(Parse(withRed(t, " bgp router-id 10.10.0.11\n no bgp default", " no bgp default")), state)
	if !p.Reload || strings.Contains(p.Target, " ip nht resolve-via-default") {
		t.Errorf("target\n%s", p.Target)
	}
	state.Daemons["zebra"].Blocks = Parse("vrf red\n no ip nht resolve-via-default\nexit-vrf\n").Blocks
	if p := Make(Parse(withRed(t)), state); !strings.HasPrefix(p.Edit, "vrf red\n ip nht resolve-via-default\nexit-vrf\n") {
		t.Errorf("%+v", p)
	}
}
