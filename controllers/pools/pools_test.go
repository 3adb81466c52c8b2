package pools

import (
	"fmt"
	"math/rand"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

func pool(name string, age int, blocks ...v1alpha1.AddressBlock) *v1alpha1.IPAddressPool {
	created := metav1.NewTime(time.Unix(1_700_000_000-int64(age), 0))
	return &v1alpha1.IPAddressPool{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: created},
		Spec:       v1alpha1.IPAddressPoolSpec{Addresses: blocks},
	}
}

func TestParseBlock(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.0/24":              "203.0.113.0-203.0.113.255",
		"203.0.113.7/32":              "203.0.113.7-203.0.113.7",
		"203.0.113.9-203.0.113.10":    "203.0.113.9-203.0.113.10",
		" 203.0.113.9 - 203.0.113.10": "203.0.113.9-203.0.113.10",
		"2001:db8::/127":              "2001:db8::-2001:db8::1",
		"2001:db8::/32":               "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:db8::9-2001:db8::a":     "2001:db8::9-2001:db8::a",
	} {
		block, err := ParseBlock(text)
		if err != nil || block.String() != want {
			t.Errorf("ParseBlock(%q) = %v, %v; want %s", text, block, err, want)
		}
	}
}

func TestParseBlockRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.20-203.0.113.10":             "is reversed, its first address comes after its last: write 203.0.113.10-203.0.113.20",
		"2001:db8::b-2001:db8::a":               "is reversed, its first address comes after its last: write 2001:db8::a-2001:db8::b",
		"203.0.113.7/24":                        "has bits set behind the prefix length: write 203.0.113.0/24",
		"203.0.113.7":                           "is neither a CIDR such as 203.0.113.0/24 nor a range such as 203.0.113.10-203.0.113.20",
		"":                                      "is neither a CIDR such as 203.0.113.0/24 nor a range such as 203.0.113.10-203.0.113.20",
		"203.0.113.1-":                          "has a malformed end \"\": write a range such as 203.0.113.10-203.0.113.20",
		"203.0.113.1-2-3":                       "has a malformed end \"2-3\": write a range such as 203.0.113.10-203.0.113.20",
		"203.0.113.1-2001:db8::1":               "mixes IPv4 and IPv6: both ends of a range must be of the same family",
		"2001:db8::1%eth0-2001:db8::2":          "has an end with a zone \"2001:db8::1%eth0\": leave the zone out",
		"0.0.0.0/0":                             "holds \"this network\" addresses (0.0.0.0-0.255.255.255), which no Service can have: leave them out",
		"239.0.0.0/30":                          "holds multicast addresses (224.0.0.0-239.255.255.255), which no Service can have: leave them out",
		"fe80::1-fe80::2":                       "holds link-local addresses (fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff), which no Service can have: leave them out",
		"::ffff:203.0.113.1-::ffff:203.0.113.2": "holds IPv4-mapped addresses (::ffff:0.0.0.0-::ffff:255.255.255.255), which no Service can have: leave them out",
	} {
		if _, err := ParseBlock(text); err == nil || err.Error() != want {
			t.Errorf("ParseBlock(%q): %v; want %s", text, err, want)
		}
	}
}

func TestAcceptRefusesTheYounger(t *testing.T) {
	old := pool("old", 30, "203.0.113.16/28", "2001:db8::/64")
	young := pool("a-young", 10, "203.0.113.0/24", "198.51.100.0/30", "198.51.100.3-198.51.100.9", "203.0.113.40-203.0.113.30")
	inside := pool("inside", 20, "2001:db8::5/128", "203.0.113.15/32", "203.0.113.32/32")
	want := []Issue{
		{"a-young", "Overlap", `spec.addresses[0] "203.0.113.0/24" overlaps with 203.0.113.15-203.0.113.15 of the older IPAddressPool "inside" and is ignored: remove it from one of the two pools`},
		{"a-young", "Overlap", `spec.addresses[2] "198.51.100.3-198.51.100.9" overlaps with 198.51.100.0-198.51.100.3 of the same pool and is ignored: remove one of them`},
		{"a-young", "InvalidAddress", `spec.addresses[3] "203.0.113.40-203.0.113.30" is reversed, its first address comes after its last: write 203.0.113.30-203.0.113.40`},
		{"inside", "Overlap", `spec.addresses[0] "2001:db8::5/128" overlaps with 2001:db8::-2001:db8::ffff:ffff:ffff:ffff of the older IPAddressPool "old" and is ignored: remove it from one of the two pools`},
	}
	all := []*v1alpha1.IPAddressPool{old, young, inside}
	for range 10 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		set, issues := Accept(all)
		if !reflect.DeepEqual(issues, want) {
			t.Fatalf("issues:\n%v\nwant\n%v", issues, want)
		}
		for addr, name := range map[string]string{
			"203.0.113.16": "old", "203.0.113.31": "old", "203.0.113.15": "inside", "203.0.113.32": "inside",
			"203.0.113.14": "", "203.0.113.33": "", "198.51.100.0": "a-young", "198.51.100.3": "a-young",
			"198.51.100.4": "", "2001:db8::5": "old", "2001:db8:0:1::": "", "::": "", "255.255.255.255": "",
		} {
			found := set.Find(netip.MustParseAddr(addr))
			if (found == nil) != (name == "") || found != nil && found.Name != name {
				t.Errorf("Find(%s) = %v, want %q", addr, found, name)
			}
		}
		if set.Get("inside").Name != "inside" || set.Get("none") != nil {
			t.Error("Get")
		}
	}
}

func TestBlocksAreByAddressIPv4First(t *testing.T) {
	spec := pool("p", 0, "2001:db8::/120", "203.0.113.8/30", "198.51.100.1-198.51.100.2").Spec
	blocks, err := Parse(&spec)
	want := []string{"198.51.100.1-198.51.100.2", "203.0.113.8-203.0.113.11", "2001:db8::-2001:db8::ff"}
	got := []string{}
	for _, b := range blocks {
		got = append(got, b.String())
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
}

func TestSizeOfHugeBlocks(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7/32": "1", "10.0.0.0/8": "16777216",
		"2001:db8::/32": "79228162514264337593543950336",
	} {
		block, err := ParseBlock(text)
		if err != nil || block.Size().String() != want {
			t.Errorf("%s: %s %v, want %s", text, block.Size(), err, want)
		}
	}
}

func FuzzParseBlock(f *testing.F) {
	for _, seed := range []string{"203.0.113.0/24", "1.1.1.1-1.1.1.2", "2001:db8::/32", "-", "a-b-c", "::-::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		block, err := ParseBlock(text)
		if err != nil {
			return
		}
		if block.Last.Less(block.First) || block.Size().Sign() <= 0 || !block.Contains(block.First) || !block.Contains(block.Last) {
			t.Errorf("ParseBlock(%q) = %v", text, block)
		}
	})
}

func TestExcludeAndBuggyAddressesAreNotThePools(t *testing.T) {
	carved := pool("carved", 9, "203.0.113.0/24", "2001:db8::/64")
	carved.Spec.Exclude = []v1alpha1.AddressBlock{"203.0.113.0-203.0.113.9", "203.0.113.5-203.0.113.19", "203.0.113.250/31", "198.51.100.0/24", "2001:db8::/65"}
	inside := pool("inside", 5, "203.0.113.0/28")
	inside.Spec.AvoidBuggyIPs = true
	set, issues := Accept([]*v1alpha1.IPAddressPool{carved, inside})
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	want := "[203.0.113.20-203.0.113.249 203.0.113.252-203.0.113.255 2001:db8:0:0:8000::-2001:db8::ffff:ffff:ffff:ffff]"
	if got := fmt.Sprint(set.Get("carved").Blocks); got != want {
		t.Errorf("blocks %s, want %s", got, want)
	}
	for addr, name := range map[string]string{
		"203.0.113.0": "", "203.0.113.1": "inside", "203.0.113.19": "", "203.0.113.20": "carved",
		"203.0.113.251": "", "203.0.113.255": "carved", "2001:db8::1": "", "2001:db8:0:0:8000::": "carved",
	} {
		found := set.Find(netip.MustParseAddr(addr))
		if (found == nil) != (name == "") || found != nil && found.Name != name {
			t.Errorf("Find(%s) = %v, want %q", addr, found, name)
		}
		for _, p := range set.Pools {
			if p.Contains(netip.MustParseAddr(addr)) != (p == found) {
				t.Errorf("%s contains %s", p.Name, addr)
			}
		}
	}
}

// What is excluded and can't be read could be any address.
func TestUnreadableExcludeDrains(t *testing.T) {
	p := pool("p", 0, "203.0.113.0/24")
	p.Spec.Exclude = []v1alpha1.AddressBlock{"203.0.113.9-203.0.113.1"}
	set, issues := Accept([]*v1alpha1.IPAddressPool{p})
	want := []Issue{{"p", "InvalidAddress", `spec.exclude[0] "203.0.113.9-203.0.113.1" is reversed, its first address comes after its last: write 203.0.113.1-203.0.113.9; until then the pool gives out nothing new`}}
	if !reflect.DeepEqual(issues, want) || !set.Get("p").Drained {
		t.Errorf("%v", issues)
	}
}

func TestCountBuggy(t *testing.T) {
	for text, want := range map[string]int64{
		"203.0.113.0/24": 2, "203.0.113.0/32": 1, "203.0.113.255/32": 1, "203.0.113.1-203.0.113.254": 0,
		"10.0.0.0/8": 131072, "203.0.113.255-203.0.114.0": 2, "203.0.113.7-203.0.115.7": 4, "2001:db8::/120": 0,
	} {
		block, err := ParseBlock(text)
		if err != nil || block.CountBuggy() != want {
			t.Errorf("%s: %d %v, want %d", text, block.CountBuggy(), err, want)
		}
	}
}

func TestServes(t *testing.T) {
	match := func(name, value string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{name: value}}
	}
	broken := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Is"}}}
	blue := Asker{Namespace: "blue", NamespaceLabels: map[string]string{"tenant": "a"}, Labels: map[string]string{"app": "web"}}
	type allocation = v1alpha1.ServiceAllocation
	type selectors = []metav1.LabelSelector
	for name, c := range map[string]struct {
		spec *allocation
		want bool
	}{
		"nothing said":                {nil, true},
		"empty":                       {&allocation{Priority: 3}, true},
		"namespace":                   {&allocation{Namespaces: []v1alpha1.NamespaceName{"red", "blue"}}, true},
		"another namespace":           {&allocation{Namespaces: []v1alpha1.NamespaceName{"red"}}, false},
		"namespace's label":           {&allocation{NamespaceSelectors: selectors{match("tenant", "a")}}, true},
		"a label that matches nobody": {&allocation{NamespaceSelectors: selectors{match("tenant", "z")}}, false},
		"either name or label":        {&allocation{Namespaces: []v1alpha1.NamespaceName{"red"}, NamespaceSelectors: selectors{match("tenant", "a")}}, true},
		"one of two selectors":        {&allocation{ServiceSelectors: selectors{match("app", "db"), match("app", "web")}}, true},
		"namespace but not label":     {&allocation{Namespaces: []v1alpha1.NamespaceName{"blue"}, ServiceSelectors: selectors{match("app", "db")}}, false},
		"everything":                  {&allocation{ServiceSelectors: selectors{{}}}, true},
		"malformed":                   {&allocation{ServiceSelectors: selectors{broken}}, false},
		"malformed beside another":    {&allocation{NamespaceSelectors: selectors{broken, match("tenant", "a")}}, true},
	} {
		p := pool("p", 0, "203.0.113.0/24")
		p.Spec.ServiceAllocation = c.spec
		set, issues := Accept([]*v1alpha1.IPAddressPool{p})
		if got := set.Get("p").Serves(blue); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if malformed := strings.HasPrefix(name, "malformed"); malformed != (len(issues) == 1 && issues[0].Reason == v1alpha1.ReasonInvalidSelector) {
			t.Errorf("%s: %v", name, issues)
		}
	}
}
