package pools

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/herald-lb/herald/api/v1alpha1"
)

func TestCIDRsOfABlock(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.0/24":                "[203.0.113.0/24]",
		"203.0.113.0-203.0.113.255":     "[203.0.113.0/24]",
		"203.0.113.7-203.0.113.7":       "[203.0.113.7/32]",
		"203.0.113.10-203.0.113.20":     "[203.0.113.10/31 203.0.113.12/30 203.0.113.16/30 203.0.113.20/32]",
		"2001:db8::/64":                 "[2001:db8::/64]",
		"2001:db8::1-2001:db8::4":       "[2001:db8::1/128 2001:db8::2/127 2001:db8::4/128]",
		"2001:db8::-2001:db8:1:ffff::1": "[2001:db8::/48 2001:db8:1::/49 2001:db8:1:8000::/50 2001:db8:1:c000::/51 2001:db8:1:e000::/52 2001:db8:1:f000::/53 2001:db8:1:f800::/54 2001:db8:1:fc00::/55 2001:db8:1:fe00::/56 2001:db8:1:ff00::/57 2001:db8:1:ff80::/58 2001:db8:1:ffc0::/59 2001:db8:1:ffe0::/60 2001:db8:1:fff0::/61 2001:db8:1:fff8::/62 2001:db8:1:fffc::/63 2001:db8:1:fffe::/64 2001:db8:1:ffff::/127]",
	} {
		block, err := parseBounds(text)
		if got := fmt.Sprint(block.CIDRs()); err != nil || got != want {
			t.Errorf("%s: %v %s, want %s", text, err, got, want)
		}
	}
	whole, err := parseBounds("::/0")
	if got := fmt.Sprint(whole.CIDRs()); err != nil || got != "[::/0]" {
		t.Errorf("the family: %v %s", err, got)
	}
}

func TestAPoolHoldsPrefixesWithinOneBlock(t *testing.T) {
	object := pool("p", 1, "203.0.113.0/25", "203.0.113.128/25", "198.51.100.10-198.51.100.20", "2001:db8::/64")
	object.Spec.Exclude = []v1alpha1.AddressBlock{"203.0.113.3/32"}
	set, issues := Accept([]*v1alpha1.IPAddressPool{object})
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	for text, want := range map[string]bool{
		"203.0.113.128/25":  true,
		"203.0.113.128/32":  true,
		"203.0.113.0/24":    false, // two blocks
		"203.0.113.0/25":    false, // an address of it is excluded
		"203.0.113.64/26":   true,
		"203.0.113.3/32":    false,
		"198.51.100.12/30":  true,
		"198.51.100.8/30":   false, // begins before the block
		"198.51.100.20/31":  false, // ends after it
		"192.0.2.0/32":      false,
		"2001:db8::/64":     true,
		"2001:db8::/63":     false,
		"2001:db8:0:1::/64": false,
	} {
		if got := set.Pools[0].Holds(netip.MustParsePrefix(text)); got != want {
			t.Errorf("holds %s: %v", text, got)
		}
	}
}
