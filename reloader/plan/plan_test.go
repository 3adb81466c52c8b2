package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// base is a wanted configuration in the shape that Herald renders.
const base = `no ip forwarding
ip nht resolve-via-default
!
router bgp 64512
 bgp router-id 10.10.0.11
 no bgp default ipv4-unicast
 coalesce-time 0
 no bgp network import-check
 neighbor 10.10.0.1 remote-as 64500
 neighbor 10.10.0.2 remote-as 64500
 !
 address-family ipv4 unicast
  network 203.0.113.7/32 route-map herald.gold
  network 203.0.113.8/32 route-map herald.gold
  neighbor 10.10.0.1 activate
  neighbor 10.10.0.1 route-map herald.in in
  neighbor 10.10.0.1 route-map herald.out.a out
  neighbor 10.10.0.2 activate
  neighbor 10.10.0.2 route-map herald.in in
  neighbor 10.10.0.2 route-map herald.out.b out
 exit-address-family
exit
!
route-map herald.gold permit 1
 set tag 123
exit
!
route-map herald.in deny 1
exit
!
route-map herald.out.a permit 100
 match tag 123
 set community 64512:1
exit
!
route-map herald.out.b permit 100
 match tag 123
exit
`

// running is what daemons print when they run a file.
func running(bgpd string) *State {
	zebra := "frr version 8.4.4\nhostname node\nno ip forwarding\nip nht resolve-via-default\n"
	for _, e := range Parse(bgpd).RouteMaps {
		zebra += e.Header() + "\n"
		for _, line := range e.Lines {
			if !strings.Contains(line, "community") {
				zebra += " " + line + "\n"
			}
		}
		zebra += "exit\n"
	}
	bgp := Parse(bgpd)
	static := "hostname node\n"
	for _, line := range bgp.Top {
		if strings.HasPrefix(line, "ip route") || strings.HasPrefix(line, "ipv6 route") {
			static += line + "\n"
		}
	}
	bgp.Top = nil
	return &State{Daemons: map[string]*Config{"bgpd": bgp, "zebra": Parse(zebra), "staticd": Parse(static)}}
}

// edit replaces pairs of old and new text, each of which must be there.
func edit(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("nothing to replace: %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

func TestPlan(t *testing.T) {
	const family = "ipv4 unicast"
	router := "router bgp 64512"
	tests := []struct {
		name  string
		edits []string // wanted = base with these
		from  []string // running = base with these
		want  Plan
		// wantReload instead of comparing Target
	}{
		{name: "equal-is-empty"},
		{
			name:  "new-prefix-is-one-command",
			edits: []string{"  neighbor 10.10.0.1 activate", "  network 203.0.113.9/32 route-map herald.gold\n  neighbor 10.10.0.1 activate"},
			want: Plan{
				Add:     []Batch{{router, family, []string{"network 203.0.113.9/32 route-map herald.gold"}}},
				Touched: []Touched{{Family: family, Prefix: "203.0.113.9/32", Present: true, Tag: "123"}},
			},
		},
		{
			name:  "removed-prefix-names-no-route-map",
			edits: []string{"  network 203.0.113.7/32 route-map herald.gold\n", ""},
			want: Plan{
				Remove:  []Batch{{router, family, []string{"no network 203.0.113.7/32"}}},
				Touched: []Touched{{Family: family, Prefix: "203.0.113.7/32"}},
			},
		},
		{
			name: "changed-class-replaces-in-place-after-its-map-and-drops-the-unused",
			edits: []string{
				"203.0.113.7/32 route-map herald.gold", "203.0.113.7/32 route-map herald.tin",
				"203.0.113.8/32 route-map herald.gold", "203.0.113.8/32 route-map herald.tin",
				"route-map herald.gold permit 1\n set tag 123", "route-map herald.tin permit 1\n set tag 7",
			},
			want: Plan{
				Edit:    "route-map herald.tin permit 1\n set tag 7\nexit\n",
				Add:     []Batch{{router, family, []string{"network 203.0.113.7/32 route-map herald.tin", "network 203.0.113.8/32 route-map herald.tin"}}},
				Cleanup: "no route-map herald.gold\n",
				Touched: []Touched{
					{Family: family, Prefix: "203.0.113.7/32", Present: true, Tag: "7"},
					{Family: family, Prefix: "203.0.113.8/32", Present: true, Tag: "7"},
				},
			},
		},
		{
			name: "entry-of-a-class-that-goes-stays-until-its-lines-have-another",
			edits: []string{
				"203.0.113.7/32 route-map herald.gold", "203.0.113.7/32 route-map herald.tin",
				"203.0.113.8/32 route-map herald.gold", "203.0.113.8/32 route-map herald.tin",
				"route-map herald.gold permit 1\n set tag 123", "route-map herald.tin permit 1\n set tag 7",
				"route-map herald.out.a permit 100\n match tag 123", "route-map herald.out.a permit 50\n match tag 7",
				"route-map herald.out.b permit 100\n match tag 123", "route-map herald.out.b deny 65535",
			},
			want: Plan{
				Edit: "route-map herald.out.a deny 50\n match tag 7\n set community 64512:1\nexit\nroute-map herald.out.a permit 50\nexit\n" +
					"route-map herald.out.b deny 65535\nexit\nroute-map herald.tin permit 1\n set tag 7\nexit\n",
				Add:     []Batch{{router, family, []string{"network 203.0.113.7/32 route-map herald.tin", "network 203.0.113.8/32 route-map herald.tin"}}},
				Cleanup: "no route-map herald.out.a permit 100\nno route-map herald.out.b permit 100\nno route-map herald.gold\n",
				Refresh: []Neighbor{{Name: "10.10.0.1", Direction: "out"}, {Name: "10.10.0.2", Direction: "out"}},
				Touched: []Touched{
					{Family: family, Prefix: "203.0.113.7/32", Present: true, Tag: "7"},
					{Family: family, Prefix: "203.0.113.8/32", Present: true, Tag: "7"},
				},
			},
		},
		{
			name:  "entry-of-a-class-that-another-peer-still-gets-goes-first",
			edits: []string{"route-map herald.out.b permit 100\n match tag 123", "route-map herald.out.b deny 65535"},
			want: Plan{
				Edit:    "no route-map herald.out.b permit 100\nroute-map herald.out.b deny 65535\nexit\n",
				Refresh: []Neighbor{{Name: "10.10.0.2", Direction: "out"}},
			},
		},
		{
			name:  "edited-attribute-is-replaced-in-place-and-refreshed",
			edits: []string{" set community 64512:1\n", " set community 64512:2 no-export\n"},
			want: Plan{
				Edit:    "route-map herald.out.a permit 100\n set community 64512:2 no-export\nexit\n",
				Refresh: []Neighbor{{Name: "10.10.0.1", Direction: "out"}},
			},
		},
		{
			name:  "removed-attribute-is-one-no",
			edits: []string{" set community 64512:1\n", ""},
			want: Plan{
				Edit:    "route-map herald.out.a permit 100\n no set community 64512:1\nexit\n",
				Refresh: []Neighbor{{Name: "10.10.0.1", Direction: "out"}},
			},
		},
		{
			name:  "new-entry-of-a-map-in-use-denies-until-complete",
			edits: []string{"route-map herald.out.b permit 100", "route-map herald.out.b permit 50\n match tag 9\n set metric 3\nexit\n!\nroute-map herald.out.b permit 100"},
			want: Plan{
				Edit:    "route-map herald.out.b deny 50\n match tag 9\n set metric 3\nexit\nroute-map herald.out.b permit 50\nexit\n",
				Refresh: []Neighbor{{Name: "10.10.0.2", Direction: "out"}},
			},
		},
		{
			name:  "edited-match-rebuilds-the-entry",
			edits: []string{"route-map herald.out.b permit 100\n match tag 123", "route-map herald.out.b permit 100\n match tag 9"},
			want: Plan{
				Edit:    "no route-map herald.out.b permit 100\nroute-map herald.out.b deny 100\n match tag 9\nexit\nroute-map herald.out.b permit 100\nexit\n",
				Refresh: []Neighbor{{Name: "10.10.0.2", Direction: "out"}},
			},
		},
		{
			name: "new-neighbor-is-activated-after-its-maps",
			edits: []string{
				" !\n address-family", " neighbor 10.10.0.3 remote-as 64501\n !\n address-family",
				" exit-address-family", "  neighbor 10.10.0.3 activate\n  neighbor 10.10.0.3 route-map herald.in in\n  neighbor 10.10.0.3 route-map herald.out.c out\n exit-address-family",
				"route-map herald.in deny 1", "route-map herald.out.c permit 100\n match tag 123\nexit\n!\nroute-map herald.in deny 1",
			},
			want: Plan{Edit: `route-map herald.out.c permit 100
 match tag 123
exit
router bgp 64512
 neighbor 10.10.0.3 remote-as 64501
 address-family ipv4 unicast
  neighbor 10.10.0.3 route-map herald.in in
  neighbor 10.10.0.3 route-map herald.out.c out
  neighbor 10.10.0.3 activate
 exit-address-family
exit
` + release},
		},
		{
			name: "removed-neighbor-goes-in-one-command-and-its-map-last",
			edits: []string{
				" neighbor 10.10.0.2 remote-as 64500\n", "",
				"  neighbor 10.10.0.2 activate\n  neighbor 10.10.0.2 route-map herald.in in\n  neighbor 10.10.0.2 route-map herald.out.b out\n", "",
				"route-map herald.out.b permit 100\n match tag 123\nexit\n", "",
			},
			want: Plan{
				Edit:    "router bgp 64512\n no neighbor 10.10.0.2\nexit\n",
				Cleanup: "no route-map herald.out.b\n",
			},
		},
		{
			name:  "a-line-by-hand-needs-a-reload",
			from:  []string{" !\n address-family", " neighbor 10.10.0.1 timers 3 9\n !\n address-family"},
			edits: nil,
			want:  Plan{Reload: true},
		},
		{
			name:  "other-asn-is-left-to-reload",
			edits: []string{"router bgp 64512", "router bgp 64513"},
			want: Plan{
				Reload: true,
				Add:    []Batch{{"router bgp 64513", family, []string{"network 203.0.113.7/32 route-map herald.gold", "network 203.0.113.8/32 route-map herald.gold"}}},
				Touched: []Touched{
					{Family: family, Prefix: "203.0.113.7/32", Present: true, Tag: "123"},
					{Family: family, Prefix: "203.0.113.8/32", Present: true, Tag: "123"},
				},
			},
		},
		{
			name:  "aggregate-comes-after-its-discard-route",
			edits: []string{"ip nht resolve-via-default\n", "ip route 203.0.113.0/24 blackhole 254\nip nht resolve-via-default\n", "  neighbor 10.10.0.1 activate", "  network 203.0.113.0/24 route-map herald.gold\n  neighbor 10.10.0.1 activate"},
			want: Plan{
				Edit:    "ip route 203.0.113.0/24 blackhole 254\n",
				Add:     []Batch{{router, family, []string{"network 203.0.113.0/24 route-map herald.gold"}}},
				Touched: []Touched{{Family: family, Prefix: "203.0.113.0/24", Present: true, Tag: "123"}},
			},
		},
		{
			name: "aggregate-goes-before-its-discard-route",
			from: []string{"ip nht resolve-via-default\n", "ip route 203.0.113.0/24 blackhole 254\nip nht resolve-via-default\n", "  neighbor 10.10.0.1 activate", "  network 203.0.113.0/24 route-map herald.gold\n  neighbor 10.10.0.1 activate"},
			want: Plan{
				Remove:  []Batch{{router, family, []string{"no network 203.0.113.0/24"}}},
				Drop:    "some",
				Touched: []Touched{{Family: family, Prefix: "203.0.113.0/24"}},
			},
		},
		{
			name:  "discard-route-in-another-spelling-is-the-same",
			edits: []string{"ip nht resolve-via-default\n", "ipv6 route ::5:0/112 blackhole 254\nip nht resolve-via-default\n"},
			from:  []string{"ip nht resolve-via-default\n", "ipv6 route ::0.5.0.0/112 blackhole 254\nip nht resolve-via-default\n"},
		},
		{
			name:  "host-forwarding-is-never-touched",
			edits: []string{"no ip forwarding", "ip forwarding\nipv6 forwarding"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Make(Parse(edit(t, base, tt.edits...)), running(edit(t, base, tt.from...)))
			if hasTarget := got.Target != ""; hasTarget == got.Structure() {
				t.Errorf("target present: %v, structure unchanged: %v", hasTarget, got.Structure())
			}
			got.Target = ""
			if got.Drop != "" {
				got.Drop = "some"
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEmptyFRRGetsEverything(t *testing.T) {
	state := &State{Daemons: map[string]*Config{"bgpd": Parse("hostname x\n"), "zebra": Parse("no ip forwarding\n")}}
	p := Make(Parse(base), state)
	if p.Reload || len(p.Remove) > 0 || p.Cleanup != "" {
		t.Errorf("only additions were needed: %+v", p)
	}
	if strings.Contains(p.Edit, "network 203") || strings.Contains(p.Edit, "forwarding") {
		t.Errorf("edit has lines of another step:\n%s", p.Edit)
	}
	if strings.Index(p.Edit, "route-map herald.out.a permit") > strings.Index(p.Edit, "router bgp") {
		t.Errorf("a map comes after what names it:\n%s", p.Edit)
	}
	commands := Commands(p.Add)
	want := []string{
		"router bgp 64512", "address-family ipv4 unicast",
		"network 203.0.113.7/32 route-map herald.gold", "network 203.0.113.8/32 route-map herald.gold",
		"exit-address-family", "exit",
	}
	if diff := cmp.Diff(want, commands); diff != "" {
		t.Error(diff)
	}
}

func TestStaleMapOfAnotherDaemonIsFound(t *testing.T) {
	state := running(base)
	state.Daemons["zebra"].RouteMaps = append(state.Daemons["zebra"].RouteMaps,
		&Entry{Map: "left.over", Action: "permit", Sequence: "5"},
		&Entry{Map: "herald.in", Action: "deny", Sequence: "9"})
	p := Make(Parse(base), state)
	if p.Cleanup != "no route-map left.over\n" || p.Edit != "no route-map herald.in deny 9\n" {
		t.Errorf("edit %q, cleanup %q", p.Edit, p.Cleanup)
	}
}

func TestTargetKeepsNetworksMapsAndKeptLines(t *testing.T) {
	from := edit(t, base,
		"  network 203.0.113.8/32 route-map herald.gold\n", "",
		" !\n address-family", " neighbor 10.10.0.1 timers 3 9\n !\n address-family",
		"set community 64512:1", "set community 64512:9")
	p := Make(Parse(base), running(from))
	want := Parse(edit(t, from, " neighbor 10.10.0.1 timers 3 9\n", ""))
	want.Kept = Parse("hostname node\nno ip forwarding\nfrr version 8.4.4\n").Kept
	state := running(from)
	state.Daemons["bgpd"] = Parse(p.Target)
	if diff := Deltas(want, state); len(diff) > 0 {
		t.Errorf("%v\n%s", diff, p.Target)
	}
	for _, line := range want.Kept {
		if !strings.Contains(p.Target, line+"\n") {
			t.Errorf("target lacks %q", line)
		}
	}
}

// frr-reload.py runs after the removed prefixes are gone: were they in its file,
// they would be announced again.
func TestTargetLacksRemovedPrefixes(t *testing.T) {
	from := edit(t, base, " !\n address-family", " neighbor 10.10.0.1 timers 3 9\n !\n address-family")
	p := Make(Parse(edit(t, base, "  network 203.0.113.7/32 route-map herald.gold\n", "")), running(from))
	if !p.Reload || strings.Contains(p.Target, "203.0.113.7/32") || !strings.Contains(p.Target, "  network 203.0.113.8/32 route-map herald.gold\n") {
		t.Errorf("reload %v with\n%s", p.Reload, p.Target)
	}
}

// The discard route of an aggregate that is replaced by another goes after the
// other is announced, and stays in the file before.
func TestDiscardRoutesGoLast(t *testing.T) {
	with := func(aggregate, more string) string {
		return edit(t, base, "ip nht resolve-via-default\n", "ip route "+aggregate+" blackhole 254\nip nht resolve-via-default\n",
			"  neighbor 10.10.0.1 activate", "  network "+aggregate+" route-map herald.gold\n  neighbor 10.10.0.1 activate",
			" !\n address-family", more+" !\n address-family")
	}
	p := Make(Parse(with("203.0.113.0/25", "")), running(with("203.0.113.0/24", " neighbor 10.10.0.1 timers 3 9\n")))
	const old, now = "ip route 203.0.113.0/24 blackhole 254\n", "ip route 203.0.113.0/25 blackhole 254\n"
	if p.Edit != now || !p.Reload || !strings.Contains(p.Target, old) || strings.Contains(p.Target, "network 203.0.113.0/2") {
		t.Errorf("edit %q, target\n%s", p.Edit, p.Target)
	}
	if strings.Contains(p.Drop, old) || !strings.Contains(p.Drop, now) || !strings.Contains(p.Drop, "  network 203.0.113.0/25 route-map herald.gold\n") {
		t.Errorf("drop\n%s", p.Drop)
	}
}

func TestResolveViaDefaultIsQuietWhereItIsTheDefault(t *testing.T) {
	state := running(base)
	state.Daemons["zebra"].Top = nil
	if p := Make(Parse(base), state); p.Edit != "ip nht resolve-via-default\n" {
		t.Errorf("without the quirk: %q", p.Edit)
	}
	state.Quirks.ResolveViaDefault = true
	if p := Make(Parse(base), state); !p.Empty() {
		t.Errorf("with the quirk: %+v", p)
	}
	state.Daemons["zebra"].Top = []string{"no ip nht resolve-via-default"}
	if p := Make(Parse(base), state); p.Edit != "ip nht resolve-via-default\n" {
		t.Errorf("switched off by hand: %q", p.Edit)
	}
}

func TestDeltas(t *testing.T) {
	from := edit(t, base, "203.0.113.7/32 route-map herald.gold", "203.0.113.7/32 route-map other", "remote-as 64500", "remote-as 64999")
	var got []string
	for _, d := range Deltas(Parse(base), running(from)) {
		got = append(got, d.String())
	}
	want := []string{
		"- router bgp 64512 / neighbor 10.10.0.1 remote-as 64999",
		"+ router bgp 64512 / neighbor 10.10.0.1 remote-as 64500",
		"+ router bgp 64512 / address-family ipv4 unicast / network 203.0.113.7/32 route-map herald.gold",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNestedBlocks(t *testing.T) {
	text := "bfd\n profile a\n  transmit-interval 100\n exit\n !\n profile b\n  transmit-interval 100\n exit\n !\nexit\n"
	c := Parse(text)
	if got := Parse(c.Text(Quirks{})).Text(Quirks{}); got != c.Text(Quirks{}) {
		t.Errorf("%s\n%s", got, c.Text(Quirks{}))
	}
	half := Parse("bfd\n profile a\n  transmit-interval 100\n exit\nexit\n")
	p := Make(c, &State{Daemons: map[string]*Config{"bfdd": half}})
	if want := "bfd\n profile b\n  transmit-interval 100\n exit\nexit\n"; p.Edit != want {
		t.Errorf("%q", p.Edit)
	}
	if p := Make(half, &State{Daemons: map[string]*Config{"bfdd": c}}); !p.Reload {
		t.Error("a profile too many needs a reload")
	}
}

// FRR 10 holds a neighbor whose BFD was made before it knew the hops: BFD comes
// last, and anew where they change.
func TestBFDComesLast(t *testing.T) {
	const plain, hops = " neighbor 10.10.0.1 remote-as 64500\n", " neighbor 10.10.0.1 ebgp-multihop 254\n"
	const bfd = " neighbor 10.10.0.1 bfd\n neighbor 10.10.0.1 bfd profile far\n"
	router := func(lines string) string { return "router bgp 64512\n" + lines + "exit\n" }
	tests := []struct {
		name, runs, want, edit string
		reload                 bool
	}{
		{"new", "", plain + bfd + hops, router(plain+hops+bfd) + release, false},
		{"more hops", plain + bfd, plain + bfd + hops, router(" no neighbor 10.10.0.1 bfd\n") + router(hops+bfd), false},
		{"one hop", plain + bfd + hops, plain + bfd, router(" no neighbor 10.10.0.1 bfd\n"), true},
		{"one hop, BFD gone", plain + hops, plain + bfd, "", true},
		{"BFD over several hops added", plain + hops, plain + bfd + hops, router(bfd), false},
		{"BFD over several hops removed", plain + bfd + hops, plain, "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			state := &State{Daemons: map[string]*Config{"bgpd": {}}, Quirks: Quirks{HoldsForBFD: true}}
			if test.runs != "" {
				state.Daemons["bgpd"] = Parse(router(test.runs))
			}
			p := Make(Parse(router(test.want)), state)
			if diff := cmp.Diff(test.edit, p.Edit); diff != "" || p.Reload != test.reload {
				t.Errorf("reload %v, %s", p.Reload, diff)
			}
			if strings.Contains(p.Target, " bfd") && !strings.HasSuffix(p.Target, bfd+"exit\n") {
				t.Errorf("target:\n%s", p.Target)
			}
		})
	}
	if text := Parse(router(plain + bfd + hops)).Text(Quirks{HoldsForBFD: true}); text != router(plain+hops+bfd) {
		t.Errorf("startup file:\n%s", text)
	}
}

// A list that denies never has less than before and after: entries come first and
// go last, lists go after the maps that match them.
func TestListsNeverAcceptMore(t *testing.T) {
	const list = "ip prefix-list herald_protected_ipv4 seq "
	const inMap = "route-map herald_in_a_ipv4 deny 1\n match ip address prefix-list herald_protected_ipv4\nexit\n"
	router := func(name string) string {
		return "router bgp 64512\n address-family ipv4 unicast\n  neighbor 10.10.0.1 activate\n  neighbor 10.10.0.1 route-map " + name + " in\n exit-address-family\nexit\n"
	}
	deny := "route-map herald_deny deny 1\nexit\n"
	state := func(text string) *State {
		return &State{Daemons: map[string]*Config{"bgpd": Parse(text), "zebra": Parse(text)}}
	}
	one, two, half := list+"7 permit 10.0.0.0/24 le 32\n", list+"3 permit 10.0.1.0/24 le 32\n", list+"9 permit 10.0.0.0/23 le 32\n"
	runs := one + two + deny + inMap + router("herald_in_a_ipv4")
	soft := []Neighbor{{Name: "10.10.0.1", Direction: "in"}}

	p := Make(Parse(half+deny+inMap+router("herald_in_a_ipv4")), state(runs))
	want := Plan{Edit: half + "no " + list + "7\nno " + list + "3\n", Refresh: soft}
	p.Target = ""
	if diff := cmp.Diff(&want, p); diff != "" {
		t.Errorf("two entries become one: %s", diff)
	}

	p = Make(Parse(deny+router("herald_deny")), state(runs))
	if !p.Reload || p.Cleanup != "no route-map herald_in_a_ipv4\nno ip prefix-list herald_protected_ipv4\n" || !strings.Contains(p.Target, one) {
		t.Errorf("nothing more is received: %+v", p)
	}

	p = Make(Parse(runs), state(deny+router("herald_deny")))
	if !strings.HasPrefix(p.Edit, one+two+inMap) {
		t.Errorf("something is received: %s", p.Edit)
	}

	half, changed := list+"7 permit 10.9.0.0/24 le 32\n", Deltas(Parse(one), state(list+"7 permit 10.9.0.0/24 le 32\n"))
	if len(changed) != 2 {
		t.Errorf("another entry %s of one sequence: %v", half, changed)
	}
	if p = Make(Parse(one), state(half)); p.Edit != one {
		t.Errorf("another entry of one sequence: %q", p.Edit)
	}
}
