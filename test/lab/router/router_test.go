package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/workdir"
	"github.com/herald-lb/herald/test/thirdparty"
)

const (
	routerASN = 64500
	nodeASN   = 64512
	password  = "s3cret"
)

var (
	node4, node6     = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	router4, router6 = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")
	vip4             = netip.MustParsePrefix("203.0.113.7/32")
	vip6             = netip.MustParsePrefix("2001:db8::7/128")
	external4        = netip.MustParsePrefix("198.51.100.0/24")
)

func on(addr netip.Addr) netip.Prefix {
	bits := 24
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits)
}

// speaker is an FRR that announces a prefix of each family to the router, over
// a session of that family, with communities.
func speaker(t *testing.T) *frr.Instance {
	var b strings.Builder
	fmt.Fprintf(&b, "router bgp %d\n bgp router-id %s\n no bgp default ipv4-unicast\n no bgp network import-check\n", nodeASN, node4)
	for _, n := range []netip.Addr{router4, router6} {
		fmt.Fprintf(&b, " neighbor %s remote-as %d\n neighbor %s timers connect 1\n neighbor %s password %s\n", n, routerASN, n, n, password)
	}
	for _, f := range []struct {
		peer netip.Addr
		vip  netip.Prefix
	}{{router4, vip4}, {router6, vip6}} {
		fmt.Fprintf(&b, " address-family %s unicast\n  network %s\n  neighbor %s activate\n  neighbor %s route-map out out\n  neighbor %s route-map in in\n exit-address-family\n",
			router.FamilyOf(f.vip), f.vip, f.peer, f.peer, f.peer)
	}
	b.WriteString("exit\nroute-map in permit 1\nexit\nroute-map out permit 1\n set community 64512:100 no-export\n set large-community 64512:1:2\n set metric 50\n set as-path prepend 64512\nexit\n")
	return frr.Start(t, frr.V10_3, frr.Name("node"), frr.Startup(b.String()))
}

func TestEveryMakeTellsTheSameStory(t *testing.T) {
	thirdparty.Need(t, frr.V8_4.Root(), frr.V10_3.Root())
	for _, c := range []router.Config{
		{Make: router.FRR, FRRVersion: frr.V8_4},
		{Make: router.FRR, FRRVersion: frr.V10_3},
		{Make: router.BIRD},
		{Make: router.GoBGP},
	} {
		t.Run(string(c.Make)+string(c.FRRVersion), func(t *testing.T) {
			t.Parallel()
			testMake(t, c)
		})
	}
}

func testMake(t *testing.T, c router.Config) {
	node := speaker(t)
	dir := workdir.For(t, "router")
	host, err := sandbox.Start(sandbox.Spec{Name: "tor", Dir: filepath.Join(dir, "host")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Kill)
	if err := host.Sysctl(router.Sysctls); err != nil {
		t.Fatal(err)
	}
	err = link.Connect(
		link.End{Box: node.Box(), Name: "eth0", Addresses: []netip.Prefix{on(node4), on(node6)}},
		link.End{Box: host, Name: "eth0", Addresses: []netip.Prefix{on(router4), on(router6)}})
	if err != nil {
		t.Fatal(err)
	}
	c.Name, c.ASN, c.RouterID = "tor", routerASN, router4
	c.Neighbors = []router.Neighbor{{Address: node4, ASN: nodeASN, Password: password}, {Address: node6, ASN: nodeASN, Password: "wrong"}}
	c.Announce = []netip.Prefix{external4}
	var count router.Counter
	r, err := router.Start(host, filepath.Join(dir, "r"), c, &count)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.Logs(40))
		}
		r.Stop()
	})

	before := waitEstablished(t, r, node4)
	expectRoutes(t, r, vip4, node4)
	if s := sessions(t, r)[node6]; s.State == router.Established {
		t.Error("a session with the wrong password is established")
	}
	c.Neighbors[1].Password = password
	if err := r.Configure(c); err != nil {
		t.Fatal(err)
	}
	waitEstablished(t, r, node6)
	expectRoutes(t, r, vip6, node6)
	if after := sessions(t, r)[node4]; before.ResetUntil(after) {
		t.Errorf("configuring one neighbor reset the other: %+v, then %+v", before, after)
	}
	expectReceived(t, node)
	if c.Make != router.GoBGP {
		expectKernel(t, r, vip4, node4)
		expectKernel(t, r, vip6, node6)
	}
	if err := r.Disable(t.Context(), node4); err != nil {
		t.Fatal(err)
	}
	until(t, "route gone with its session", func(ctx context.Context) (bool, error) {
		routes, err := r.Routes(ctx, router.IPv4)
		return err == nil && len(routes[vip4]) == 0, err
	})
	if err := r.Enable(t.Context(), node4); err != nil {
		t.Fatal(err)
	}
	if again := waitEstablished(t, r, node4); !before.ResetUntil(again) {
		t.Errorf("a reset can't be told: %+v, then %+v", before, again)
	}
	if c.Make == router.BIRD {
		expectChangesCounted(t, node, r)
	}
	if count.Reads() == 0 {
		t.Error("reads aren't counted")
	}
}

// expectChangesCounted checks that a withdrawal and a new route show in the
// count, and a repetition doesn't.
func expectChangesCounted(t *testing.T, node *frr.Instance, r router.Router) {
	t.Helper()
	expectRoutes(t, r, vip4, node4)
	changes := sessions(t, r)[node4].Changes
	if changes == 0 {
		t.Error("the route that came isn't counted")
	}
	for _, command := range []string{"no network ", "network "} {
		_, err := node.Vtysh("-c", fmt.Sprintf("clear bgp %s soft out", router4), "-c", "configure terminal",
			"-c", fmt.Sprint("router bgp ", nodeASN), "-c", "address-family ipv4 unicast", "-c", command+vip4.String())
		if err != nil {
			t.Fatal(err)
		}
		changes++
		until(t, command+"is counted", func(ctx context.Context) (bool, error) {
			all, err := r.Sessions(ctx)
			return all[node4].Changes == changes, errors.Join(err, fmt.Errorf("%d changes, want %d", all[node4].Changes, changes))
		})
	}
}

func until(t *testing.T, what string, met wait.Condition) {
	t.Helper()
	if err := wait.Until(t.Context(), what, wait.Session, met); err != nil {
		t.Fatal(err)
	}
}

func sessions(t *testing.T, r router.Router) map[netip.Addr]router.Session {
	t.Helper()
	s, err := r.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func waitEstablished(t *testing.T, r router.Router, peer netip.Addr) router.Session {
	t.Helper()
	var s router.Session
	until(t, "session with "+peer.String(), func(ctx context.Context) (bool, error) {
		all, err := r.Sessions(ctx)
		s = all[peer]
		return s.State == router.Established, err
	})
	if s.Since.IsZero() || s.RemoteASN != nodeASN || s.RemoteID != node4 {
		t.Errorf("session %+v lacks its time, its ASN or its identifier", s)
	}
	return s
}

func expectRoutes(t *testing.T, r router.Router, prefix netip.Prefix, peer netip.Addr) {
	t.Helper()
	want := []router.Route{{
		NextHop: peer, Peer: peer, ASPath: []uint32{nodeASN, nodeASN}, MED: 50,
		Communities: []string{"64512:100", "no-export"}, LargeCommunities: []string{"64512:1:2"},
	}}
	var have router.Routes
	err := wait.Until(t.Context(), "route "+prefix.String(), wait.Route, func(ctx context.Context) (bool, error) {
		var err error
		have, err = r.Routes(ctx, router.FamilyOf(prefix))
		for i := range have[prefix] {
			have[prefix][i].LocalPref = 0 // BIRD fills in its default
		}
		return reflect.DeepEqual(have[prefix], want), err
	})
	if err != nil {
		t.Fatalf("%v: have %+v, want %+v", err, have, want)
	}
}

func expectKernel(t *testing.T, r router.Router, prefix netip.Prefix, peer netip.Addr) {
	t.Helper()
	until(t, "kernel route "+prefix.String(), func(ctx context.Context) (bool, error) {
		hops, err := r.KernelNextHops(ctx, prefix)
		return len(hops) == 1 && hops[0] == peer, err
	})
}

// expectReceived checks that the router announces what it is told to.
func expectReceived(t *testing.T, node *frr.Instance) {
	t.Helper()
	until(t, "the router's own prefix at the node", func(context.Context) (bool, error) {
		out, err := node.Show("bgpd", "show bgp ipv4 unicast json")
		return strings.Contains(out, `"`+external4.String()+`"`), err
	})
}
