package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const extraBase = `ip route 10.1.0.0/16 192.0.2.9
ip route 203.0.113.0/24 blackhole 254
bfd
 profile fast
  detect-multiplier 5
 exit
exit
route-map herald.gold permit 1
 set tag 7
exit
router bgp 64512
 bgp router-id 10.0.0.1
 neighbor 192.0.2.1 remote-as 64513
 neighbor 192.0.2.1 password hush
 address-family ipv4 unicast
  network 203.0.113.7/32 route-map herald.gold
  neighbor 192.0.2.1 activate
 exit-address-family
exit
`

// What is added to a configuration and what is found to be more are the same.
func TestPlusAndMinusAreReverse(t *testing.T) {
	for name, extra := range map[string]string{
		"top":        "ip prefix-list mine seq 5 permit any\n",
		"new block":  "vrf red\n ip route 10.9.0.0/24 192.0.2.9\nexit-vrf\n",
		"in a block": "bfd\n profile slow\n  transmit-interval 1000\n exit\nexit\n",
		"route-map":  "route-map mine permit 10\n match tag 5\n set metric 5\nexit\nroute-map mine deny 20\nexit\n",
		"router":     "router bgp 64512\n neighbor 192.0.2.9 remote-as 64999\n address-family ipv4 unicast\n  neighbor 192.0.2.9 activate\n exit-address-family\n address-family ipv6 unicast\n  redistribute static\n exit-address-family\nexit\n",
		"vrf router": "router bgp 64512 vrf red\n bgp router-id 10.0.0.2\nexit\n",
	} {
		base := Parse(extraBase)
		sum := base.Plus(Parse(extra))
		if diff := cmp.Diff(extra, sum.Minus(base).Text(Quirks{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if lost := base.Minus(sum); !lost.Empty() {
			t.Errorf("%s: lost %s", name, lost.Text(Quirks{}))
		}
		if again := sum.Plus(Parse(extra)); again.Text(Quirks{}) != sum.Text(Quirks{}) {
			t.Errorf("%s: added twice:\n%s", name, again.Text(Quirks{}))
		}
		if base.Text(Quirks{}) != Parse(extraBase).Text(Quirks{}) {
			t.Errorf("%s: the base has changed:\n%s", name, base.Text(Quirks{}))
		}
		// The sum is what FRR would print of it: the plan to it is empty.
		state := &State{Daemons: map[string]*Config{BGPDaemon: Parse(sum.Text(Quirks{}))}}
		if deltas := Deltas(sum, state); len(deltas) > 0 {
			t.Errorf("%s: %v", name, deltas)
		}
	}
}

func TestPlusPutsLinesIntoTheirInnerBlock(t *testing.T) {
	base := Parse("bfd\n profile a\n  detect-multiplier 5\n exit\n profile b\n  detect-multiplier 6\n exit\nexit\n")
	got := base.Plus(Parse("bfd\n profile a\n  passive-mode\n exit\nexit\n")).Text(Quirks{})
	want := "bfd\n profile a\n  detect-multiplier 5\n  passive-mode\n exit\n profile b\n  detect-multiplier 6\n exit\nexit\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An instance has one AS number: what was found for another is left out.
func TestPlusLeavesOutAnInstanceOfAnotherASNumber(t *testing.T) {
	base := Parse(extraBase)
	if sum := base.Plus(Parse("router bgp 64999\n neighbor 192.0.2.9 remote-as 1\nexit\n")); sum.Text(Quirks{}) != base.Text(Quirks{}) {
		t.Error(sum.Text(Quirks{}))
	}
}

func TestSkeletonIsWhatServicesDontChange(t *testing.T) {
	got := Parse(extraBase).Skeleton().Text(Quirks{})
	for _, gone := range []string{"network", "blackhole", "herald.gold", "hush"} {
		if strings.Contains(got, gone) {
			t.Errorf("%q is in\n%s", gone, got)
		}
	}
	for _, kept := range []string{"ip route 10.1.0.0/16 192.0.2.9\n", "  detect-multiplier 5\n", " neighbor 192.0.2.1 remote-as 64513\n", "  neighbor 192.0.2.1 activate\n"} {
		if !strings.Contains(got, kept) {
			t.Errorf("%q is not in\n%s", kept, got)
		}
	}
}

func TestDefinesFindsWhatIsThereAlready(t *testing.T) {
	base := Parse(extraBase)
	for extra, want := range map[string]string{
		"bfd\n profile fast\n  passive-mode\n exit\nexit\n": "profile fast",
		"bfd\n profile slow\n  passive-mode\n exit\nexit\n": "",
		"route-map herald.gold permit 2\nexit\n":            "route-map herald.gold",
		"route-map mine permit 2\nexit\n":                   "",
	} {
		if got := strings.Join(base.Defines(Parse(extra)), " "); got != want {
			t.Errorf("%q: %q, want %q", extra, got, want)
		}
	}
}
