package reloader

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/wait"
)

// behindInterface adds a neighbor without an address to a configuration, which
// carries both families.
func behindInterface(c config, lines string) string {
	return strings.NewReplacer(
		"router bgp", "interface p2p0\n ipv6 nd ra-lifetime 0\nexit\n!\nrouter bgp",
		" neighbor 10.10.0.1 remote-as", " neighbor p2p0 interface v6only remote-as external\n"+lines+" neighbor 10.10.0.1 remote-as",
		"  neighbor 10.10.0.1 activate\n", "  neighbor p2p0 activate\n  neighbor p2p0 route-map herald.in in\n  neighbor p2p0 route-map herald.out.a out\n  neighbor 10.10.0.1 activate\n",
		" exit-address-family\n", ` exit-address-family
 !
 address-family ipv6 unicast
  network 2001:db8:113::7/128 route-map herald.gold
  neighbor p2p0 activate
  neighbor p2p0 route-map herald.in in
  neighbor p2p0 route-map herald.out.a out
 exit-address-family
`).Replace(c.String())
}

const unnumberedRouter = `bfd
exit
router bgp 64500
 neighbor p2p1 interface remote-as external
 neighbor p2p1 timers connect 1
 neighbor p2p1 password hush
 neighbor p2p1 bfd
 address-family ipv4 unicast
  neighbor p2p1 activate
 exit-address-family
 address-family ipv6 unicast
  neighbor p2p1 activate
 exit-address-family
exit
`

// S11, R12: a router behind an interface is found, watched and left again, beside a
// session that doesn't notice. Neither end becomes the other's default router, and
// no sysctl changes.
func TestUnnumbered(t *testing.T) {
	t.Parallel()
	plain := config{networks: []string{"203.0.113.7/32"}}
	const parameters = " neighbor p2p0 bfd\n neighbor p2p0 password hush\n neighbor p2p0 timers connect 1\n"
	onBoth(t, func(t *testing.T, v frr.Version) {
		n := newNode(t, v)
		r := newRouter(t, n, 64500)
		must(t, link.Connect(link.End{Box: n.host, Name: "p2p0"}, link.End{Box: r.Box(), Name: "p2p1"}))
		must(t, r.LoadConfig(unnumberedRouter))
		n.startFRR()
		n.startReloader()
		n.apply(plain.String())
		n.until("the session with an address", established)
		before, sysctls := sessionOf(t, r), sysctlsOf(t, n)

		n.apply(behindInterface(plain, parameters))
		found := n.until("the session behind the interface, and BFD", func(r report.Report) bool {
			s := sessionNamed(r, "p2p0")
			return s.State == "Established" && s.BFD != nil && s.BFD.State == "Up" && s.IPv4 != nil && s.IPv6 != nil
		})
		if s := sessionNamed(found, "p2p0"); s.LinkLocal != linkLocalOf(t, r, "p2p1") || !s.ExtendedNextHop {
			t.Errorf("%+v", s)
		}
		if s := sessionNamed(found, "10.10.0.1"); s.LinkLocal != "" || s.ExtendedNextHop {
			t.Errorf("%+v", s)
		}
		own := linkLocalOf(t, hostRunner{n}, "p2p0")
		untilKernel(t, r, "203.0.113.7", "via inet6 "+own+" dev p2p1")
		untilKernel(t, r, "2001:db8:113::7", "via "+own+" dev p2p1")
		if route := kernelRoute(t, r, "default"); route != "" {
			t.Errorf("the node made itself a default router: %s", route)
		}

		t.Log("another AS number: in place; a change of policy: at once, without a reset")
		edited := strings.Replace(behindInterface(plain, parameters), "p2p0 interface v6only remote-as external", "p2p0 interface v6only remote-as 64500", 1)
		n.apply(edited)
		again := n.until("the session again", func(r report.Report) bool {
			s := sessionNamed(r, "p2p0")
			return s.State == "Established" && s.Flaps > sessionNamed(found, "p2p0").Flaps
		})
		changed := n.apply(strings.Replace(edited, "64512:1\n", "64512:2\n", 1))
		s, flaps := sessionNamed(n.report(), "p2p0"), sessionNamed(again, "p2p0").Flaps
		if s.Flaps != flaps || !slices.Contains(changed.LastApply.Steps, "clear-soft") {
			t.Errorf("steps %q, flaps %d instead of %d", changed.LastApply.Steps, s.Flaps, flaps)
		}
		untilPath(t, r, "64512:2")

		t.Log("and away again")
		gone := n.apply(plain.String())
		if slices.Contains(gone.LastApply.Steps, "frr-reload") {
			t.Errorf("frr-reload was needed: %q", gone.LastApply.Steps)
		}
		if text := n.vtysh("show running-config"); strings.Contains(text, "p2p0") {
			t.Errorf("left over:\n%s", text)
		}
		if after := sessionOf(t, r); before.resetUntil(after) {
			t.Errorf("the other session was reset: %+v, %+v", before, after)
		}
		if after := sysctlsOf(t, n); after != sysctls {
			t.Errorf("sysctls changed:\n%s\nbefore:\n%s", after, sysctls)
		}
	})
}

func sessionNamed(r report.Report, name string) report.Session {
	for _, s := range r.Sessions {
		if s.Address == name {
			return s
		}
	}
	return report.Session{}
}

// runner runs commands where some network is.
type runner interface {
	Exec(cmd ...string) (string, error)
}

// hostRunner runs commands in the node's network.
type hostRunner struct{ n *node }

func (h hostRunner) Exec(cmd ...string) (string, error) { return h.n.host.Run(h.n.t.Context(), cmd...) }

func linkLocalOf(t *testing.T, r runner, name string) string {
	t.Helper()
	out, err := r.Exec("ip", "-6", "-json", "addr", "show", "dev", name, "scope", "link")
	must(t, err)
	var links []struct {
		Addresses []struct {
			Local string `json:"local"`
		} `json:"addr_info"`
	}
	must(t, json.Unmarshal([]byte(out), &links))
	if len(links) == 0 || len(links[0].Addresses) == 0 {
		t.Fatalf("%s has no link-local address: %s", name, out)
	}
	return links[0].Addresses[0].Local
}

// sysctlsOf are those by which the kernel forwards and takes router advertisements.
func sysctlsOf(t *testing.T, n *node) string {
	t.Helper()
	out, err := n.host.Run(t.Context(), "sh", "-c", "sysctl -a -r '^net.ipv[46].conf|^net.ipv4.ip_forward' 2>/dev/null || true")
	must(t, err)
	if !strings.Contains(out, "net.ipv6.conf.p2p0.accept_ra = 1") {
		t.Fatalf("no sysctl of p2p0:\n%s", out)
	}
	return out
}

// kernelRoute is what the router's kernel has for exactly this prefix, of both
// families for "default".
func kernelRoute(t *testing.T, r *frr.Instance, prefix string) string {
	t.Helper()
	var all string
	for _, family := range []string{"-4", "-6"} {
		if prefix != "default" && (family == "-6") != strings.Contains(prefix, ":") {
			continue
		}
		out, err := r.Exec("ip", family, "route", "show", "exact", prefix)
		must(t, err)
		all += out
	}
	return all
}

func untilKernel(t *testing.T, r *frr.Instance, prefix, holds string) {
	t.Helper()
	err := wait.Until(t.Context(), "the router's kernel has "+prefix+" "+holds, wait.Route, func(context.Context) (bool, error) {
		route := kernelRoute(t, r, prefix)
		return strings.Contains(route, holds), fmt.Errorf("it has %q", route)
	})
	must(t, err)
}

// untilPath waits for a community on the path over the interface: the prefix comes
// over the other session, too.
func untilPath(t *testing.T, r *frr.Instance, community string) {
	t.Helper()
	err := wait.Until(t.Context(), "IPv6 route with "+community, wait.Route, func(context.Context) (bool, error) {
		out, err := r.Show("bgpd", "show bgp ipv6 unicast 2001:db8:113::7/128 json")
		return strings.Contains(out, community), err
	})
	must(t, err)
}
