package trial

import (
	"strings"
	"testing"

	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/snippet"
)

const base = `bfd
 profile fast
  detect-multiplier 5
 exit
exit
router bgp 64512
 bgp router-id 10.0.0.1
 no bgp default ipv4-unicast
 neighbor 192.0.2.1 remote-as 64513
 address-family ipv4 unicast
  neighbor 192.0.2.1 activate
 exit-address-family
exit
`

// What a snippet may do is decided by what FRR prints, however it was written.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		additions     string
		why           string
	}{
		"nothing printed": {after: base},
		"a neighbor": {
			after:     strings.Replace(base, " address-family", " neighbor 192.0.2.9 remote-as 1\n address-family", 1),
			additions: "router bgp 64512\n neighbor 192.0.2.9 remote-as 1\nexit\n",
		},
		"another VRF's of the same address": {
			after:     base + "router bgp 64600 vrf red\n neighbor 192.0.2.1 remote-as 1\n neighbor 192.0.2.1 shutdown\nexit\n",
			additions: "router bgp 64600 vrf red\n neighbor 192.0.2.1 remote-as 1\n neighbor 192.0.2.1 shutdown\nexit\n",
		},
		"a line replaced":  {after: strings.Replace(base, "10.0.0.1", "10.0.0.2", 1), why: `"bgp router-id 10.0.0.1" in "router bgp 64512"`},
		"a line removed":   {after: strings.Replace(base, "  neighbor 192.0.2.1 activate\n", "", 1), why: `"neighbor 192.0.2.1 activate" in "router bgp 64512"`},
		"a block removed":  {after: "bfd\n profile fast\n  detect-multiplier 5\n exit\nexit\n", why: `would change or remove`},
		"another's line":   {before: base + "ip prefix-list a seq 5 permit any\n", after: base + "ip prefix-list a seq 5 deny any\n", why: `"ip prefix-list a seq 5 permit any"`},
		"a network":        {after: strings.Replace(base, "  neighbor 192.0.2.1 activate", "  network 203.0.113.0/24\n  neighbor 192.0.2.1 activate", 1), why: "announce addresses by Services"},
		"a map":            {after: strings.Replace(base, " exit-address-family", "  neighbor 192.0.2.1 route-map x out\n exit-address-family", 1), why: `"neighbor 192.0.2.1 route-map x out": neighbor 192.0.2.1 is that of a BGPPeer`},
		"a password":       {after: base + "password x\n", why: "not a command"},
		"a profile's line": {after: strings.Replace(base, "  detect", "  passive-mode\n  detect", 1), why: `"profile fast"`},
		"RFC 8212":         {after: strings.Replace(base, " neighbor 192.0.2.1 rem", " no bgp ebgp-requires-policy\n neighbor 192.0.2.1 rem", 1), why: "Herald's own to set"},
	} {
		if c.before == "" {
			c.before = base
		}
		additions, refused := Judge(plan.Parse(base), plan.Parse(c.before), plan.Parse(c.after))
		switch {
		case refused != nil:
			if c.why == "" || !strings.Contains(refused.Why, c.why) {
				t.Errorf("%s: refused: %s, want %q", name, refused.Why, c.why)
			}
		case c.why != "":
			t.Errorf("%s: accepted: %s", name, additions.Text(plan.Quirks{}))
		case additions.Text(plan.Quirks{}) != c.additions:
			t.Errorf("%s: %q", name, additions.Text(plan.Quirks{}))
		}
	}
}

// What vtysh of FRR 8.4 and 10.3 says.
func TestRefusalNamesTheFirstLineInFRRsWords(t *testing.T) {
	lines := []string{"ip route 10.0.0.0/8 192.0.2.9", "!", "router bgp 64512", " neighbor 192.0.2.77 timers 3 9", " neighbor 192.0.2.9 nonsense"}
	for name, c := range map[string]struct {
		output string
		want   snippet.Problem
	}{
		"unknown": {"line 5: % Unknown command[28]:  neighbor 192.0.2.9 nonsense\n", snippet.Problem{Line: 5, Text: "neighbor 192.0.2.9 nonsense", Why: "FRR: Unknown command"}},
		"of five daemons": {
			"[84|mgmtd] sending configuration\n[91|bgpd] sending configuration\nWaiting for children to finish applying config...\n" +
				"% Specify remote-as or peer-group commands first\nline 5: % Unknown command[31]:  neighbor 192.0.2.9 nonsense\n" +
				"line 4: Failure to communicate[13] to bgpd, line:  neighbor 192.0.2.77 timers 3 9\n\nline 5: Warning[4]...: early exit from config file\n" +
				"[91|bgpd] Configuration file[/run/frr/x/frr.conf] processing failure: 2\n[84|mgmtd] done\n",
			snippet.Problem{Line: 4, Text: "neighbor 192.0.2.77 timers 3 9", Why: "FRR: Specify remote-as or peer-group commands first"},
		},
		"noise": {
			"The route-map 'x' does not exist.\n% [ZEBRA] Unknown command: XFRR_end_configuration\n% Specify remote-as or peer-group commands first\nline 4: Failure to communicate[13] to bgpd, line: x\n",
			snippet.Problem{Line: 4, Text: "neighbor 192.0.2.77 timers 3 9", Why: "FRR: Specify remote-as or peer-group commands first"},
		},
		"silent": {"", snippet.Problem{Why: "FRR refuses it without a word"}},
		"beyond": {"line 99: % Unknown command\n", snippet.Problem{Why: "FRR refuses it without a word"}},
	} {
		if got := refusal(c.output, lines); *got != c.want {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
	}
}

// Neither a Service nor an advertisement nor a password is a reason for a trial.
func TestKeyIsThatOfStructureAndSnippets(t *testing.T) {
	snippets := []snippet.Snippet{{Name: "a", Lines: []string{"x"}}}
	key := Key("10.3", plan.Parse(base), snippets)
	services := strings.Replace(base, "  neighbor 192.0.2.1 activate", "  network 203.0.113.7/32 route-map herald.gold\n  neighbor 192.0.2.1 activate", 1) +
		"ip route 203.0.113.0/24 blackhole 254\nroute-map herald.gold permit 1\n set tag 7\nexit\n"
	if Key("10.3", plan.Parse(services), snippets) != key {
		t.Error("a Service changes the key")
	}
	password := strings.Replace(base, " address-family", " neighbor 192.0.2.1 password x\n address-family", 1)
	if Key("10.3", plan.Parse(password), snippets) != key {
		t.Error("a password changes the key")
	}
	for name, other := range map[string]string{
		"release":  Key("10.4", plan.Parse(base), snippets),
		"base":     Key("10.3", plan.Parse(base+"ip route 10.0.0.0/8 192.0.2.9\n"), snippets),
		"text":     Key("10.3", plan.Parse(base), []snippet.Snippet{{Name: "a", Lines: []string{"y"}}}),
		"name":     Key("10.3", plan.Parse(base), []snippet.Snippet{{Name: "b", Lines: []string{"x"}}}),
		"boundary": Key("10.3", plan.Parse(base), []snippet.Snippet{{Name: "a"}, {Name: "x"}}),
	} {
		if other == key {
			t.Errorf("another %s has the same key", name)
		}
	}
}
