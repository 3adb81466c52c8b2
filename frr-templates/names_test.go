package frrtemplates

import (
	"slices"
	"strings"
	"testing"
)

// Names that could be mistaken for one another, and what no API server accepts.
var awkward = []string{
	"a", "b", "a.b", "a-b", "a_b", "_", "__", "", "ipv4", "a_ipv4", "out", "deny", "out_a", "A", "ä", "a\nb", "a b", "a\x00b",
	strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("x", 253), strings.Repeat("x", 252) + "y",
}

func TestNamesDiffer(t *testing.T) {
	seen := map[string]string{DenyMap: "the deny map"}
	add := func(name, what string) {
		if other, taken := seen[name]; taken {
			t.Errorf("%q is the name of %q and of %q", name, what, other)
		}
		seen[name] = what
		if checkWord(name) != nil || len(name) > 100 {
			t.Errorf("%q of %q is no word of at most 100 characters", name, what)
		}
	}
	for i, a := range awkward {
		add(OutboundMap(a, IPv4), "out4 "+a)
		add(OutboundMap(a, IPv6), "out6 "+a)
		add(ClassMap([]string{a}), "class "+a)
		for _, b := range awkward[i+1:] {
			pair := []string{a, b}
			slices.Sort(pair)
			add(ClassMap(pair), "class "+strings.Join(pair, "|"))
		}
	}
}

func TestNamesAreTold(t *testing.T) {
	class, out := ClassMap([]string{"out_x"}), OutboundMap("herald.x", IPv4)
	if !IsClassMap(class) || IsOutboundMap(class) || IsClassMap(out) || !IsOutboundMap(out) || IsClassMap(DenyMap) || IsOutboundMap(DenyMap) {
		t.Error(class, out)
	}
	if got := ClassMap([]string{"internal", "public"}); got != "herald.internal_public" {
		t.Error(got)
	}
	if got := OutboundMap("tor-a", IPv6); got != "herald_out_tor-a_ipv6" {
		t.Error(got)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("a", "b")
	f.Add("a_b", "c\nd")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, name := range []string{ClassMap([]string{a, b}), OutboundMap(a, IPv4)} {
			if err := checkWord(name); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
		if a != b && (ClassMap([]string{a}) == ClassMap([]string{b}) || OutboundMap(a, IPv4) == OutboundMap(b, IPv4)) {
			t.Errorf("%q and %q have one name", a, b)
		}
	})
}
