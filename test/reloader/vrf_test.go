package reloader

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/link"
)

const red = "red"

// withRed is a configuration with a router in another VRF: the same neighbor, an
// AS number of its own, a community of its own, and these prefixes.
func withRed(c config, community string, networks ...string) string {
	lines, discards := "", ""
	for _, prefix := range networks {
		lines += "  network " + prefix + " route-map herald.gold\n"
		if !strings.HasSuffix(prefix, "/32") {
			discards += " ip route " + prefix + " blackhole 254\n"
		}
	}
	c.top = "vrf red\n ip nht resolve-via-default\n ipv6 nht resolve-via-default\n" + discards + "exit-vrf\n!\n" + c.top
	c.maps += "route-map herald.out.red permit 100\n match tag 123\n set community " + community + "\nexit\n!\n"
	const routersEnd = "ip nht resolve-via-default\n!\nipv6 nht"
	return strings.Replace(c.String(), "!\n"+routersEnd, `!
router bgp 64600 vrf red
 bgp router-id 10.10.0.11
 no bgp default ipv4-unicast
 coalesce-time 0
 no bgp network import-check
 neighbor 10.10.0.1 remote-as 64500
 neighbor 10.10.0.1 timers connect 1
 !
 address-family ipv4 unicast
`+lines+`  neighbor 10.10.0.1 activate
  neighbor 10.10.0.1 route-map herald.in in
  neighbor 10.10.0.1 route-map herald.out.red out
 exit-address-family
exit
!
`+routersEnd, 1)
}

func sessionIn(r report.Report, vrf string) report.Session {
	at := slices.IndexFunc(r.Sessions, func(s report.Session) bool { return s.VRF == vrf })
	if at < 0 {
		return report.Session{}
	}
	return r.Sessions[at]
}

// S12: a VRF that the node doesn't have yet is configured, told, changed and
// removed, and the default VRF's session with the same address doesn't notice.
func TestVRFThatTheNodeDoesNotHave(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		host := config{networks: []string{"203.0.113.7/32"}}
		n.apply(host.String())
		want := map[string]string{"203.0.113.7/32": "64512:1"}
		untilRoutes(t, r, want)
		before := sessionOf(t, r)

		steps := func(what, body string, want ...string) {
			t.Helper()
			if got := n.apply(body).LastApply.Steps; !slices.Equal(got, want) {
				t.Errorf("%s: steps %v, want %v", what, got, want)
			}
		}
		steps("a VRF comes", withRed(host, "64512:2", "203.0.113.8/32", "203.0.113.0/24"), "vtysh-add", "vty-add")
		got := n.until("the missing VRF to be told", func(r report.Report) bool { return sessionIn(r, red).VRFMissing })
		if s := sessionIn(got, red); s.Address != "10.10.0.1" || s.State != "Idle" || s.LastResetReason != `the node has no VRF device "red"` {
			t.Errorf("%+v", s)
		}
		if s := sessionIn(got, ""); s.VRFMissing || s.State != "Established" {
			t.Errorf("%+v", s)
		}
		steps("one prefix more there", withRed(host, "64512:2", "203.0.113.8/32", "203.0.113.9/32", "203.0.113.0/24"), "vty-add")
		steps("its attributes change", withRed(host, "64512:3", "203.0.113.8/32", "203.0.113.9/32", "203.0.113.0/24"), "vtysh-add", "clear-soft")
		steps("its aggregate goes", withRed(host, "64512:3", "203.0.113.8/32"), "vty-remove", "frr-reload")

		n.vtysh("configure terminal", "no router bgp 64600 vrf red")
		n.until("the VRF's router to come back", func(r report.Report) bool {
			return r.Drift != nil && slices.Contains(r.Drift.Lines, "+ router bgp 64600 vrf red") && r.Drift.Repaired
		})
		// Loaded by FRR's own start, and gone with all that it had.
		n.apply(withRed(host, "64512:3", "203.0.113.8/32", "203.0.113.0/24"))
		running := n.vtysh("show running-config")
		for _, line := range []string{"router bgp 64600 vrf red\n", "  network 203.0.113.0/24 route-map herald.gold\n", " ip route 203.0.113.0/24 blackhole 254\n"} {
			if !strings.Contains(running, line) {
				t.Errorf("FRR lacks %q:\n%s", line, running)
			}
		}
		n.apply(host.String())
		running = n.vtysh("show running-config")
		for _, line := range []string{"64600", "blackhole", "herald.out.red"} {
			if strings.Contains(running, line) {
				t.Errorf("FRR still has %q:\n%s", line, running)
			}
		}
		untilRoutes(t, r, want)
		if after := sessionOf(t, r); before.resetUntil(after) {
			t.Errorf("the session was reset: %+v, %+v", before, after)
		}
	})
}

// S12: two routers of one address, each in a VRF of its own, get what is meant for
// them. The VRF is one that zebra backs by a network namespace: this needs no VRF
// device in the kernel. It comes up when the namespace appears.
func TestSameAddressInTwoVRFs(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n := newNode(t, v)
		r := newRouter(t, n, 64500)
		inRed := frr.Start(t, frr.V10_3, frr.Name("router-red"), frr.Startup(strings.ReplaceAll(routerConfig(64500), "64512", "64600")))
		n.startFRRWithNamespaces()
		n.startReloader()
		host := config{networks: []string{"203.0.113.7/32"}}
		n.apply(withRed(host, "64600:2", "203.0.113.8/32"))
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		n.until("the missing VRF to be told", func(r report.Report) bool { return sessionIn(r, red).VRFMissing })
		before := sessionOf(t, r)

		n.addNamespace(red, inRed)
		n.until("the session in the VRF", func(r report.Report) bool {
			s := sessionIn(r, red)
			return s.State == "Established" && !s.VRFMissing && s.IPv4 != nil && s.IPv4.Sent == 1
		})
		untilRoutes(t, inRed, map[string]string{"203.0.113.8/32": "64600:2"})
		inside := sessionOf(t, inRed)
		n.apply(withRed(host, "64600:3", "203.0.113.8/32", "203.0.113.9/32"))
		untilRoutes(t, inRed, map[string]string{"203.0.113.8/32": "64600:3", "203.0.113.9/32": "64600:3"})
		n.apply(withRed(config{networks: []string{"203.0.113.6/32", "203.0.113.7/32"}}, "64600:3", "203.0.113.9/32"))
		untilRoutes(t, inRed, map[string]string{"203.0.113.9/32": "64600:3"})
		untilRoutes(t, r, map[string]string{"203.0.113.6/32": "64512:1", "203.0.113.7/32": "64512:1"})
		if after := sessionOf(t, inRed); inside.resetUntil(after) {
			t.Errorf("the VRF's session was reset: %+v, %+v", inside, after)
		}

		n.apply(host.String())
		untilRoutes(t, inRed, map[string]string{})
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		if after := sessionOf(t, r); before.resetUntil(after) {
			t.Errorf("the default VRF's session was reset: %+v, %+v", before, after)
		}
	})
}

// startFRRWithNamespaces starts an FRR whose VRFs are network namespaces: zebra
// watches for them where it finds their directory.
func (n *node) startFRRWithNamespaces() {
	n.t.Helper()
	script := n.path("bin", "frr-start.sh")
	text, err := os.ReadFile(script)
	must(n.t, err)
	const options = `zebra_options="`
	changed := strings.Replace(string(text), options, options+"-n ", 1)
	if changed == string(text) {
		n.t.Fatalf("no %s in frr-start.sh", options)
	}
	must(n.t, os.WriteFile(script, []byte(changed), 0o755))
	n.frr = n.container("frr")
	n.inFRR("ip", "netns", "add", "other")
	n.start(n.frr, "frr", "/opt/herald/frr-start.sh")
}

// addNamespace makes a VRF and connects a router in it.
func (n *node) addNamespace(name string, r *frr.Instance) {
	n.t.Helper()
	n.inFRR("ip", "netns", "add", name)
	must(n.t, link.Connect(
		link.End{Box: n.host, Name: "up1"},
		link.End{Box: r.Box(), Name: "down0", Addresses: []netip.Prefix{routerAddress}},
	))
	n.inFRR("ip", "link", "set", "up1", "netns", name)
	for _, command := range []string{"link set lo up", "addr add " + nodeAddress.String() + " dev up1", "link set up1 up"} {
		n.inFRR(append([]string{"ip", "-n", name}, strings.Fields(command)...)...)
	}
}

func (n *node) inFRR(command ...string) {
	n.t.Helper()
	out, err := n.frr.Run(n.t.Context(), command...)
	if err != nil {
		n.t.Fatalf("%v\n%s", err, out)
	}
}
