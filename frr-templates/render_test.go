package frrtemplates

import (
	"bytes"
	"fmt"
	"math/rand"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// sample is a Config that renders, with one of everything.
func sample() Config {
	out := OutboundMap("tor-a", IPv4)
	return Config{
		RouteMaps: []RouteMap{
			{Name: "herald.a", Entries: []RouteMapEntry{{Permit: true, Sequence: 1, SetTag: 5}}},
			{Name: DenyMap, Entries: []RouteMapEntry{{Sequence: 65535}}},
			{Name: out, Entries: []RouteMapEntry{
				{Permit: true, Sequence: 7, MatchTag: 5, Communities: []string{"1:2", "no-export"}},
				{Sequence: 65535},
			}},
		},
		Routers: []Router{{
			ASN: 64512, RouterID: addr("10.0.0.1"),
			Neighbors: []Neighbor{{
				End: End{Address: addr("192.0.2.1")}, RemoteASN: 64513, Port: 1179, Password: NewSecret("hush"),
				HasTimers: true, HoldTime: 9 * time.Second, KeepaliveTime: 3 * time.Second, ConnectTime: 5 * time.Second,
			}},
			Families: []RouterFamily{{
				Family:    IPv4,
				Networks:  []Network{{netip.MustParsePrefix("203.0.113.7/32"), "herald.a"}, {netip.MustParsePrefix("203.0.113.64/26"), "herald.a"}},
				Neighbors: []NeighborFamily{{End: End{Address: addr("192.0.2.1")}, InMap: DenyMap, OutMap: out}},
			}},
			Discards: []netip.Prefix{netip.MustParsePrefix("203.0.113.64/26"), netip.MustParsePrefix("2001:db8::/64")},
		}},
	}
}

func TestRender(t *testing.T) {
	want := `no ip forwarding
no ipv6 forwarding
!
ip route 203.0.113.64/26 blackhole 254
ipv6 route 2001:db8::/64 blackhole 254
!
route-map herald.a permit 1
 set tag 5
exit
!
route-map herald_deny deny 65535
exit
!
route-map herald_out_tor-a_ipv4 permit 7
 match tag 5
 set community 1:2 no-export
exit
!
route-map herald_out_tor-a_ipv4 deny 65535
exit
!
router bgp 64512
 bgp router-id 10.0.0.1
 no bgp default ipv4-unicast
 coalesce-time 0
 no bgp network import-check
 neighbor 192.0.2.1 remote-as 64513
 neighbor 192.0.2.1 password hush
 neighbor 192.0.2.1 port 1179
 neighbor 192.0.2.1 timers 3 9
 neighbor 192.0.2.1 timers connect 5
 neighbor 192.0.2.1 graceful-restart-disable
 !
 address-family ipv4 unicast
  network 203.0.113.7/32 route-map herald.a
  network 203.0.113.64/26 route-map herald.a
  neighbor 192.0.2.1 activate
  neighbor 192.0.2.1 route-map herald_deny in
  neighbor 192.0.2.1 route-map herald_out_tor-a_ipv4 out
 exit-address-family
exit
!
ip nht resolve-via-default
!
ipv6 nht resolve-via-default
!
`
	got, err := Render(sample())
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestDiscardsOfAVRFAreInItsBlock(t *testing.T) {
	config := sample()
	config.Routers[0].VRF = "red"
	got, err := Render(config)
	want := "!\nvrf red\n ip nht resolve-via-default\n ipv6 nht resolve-via-default\n ip route 203.0.113.64/26 blackhole 254\n ipv6 route 2001:db8::/64 blackhole 254\nexit-vrf\n!\nroute-map"
	if err != nil || !strings.Contains(string(got), want) {
		t.Errorf("%v\n%s", err, got)
	}
}

// TestRenderRefuses is the last defence: whatever compile let through, no text
// becomes another line or another word.
func TestRenderRefuses(t *testing.T) {
	router := func(c *Config) *Router { return &c.Routers[0] }
	neighbor := func(c *Config) *Neighbor { return &c.Routers[0].Neighbors[0] }
	family := func(c *Config) *RouterFamily { return &c.Routers[0].Families[0] }
	entry := func(c *Config) *RouteMapEntry { return &c.RouteMaps[2].Entries[0] }
	for name, spoil := range map[string]func(*Config){
		"route-map with a line break": func(c *Config) { c.RouteMaps[0].Name = "herald.a\n!" },
		"route-map with a blank":      func(c *Config) { c.RouteMaps[0].Name = "herald.a permit" },
		"route-map without a name":    func(c *Config) { c.RouteMaps[0].Name = "" },
		"route-map without an entry":  func(c *Config) { c.RouteMaps[0].Entries = nil },
		"sequence 0":                  func(c *Config) { entry(c).Sequence = 0 },
		"sequences out of order":      func(c *Config) { c.RouteMaps[2].Entries[1].Sequence = 7 },
		"community with a line break": func(c *Config) { entry(c).Communities[0] = "1:2\n set tag 9" },
		"community of two words":      func(c *Config) { entry(c).Communities[0] = "1:2 additive" },
		"too many large communities": func(c *Config) {
			entry(c).LargeCommunities = slices.Repeat([]string{"1:2:3"}, MaxLargeCommunities+1)
		},
		"too many communities":               func(c *Config) { entry(c).Communities = slices.Repeat([]string{"1:2"}, MaxCommunities+1) },
		"VRF with a line break":              func(c *Config) { router(c).VRF = "a\nb" },
		"VRF that is FRR's word for all":     func(c *Config) { router(c).VRF = "all" },
		"VRF with a name that is too long":   func(c *Config) { router(c).VRF = strings.Repeat("r", 16) },
		"VRF that begins with a comment":     func(c *Config) { router(c).VRF = "!red" },
		"ASN 0":                              func(c *Config) { router(c).ASN = 0 },
		"no router-id":                       func(c *Config) { router(c).RouterID = netip.Addr{} },
		"router-id 0.0.0.0":                  func(c *Config) { router(c).RouterID = addr("0.0.0.0") },
		"router-id of IPv6":                  func(c *Config) { router(c).RouterID = addr("2001:db8::1") },
		"no neighbor address":                func(c *Config) { neighbor(c).Address = netip.Addr{} },
		"neighbor address with a zone":       func(c *Config) { neighbor(c).Address = addr("fe80::1").WithZone("eth0\n!") },
		"neighbor ASN 0":                     func(c *Config) { neighbor(c).RemoteASN = 0 },
		"hold time of 1.5 s":                 func(c *Config) { neighbor(c).HoldTime = 1500 * time.Millisecond },
		"negative connect time":              func(c *Config) { neighbor(c).ConnectTime = -time.Second },
		"password with a line break":         func(c *Config) { neighbor(c).Password = NewSecret("a\nb") },
		"password with a blank":              func(c *Config) { neighbor(c).Password = NewSecret("a b") },
		"password with a tab":                func(c *Config) { neighbor(c).Password = NewSecret("a\tb") },
		"password outside ASCII":             func(c *Config) { neighbor(c).Password = NewSecret("ä") },
		"password that ends with ?":          func(c *Config) { neighbor(c).Password = NewSecret("a?") },
		"password of 81 characters":          func(c *Config) { neighbor(c).Password = NewSecret(strings.Repeat("x", 81)) },
		"family 5":                           func(c *Config) { family(c).Family = 5 },
		"family's neighbor with a zone":      func(c *Config) { family(c).Neighbors[0].Address = addr("fe80::1%x") },
		"inbound map that is not there":      func(c *Config) { family(c).Neighbors[0].InMap = "none" },
		"outbound map that is not there":     func(c *Config) { family(c).Neighbors[0].OutMap = "" },
		"network's map that is not there":    func(c *Config) { family(c).Networks[0].RouteMap = "herald.b\n!" },
		"network of the other family":        func(c *Config) { family(c).Networks[0].Prefix = netip.MustParsePrefix("2001:db8::/64") },
		"network with host bits":             func(c *Config) { family(c).Networks[0].Prefix = netip.MustParsePrefix("203.0.113.7/24") },
		"discard route with host bits":       func(c *Config) { router(c).Discards[0] = netip.MustParsePrefix("203.0.113.7/24") },
		"discard route of the zero value":    func(c *Config) { router(c).Discards[1] = netip.Prefix{} },
		"network that is the zero value":     func(c *Config) { family(c).Networks[0].Prefix = netip.Prefix{} },
		"network that is an IPv4 in an IPv6": func(c *Config) { family(c).Networks[0].Prefix = netip.PrefixFrom(addr("::ffff:1.2.3.4"), 128) },
	} {
		t.Run(name, func(t *testing.T) {
			config := sample()
			spoil(&config)
			if body, err := Render(config); err == nil {
				t.Errorf("rendered:\n%s", body)
			} else if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "a?") {
				t.Errorf("the error repeats what it shouldn't: %q", err)
			}
		})
	}
}

// The text comes behind what the buffer has, and into its memory where there is room.
func TestAppend(t *testing.T) {
	want, err := Render(sample())
	if err != nil {
		t.Fatal(err)
	}
	buffer := append(make([]byte, 0, 1<<16), "! first\n"...)
	got, err := NewRenderer().Append(buffer, sample())
	if err != nil || string(got) != "! first\n"+string(want) {
		t.Errorf("%v\n%s", err, got)
	}
	if &got[0] != &buffer[0] {
		t.Error("the buffer has room, and the text is elsewhere")
	}
}

func TestRendererEqualsRender(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	renderer := NewRenderer()
	for step := range 300 {
		config := sample()
		config.RouteMaps = append(config.RouteMaps, RouteMap{Name: "herald.b", Entries: []RouteMapEntry{{Permit: true, Sequence: 1, SetTag: 6}}})
		networks := randomNetworks(random)
		config.Routers[0].Families[0].Networks = networks
		if random.Intn(10) == 0 {
			config.Routers = nil
		}
		want, err := Render(config)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := renderer.Render(config); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("step %d: %v\n%s\nwant\n%s", step, err, got, want)
		}
	}
}

func randomNetworks(random *rand.Rand) []Network {
	var networks []Network
	for i := range 30 {
		if random.Intn(2) == 0 {
			prefix := netip.MustParsePrefix(fmt.Sprintf("203.0.113.%d/32", i))
			networks = append(networks, Network{prefix, []string{"herald.a", "herald.b"}[random.Intn(2)]})
		}
	}
	if random.Intn(10) == 0 {
		random.Shuffle(len(networks), func(i, j int) { networks[i], networks[j] = networks[j], networks[i] })
	}
	return networks
}

// A Renderer that refused one Config renders the next as if nothing had been.
func TestRendererAfterAnError(t *testing.T) {
	renderer, bad := NewRenderer(), sample()
	bad.Routers[0].Families[0].Networks[0].Prefix = netip.MustParsePrefix("2001:db8::/64")
	want, _ := Render(sample())
	for range 2 {
		if _, err := renderer.Render(bad); err == nil {
			t.Fatal("rendered")
		}
		if got, err := renderer.Render(sample()); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n%s", err, got)
		}
	}
}
