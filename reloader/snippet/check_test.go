package snippet

import (
	"slices"
	"strings"
	"testing"
)

var ours = Owned{Neighbors: map[Neighbor]bool{
	{Name: "192.0.2.1"}: true, {Name: "2001:db8::1"}: true, {Name: "eth0"}: true, {VRF: "red", Name: "192.0.2.2"}: true,
}}

// inRouter is the line that a case is about, in the block that it needs.
func inRouter(line string) string { return "router bgp 64512\n" + line }

func inFamily(line string) string {
	return "router bgp 64512\n address-family ipv4 unicast\n  " + line
}

func TestWhatASnippetMayHold(t *testing.T) {
	for _, text := range []string{
		"ip prefix-list mine seq 5 permit 10.0.0.0/8 le 24",
		"ipv6 prefix-list mine permit any",
		"ip route 10.9.0.0/24 192.0.2.9 50 table 7",
		"ip protocol bgp route-map mine",
		"access-list mine seq 5 permit any",
		"bgp as-path access-list mine permit ^65001|65002$",
		"bgp large-community-list standard mine permit 1:2:3",
		"route-map mine permit 10\n match ip address prefix-list mine\n set metric 5\n on-match next\nexit",
		"vrf red\n ip route 10.9.0.0/24 192.0.2.9\nexit-vrf",
		"bfd\n profile mine\n  detect-multiplier 5\n  passive-mode\n exit\n peer 192.0.2.9\n  shutdown\n exit\nexit",
		inRouter(" neighbor 192.0.2.9 remote-as 64999\n neighbor 192.0.2.9 shutdown\n no neighbor 192.0.2.9 capability dynamic"),
		inRouter(" neighbor 192.0.2.1 timers 3 9\n neighbor 2001:db8::1 capability extended-nexthop"),
		// Of the same address, in another VRF.
		"router bgp 64600 vrf red\n neighbor 192.0.2.1 remote-as 64999\n neighbor 192.0.2.1 shutdown\n address-family ipv4 unicast\n  neighbor 192.0.2.1 route-map mine out",
		"router bgp 64600 vrf blue\n neighbor 192.0.2.2 shutdown\nrouter bgp 64512\n neighbor 192.0.2.2 shutdown",
		inRouter(" bgp bestpath as-path multipath-relax\n no bgp suppress-duplicates\n bgp graceful-restart restart-time 60"),
		inRouter(" redistribute static route-map mine\n address-family ipv4 unicast\n  redistribute connected\n exit-address-family\nexit"),
		inFamily("neighbor 192.0.2.9 route-map mine out\n exit-address-family\n address-family l2vpn evpn\n exit\nexit"),
		// Blocks may be left open: what comes next ends them, as in FRR.
		inFamily("neighbor 192.0.2.9 activate\nroute-map mine permit 10\n set metric 1\nip prefix-list mine permit any"),
		// As it comes from editors.
		"! comment\r\n\r\n# ünïcode\r\n\tip route\t10.9.0.0/24 192.0.2.9  \r\n",
		"ip prefix-list mine permit any\n\n\n",
	} {
		lines, problem := Check(text, ours)
		if problem != nil {
			t.Errorf("%q: %v", text, problem)
		}
		if want := strings.Count(strings.TrimSuffix(strings.ReplaceAll(text, "\r", ""), "\n"), "\n") + 1; len(lines) != want {
			t.Errorf("%q: %d lines, want %d", text, len(lines), want)
		}
	}
}

func TestLinesAreCleaned(t *testing.T) {
	lines, problem := Check("! herald snippet other\r\n\t ip route\t10.9.0.0/24 192.0.2.9 \t\r\n\n #x\r\n", Owned{})
	if want := []string{"!", "  ip route 10.9.0.0/24 192.0.2.9", "!", "!"}; problem != nil || !slices.Equal(lines, want) {
		t.Errorf("%q %v, want %q", lines, problem, want)
	}
}

func TestWhatASnippetMayNotHold(t *testing.T) {
	const notHere = "not a command that a snippet may hold here"
	for _, c := range []struct {
		text string
		line int
		why  string
	}{
		{"", 0, "holds no command"},
		{"\n! nothing\n", 0, "holds no command"},
		// What isn't FRR's configuration of routing.
		{"hostname x", 1, notHere}, {"log file /etc/x", 1, notHere}, {"no log syslog", 1, notHere},
		{"password x", 1, notHere}, {"enable password x", 1, notHere}, {"username x nopassword", 1, notHere},
		{"service integrated-vtysh-config", 1, notHere}, {"agentx", 1, notHere}, {"line vty", 1, notHere},
		{"banner motd file /etc/shadow", 1, notHere}, {"include /etc/x", 1, notHere}, {"frr defaults datacenter", 1, notHere},
		{"end", 1, notHere}, {"quit", 1, notHere}, {"do write", 1, notHere}, {"write file", 1, notHere}, {"copy x running-config", 1, notHere},
		{"clear bgp *", 1, notHere}, {"configure terminal", 1, notHere}, {"show running-config", 1, notHere}, {"terminal length 0", 1, notHere},
		{"debug bgp updates", 1, notHere}, {"mgmt commit apply", 1, notHere}, {"XFRR_end_configuration", 1, notHere},
		{"ip forwarding", 1, notHere}, {"no ip forwarding", 1, notHere}, {"ipv6 forwarding", 1, notHere}, {"ip nht resolve-via-default", 1, notHere},
		{"interface eth0\n ip address 192.0.2.7/24", 1, notHere}, {"router ospf", 1, notHere}, {"key chain x", 1, notHere},
		// Abbreviated, or in a block, from which FRR looks outside.
		{"rou bgp 64512", 1, notHere}, {"hostn x", 1, notHere}, {inRouter(" hostname x"), 2, notHere}, {inFamily("log stdout"), 3, notHere},
		{inRouter(" neigh 192.0.2.1 route-map x out"), 2, notHere}, {"ip rou 10.0.0.0/8 192.0.2.9", 1, notHere},
		{"route-map x permit 10\n router-id 1.2.3.4", 2, notHere},
		// Blocks.
		{"exit", 1, "no block"}, {"ip route 10.0.0.0/8 192.0.2.9\nexit", 2, "no block"}, {inRouter("exit\nexit"), 3, "no block"},
		{inRouter("exit-address-family"), 2, notHere}, {"exit now", 1, "no block"},
		{"neighbor 192.0.2.9 remote-as 1", 1, notHere}, {"set metric 5", 1, notHere},
		// It only adds.
		{"no router bgp 64512", 1, "only adds"}, {"no route-map mine", 1, "only adds"}, {"no ip route 10.0.0.0/8 192.0.2.9", 1, "only adds"},
		{"no bfd", 1, "only adds"}, {inRouter(" no address-family ipv4 unicast"), 2, "remove a block"}, {"no", 1, "of what"},
		{"no vrf red", 1, "only adds"}, {"bfd\n no profile x", 2, "remove a block"},
		// Herald's own.
		{inFamily("network 203.0.113.0/24"), 3, "announce addresses by Services"}, {inFamily("no network 203.0.113.0/24"), 3, "announce addresses"},
		{"network 203.0.113.0/24", 1, "announce addresses"},
		{"route-map herald.gold permit 1", 1, "Herald's own"}, {"route-map Herald_deny permit 1", 1, "Herald's own"},
		{inRouter(` neighbor 192.0.2.9 route-map "herald.gold" out`), 2, "Herald's own"},
		{"ip prefix-list herald.x permit any", 1, "Herald's own"},
		{inRouter(" bgp router-id 1.2.3.4"), 2, "Herald's own"}, {inRouter(" no bgp default ipv4-unicast"), 2, "Herald's own"},
		{inRouter(" no bgp ebgp-requires-policy"), 2, "Herald's own"}, {inRouter(" bgp graceful-restart preserve-fw-state"), 2, "Herald's own"},
		{inRouter(" bgp shutdown"), 2, "Herald's own"}, {inRouter(" bgp network import-check"), 2, "Herald's own"},
		{inRouter(" no neighbor 192.0.2.1"), 2, "delete the BGPPeer"}, {inRouter(" no neighbor eth0"), 2, "delete the BGPPeer"},
		{inRouter(" neighbor 192.0.2.1 shutdown"), 2, "Herald's own"}, {inRouter(" neighbor 192.0.2.1 peer-group x"), 2, "Herald's own"},
		{inFamily("neighbor 192.0.2.1 route-map x out"), 3, "Herald's own"}, {inFamily("no neighbor 192.0.2.1 activate"), 3, "Herald's own"},
		{inFamily("neighbor 2001:DB8:0::1 default-originate"), 3, "Herald's own"},
		{"router bgp 64600 vrf red\n neighbor 192.0.2.1 shutdown\n neighbor 192.0.2.2 shutdown", 3, "Herald's own"},
		{"router bgp 64600 vrf red\n address-family ipv4 unicast\n  neighbor 192.0.2.2 route-map x out", 3, "Herald's own"},
		{"router bgp 64600 vr red\n neighbor 192.0.2.2 shutdown", 2, "Herald's own"},
		{"router bgp 64600 vrf red\nrouter bgp 64512\n neighbor 192.0.2.1 shutdown", 3, "Herald's own"},
		{"router bgp 64512 vrf default\n neighbor 192.0.2.1 shutdown", 2, "Herald's own"},
		{"router bgp 64512 as-notation dot\n neighbor 192.0.2.1 shutdown", 2, "Herald's own"},
		{inRouter(" neighbor 192.0.2.9 password x"), 2, "passwordSecret"}, {inRouter(" no neighbor 192.0.2.9 password"), 2, "passwordSecret"},
		// Characters.
		{"ip route 10.0.0.0/8 192.0.2.9\nip prefix-list é permit any", 2, "printable ASCII"},
		{"\ufeffip route 10.0.0.0/8 192.0.2.9", 1, "printable ASCII"},
		{"ip route 10.0.0.0/8 192.0.2.9\x00", 1, "U+0000"}, {"! \x1b[31m", 1, "U+001B"}, {"ip route\r10.0.0.0/8 192.0.2.9", 1, "U+000D"},
		{"ip route 10.0.0.0/8\v192.0.2.9", 1, "U+000B"}, {"ip route 10.0.0.0/8\u2028192.0.2.9", 1, "printable ASCII"},
		{"ip route ?", 1, "question"},
		{"route-map x permit 10\n description " + strings.Repeat("x", 4096), 2, "longer than 4095"},
		{"bgp community-list standard x permit" + strings.Repeat(" 1:2", 256), 1, "more than 255 words"},
	} {
		lines, problem := Check(c.text, ours)
		if problem == nil {
			t.Errorf("%q is allowed: %q", c.text, lines)
		} else if problem.Line != c.line || !strings.Contains(problem.Why, c.why) {
			t.Errorf("%q: line %d %s, want line %d %q", c.text, problem.Line, problem.Why, c.line, c.why)
		}
	}
}

func TestSplitIsTheReverseOfRendering(t *testing.T) {
	const base = "router bgp 1\nexit\n! herald\n"
	for _, c := range []struct {
		body string
		base string
		want []Snippet
	}{
		{base, base, nil},
		{"", "", nil},
		{base + Marker + "a\nx\n!\n y\n" + Marker + "b.c\n" + Marker + "d\nz\n", base, []Snippet{{"a", []string{"x", "!", " y"}}, {"b.c", nil}, {"d", []string{"z"}}}},
		{Marker + "a\nx", "", []Snippet{{"a", []string{"x"}}}},
		{"x " + Marker + "a\n", "x " + Marker + "a\n", nil},
	} {
		base, snippets := Split([]byte(c.body))
		if string(base) != c.base || !slices.EqualFunc(snippets, c.want, func(a, b Snippet) bool { return a.Name == b.Name && slices.Equal(a.Lines, b.Lines) }) {
			t.Errorf("%q: %q %q", c.body, base, snippets)
		}
	}
}

// FuzzCheck: whatever a user writes, what passes is lines for FRR and nothing else:
// as many as were written, printable, none of another snippet, and it passes again.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "\r\n", "!", "#\x00", "no", "exit", "no exit", "exit-vrf", " \t", "router bgp 1\nexit\nexit",
		"ip route 10.0.0.0/8 192.0.2.1\r\n! herald snippet x\r\nrouter bgp 1\n neighbor 192.0.2.1 route-map x out",
		"route-map x permit 1\n call\n", "bfd\n profile\n profile x\n  shutdown\n", "neighbor", "router bgp\n neighbor\n no neighbor", "bgp", "router bgp 1\n bgp", "network",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, problem := Check(text, ours)
		if problem != nil {
			if lines != nil || problem.Why == "" || problem.Line < 0 {
				t.Fatalf("%q: %q with problem %+v", text, lines, problem)
			}
			return
		}
		for _, line := range lines {
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) || strings.HasPrefix(line, Marker) || len(line) > maxLine {
				t.Fatalf("%q passes as %q", text, line)
			}
		}
		base, snippets := Split([]byte("base\n" + Marker + "a\n" + strings.Join(lines, "\n") + "\n"))
		if string(base) != "base\n" || len(snippets) != 1 || !slices.Equal(snippets[0].Lines, lines) {
			t.Fatalf("%q: split into %q %q", text, base, snippets)
		}
		if again, problem := Check(strings.Join(lines, "\n"), ours); problem != nil || !slices.Equal(again, lines) {
			t.Fatalf("%q: %q is read again as %q: %v", text, lines, again, problem)
		}
	})
}
