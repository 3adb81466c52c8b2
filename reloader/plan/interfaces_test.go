package plan

import (
	"slices"
	"strings"
	"testing"
)

// withInterface is base with a second neighbor, behind an interface.
func withInterface(t *testing.T) string {
	t.Helper()
	return "interface eth1\n ipv6 nd ra-lifetime 0\nexit\n!\n" + edit(t, base,
		" neighbor 10.10.0.1 remote-as", " neighbor eth1 interface v6only remote-as 64500\n neighbor 10.10.0.1 remote-as")
}

// runningWithInterface is what FRR 8.4 runs: zebra has the interface, bgpd the rest.
func runningWithInterface(t *testing.T) *State {
	t.Helper()
	block, rest, _ := strings.Cut(withInterface(t), "!\n")
	state := running(rest)
	zebra := state.Daemons["zebra"]
	zebra.Blocks = append(zebra.Blocks, Parse(block+"interface lo\nexit\n").Blocks...)
	return state
}

func TestInterfaceComesBeforeItsNeighbor(t *testing.T) {
	p := Make(Parse(withInterface(t)), running(base))
	want := "interface eth1\n ipv6 nd ra-lifetime 0\nexit\nrouter bgp 64512\n neighbor eth1 interface v6only remote-as 64500\nexit\n" + release
	if p.Edit != want || p.Reload {
		t.Errorf("reload %v, edit\n%s", p.Reload, p.Edit)
	}
}

// Neither the neighbor nor the interface's line needs frr-reload.py, which couldn't
// remove that one; where it is used all the same, it sees no difference there.
func TestInterfaceGoesAfterItsNeighbor(t *testing.T) {
	state := runningWithInterface(t)
	if deltas := Deltas(Parse(withInterface(t)), state); len(deltas) > 0 {
		t.Fatalf("%v", deltas)
	}
	p := Make(Parse(base), state)
	want := "router bgp 64512\n no neighbor eth1 interface\nexit\ninterface eth1\n no ipv6 nd ra-lifetime 0\nexit\n"
	if p.Edit != want || p.Reload {
		t.Errorf("reload %v, edit\n%s", p.Reload, p.Edit)
	}
	if !strings.Contains(p.Target, "interface eth1\n ipv6 nd ra-lifetime 0\nexit\n") {
		t.Errorf("target\n%s", p.Target)
	}
	deltas := Deltas(Parse(base), state)
	if !slices.ContainsFunc(deltas, func(d Delta) bool { return d.String() == "- interface eth1 / ipv6 nd ra-lifetime 0" }) {
		t.Errorf("%v", deltas)
	}
}

func TestNegatedLineOfAnInterfaceGoes(t *testing.T) {
	state := running(base)
	state.Daemons["zebra"].Blocks = Parse("interface eth1\n no ipv6 nd suppress-ra\nexit\n").Blocks
	if p := Make(Parse(base), state); p.Edit != "interface eth1\n ipv6 nd suppress-ra\nexit\n" {
		t.Errorf("%s", p.Edit)
	}
}
