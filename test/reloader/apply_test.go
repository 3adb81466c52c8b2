package reloader

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
)

func TestEmptyFRRGetsEverythingAndTheRouterSeesIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		c := config{networks: []string{"203.0.113.7/32", "203.0.113.8/32 herald.tin"}}
		got := n.apply(c.String())
		if want := []string{"vtysh-add", "vty-add"}; !slices.Equal(got.LastApply.Steps, want) {
			t.Errorf("steps %v, want %v", got.LastApply.Steps, want)
		}
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		n.until("the session", func(r report.Report) bool {
			return len(r.Sessions) == 1 && r.Sessions[0].State == "Established" && r.Sessions[0].IPv4.Sent == 1
		})
		s := n.report().Sessions[0]
		if s.Address != "10.10.0.1" || s.LocalASN != 64512 || s.RemoteASN != 64500 || s.Since == nil || s.IPv6 != nil || s.Flaps != 0 {
			t.Errorf("%+v", s)
		}
		if got := n.report().FRR; got.Version[:len(v)] != string(v) || got.Error != "" || got.Unsupported || !got.Daemons["zebra"] {
			t.Errorf("%+v", got)
		}
	})
}

// One line changed is one command; nothing else is touched, the session least.
func TestPrefixesChangeAlone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		base := []string{"203.0.113.7/32", "203.0.113.8/32"}
		n.apply(config{networks: base}.String())
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1", "203.0.113.8/32": "64512:1"})
		before := sessionOf(t, r)
		steps := []struct {
			networks []string
			steps    []string
			routes   map[string]string
		}{
			{append(slices.Clone(base), "203.0.113.9/32"), []string{"vty-add"}, map[string]string{"203.0.113.7/32": "64512:1", "203.0.113.8/32": "64512:1", "203.0.113.9/32": "64512:1"}},
			{base[:1], []string{"vty-remove"}, map[string]string{"203.0.113.7/32": "64512:1"}},
			{[]string{"203.0.113.7/32 herald.tin"}, []string{"vty-add"}, map[string]string{}},
			{[]string{"203.0.113.7/32", "203.0.113.10/32"}, []string{"vty-add"}, map[string]string{"203.0.113.7/32": "64512:1", "203.0.113.10/32": "64512:1"}},
			{[]string{"203.0.113.8/32"}, []string{"vty-remove", "vty-add"}, map[string]string{"203.0.113.8/32": "64512:1"}},
		}
		for _, s := range steps {
			got := n.apply(config{networks: s.networks}.String())
			if diff := cmp.Diff(s.steps, got.LastApply.Steps); diff != "" {
				t.Error(diff)
			}
			untilRoutes(t, r, s.routes)
		}
		// Two of them, one, and two.
		if after := sessionOf(t, r); before.resetUntil(after) || after.Withdrawn != before.Withdrawn+5 {
			t.Errorf("the session was reset, or other than 5 prefixes withdrawn: %+v, %+v", before, after)
		}
	})
}

// P3: a prefix gets new attributes and is at no moment withdrawn, neither when
// its advertisement changes nor when its class does.
func TestAttributesChangeWithoutWithdrawal(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		var networks []string
		want := map[string]string{}
		for i := range 200 {
			p := fmt.Sprintf("203.0.113.%d/32", i)
			networks = append(networks, p)
			want[p] = "64512:1"
		}
		n.apply(config{networks: networks}.String())
		untilRoutes(t, r, want)
		before := sessionOf(t, r)

		got := n.apply(config{networks: networks, community: "64512:2 no-export"}.String())
		if want := []string{"vtysh-add", "clear-soft"}; !slices.Equal(got.LastApply.Steps, want) {
			t.Errorf("steps %v, want %v", got.LastApply.Steps, want)
		}
		for p := range want {
			want[p] = "64512:2 no-export"
		}
		untilRoutes(t, r, want)

		classes := make([]string, len(networks))
		for i, p := range networks {
			classes[i], want[p] = p+" herald.silver", "64512:3"
		}
		silver := "route-map herald.silver permit 1\n set tag 789\nexit\n!\nroute-map herald.out.a permit 300\n match tag 789\n set community 64512:3\nexit\n!\n"
		n.apply(config{networks: classes, community: "64512:2 no-export", maps: silver}.String())
		untilRoutes(t, r, want)

		after := sessionOf(t, r)
		if after.Withdrawn != before.Withdrawn {
			t.Errorf("%d prefixes were withdrawn", after.Withdrawn-before.Withdrawn)
		}
		if before.resetUntil(after) {
			t.Errorf("the session was reset: %+v, %+v", before, after)
		}
	})
}

// S9, R4: neighbors come and go and only their own sessions notice; afterwards
// no trace of them is left in any daemon.
func TestNeighborsComeAndGo(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		one := config{networks: []string{"203.0.113.7/32"}}
		n.apply(one.String())
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		n.until("the session", established)
		before := sessionOf(t, r)
		two := one
		two.extra = " neighbor fd00::1 remote-as 64500\n neighbor fd00::1 disable-connected-check\n neighbor fd00::1 password secret-1\n neighbor fd00::1 timers 3 9\n"
		two.family = "  neighbor fd00::1 activate\n  neighbor fd00::1 route-map herald.in in\n  neighbor fd00::1 route-map herald.out.b out\n"
		two.maps = "route-map herald.out.b permit 5\n match tag 123\n set community 64512:9\nexit\n!\n"
		got := n.apply(two.String())
		if want := []string{"vtysh-add"}; !slices.Equal(got.LastApply.Steps, want) {
			t.Errorf("adding: steps %v, want %v", got.LastApply.Steps, want)
		}
		// Lines of a neighbor that go while it stays are frr-reload's work.
		three := two
		three.extra = strings.Replace(two.extra, " neighbor fd00::1 timers 3 9\n", "", 1)
		got = n.apply(three.String())
		if want := []string{"frr-reload"}; !slices.Equal(got.LastApply.Steps, want) {
			t.Errorf("removing a line: steps %v, want %v", got.LastApply.Steps, want)
		}
		// So is changing the password: replaced in place.
		four := three
		four.extra = strings.Replace(three.extra, "secret-1", "secret-2", 1)
		got = n.apply(four.String())
		if want := []string{"vtysh-add"}; !slices.Equal(got.LastApply.Steps, want) {
			t.Errorf("changing a password: steps %v, want %v", got.LastApply.Steps, want)
		}
		got = n.apply(one.String())
		if want := []string{"vtysh-add", "vtysh-cleanup"}; !slices.Equal(got.LastApply.Steps, want) {
			t.Errorf("removing: steps %v, want %v", got.LastApply.Steps, want)
		}
		if running := n.vtysh("show running-config"); strings.Contains(running, "fd00::1") || strings.Contains(running, "herald.out.b") {
			t.Errorf("left over:\n%s", running)
		}
		after := sessionOf(t, r)
		if before.resetUntil(after) || after.Withdrawn != before.Withdrawn {
			t.Errorf("the other session noticed: %+v, %+v", before, after)
		}
	})
}

// An ASN can't be changed in place: FRR needs the old instance gone first.
func TestLocalASNChanges(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n := startNode(t, v)
		c := config{networks: []string{"203.0.113.7/32", "203.0.113.8/32"}}
		n.apply(c.String())
		c.asn = 64999
		got := n.apply(c.String())
		if want := []string{"frr-reload", "vty-add"}; !slices.Equal(got.LastApply.Steps, want) {
			t.Errorf("steps %v, want %v", got.LastApply.Steps, want)
		}
		if running := n.vtysh("show running-config"); !strings.Contains(running, "router bgp 64999") || strings.Contains(running, "router bgp 64512") {
			t.Errorf("%s", running)
		}
	})
}

// Each kind of attribute is replaced in place and removed by vtysh, and FRR
// prints it as it was given.
func TestEveryAttributeIsEditedInPlace(t *testing.T) {
	t.Parallel()
	kinds := []struct{ name, first, second string }{
		{"prepend", "set as-path prepend 64512", "set as-path prepend 64512 64512 64512"},
		{"community", "set community 64512:5 no-export", "set community 64512:6 64512:7"},
		{"large-community", "set large-community 64512:1:2", "set large-community 64512:1:3 64512:1:4"},
		{"bandwidth", "set extcommunity bandwidth 100", "set extcommunity bandwidth 200"},
		{"local-preference", "set local-preference 50", "set local-preference 60"},
		{"metric", "set metric 5", "set metric 6"},
		{"origin", "set origin incomplete", "set origin egp"},
		{"next-hop", "set ip next-hop 10.10.0.12", "set ip next-hop 10.10.0.13"},
		{"next-hop-v6", "set ipv6 next-hop global fd00::12", "set ipv6 next-hop global fd00::13"},
	}
	onBoth(t, func(t *testing.T, v frr.Version) {
		n := startNode(t, v)
		with := func(line string) config {
			return config{maps: "route-map herald.out.z permit 7\n match tag 123\n" + line + "exit\n!\n"}
		}
		n.apply(with("").String())
		for _, k := range kinds {
			for _, line := range []string{" " + k.first + "\n", " " + k.second + "\n", ""} {
				got := n.apply(with(line).String())
				if want := []string{"vtysh-add"}; !slices.Equal(got.LastApply.Steps, want) {
					t.Errorf("%s: %q: steps %v, want %v", k.name, line, got.LastApply.Steps, want)
				}
			}
		}
	})
}

func established(r report.Report) bool {
	return len(r.Sessions) > 0 && r.Sessions[0].State == "Established"
}
