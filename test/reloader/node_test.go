package reloader

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/workdir"
	"github.com/herald-lb/herald/test/thirdparty"
)

// TestMain lets many tests wait for their routers at once: they need little
// processor time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// Addresses of the cable between node and router.
var (
	nodeAddress   = netip.MustParsePrefix("10.10.0.11/24")
	routerAddress = netip.MustParsePrefix("10.10.0.1/24")
)

// bootID is that of a node's first boot.
const bootID = "11111111-1111-1111-1111-111111111111"

// node is a host with FRR in one container and the reloader in another.
type node struct {
	t       *testing.T
	version frr.Version
	dir     string
	host    *sandbox.Box
	frr     *sandbox.Box
	rel     *sandbox.Process
	relBox  *sandbox.Box
	// args are added to the reloader's command line.
	args []string
}

// newNode makes the host; startFRR and startReloader follow.
func newNode(t *testing.T, v frr.Version) *node {
	t.Helper()
	thirdparty.Need(t, v.Root())
	dir := workdir.For(t, "rel")
	n := &node{t: t, version: v, dir: dir, args: []string{"--check-interval", "1s"}}
	for _, d := range []string{"run", "exchange", "bin"} {
		must(t, os.MkdirAll(n.path(d), 0o755))
	}
	must(t, binaries.Install(n.path("bin")))
	source, err := binaries.Source()
	must(t, err)
	script, err := os.ReadFile(filepath.Join(source, "reloader", "frr-start.sh"))
	must(t, err)
	must(t, os.WriteFile(n.path("bin", "frr-start.sh"), script, 0o755))
	n.writeBootID(bootID)
	n.host, err = sandbox.Start(sandbox.Spec{Name: "node", Dir: n.path("host")})
	must(t, err)
	t.Cleanup(n.host.Kill)
	t.Cleanup(func() {
		if t.Failed() {
			n.dump()
		}
	})
	return n
}

func (n *node) path(parts ...string) string {
	return filepath.Join(append([]string{n.dir}, parts...)...)
}

func (n *node) writeBootID(id string) {
	must(n.t, os.WriteFile(n.path("boot_id"), []byte(id+"\n"), 0o644))
}

// container is a box with FRR's image, in the host's network.
func (n *node) container(name string) *sandbox.Box {
	box, err := sandbox.Start(sandbox.Spec{
		Name: "node", Dir: n.path(fmt.Sprintf("%s-%d", name, time.Now().UnixNano())),
		Root: n.version.Root(), Within: n.host,
		Mounts: []sandbox.Mount{
			{Kind: sandbox.Bind, Source: n.path("run"), Target: "/run/frr"},
			{Kind: sandbox.Bind, Source: n.path("exchange"), Target: "/run/herald/exchange"},
			{Kind: sandbox.Bind, Source: n.path("bin"), Target: "/opt/herald", ReadOnly: true},
			{Kind: sandbox.Bind, Source: n.path("boot_id"), Target: exchange.BootIDFile},
			{Kind: sandbox.Tmpfs, Target: "/etc/frr"},
			{Kind: sandbox.Tmpfs, Target: "/tmp", Mode: "1777"},
		},
	})
	must(n.t, err)
	return box
}

// startFRR starts the container of FRR; a killed one may be replaced.
func (n *node) startFRR() *sandbox.Process {
	n.frr = n.container("frr")
	return n.start(n.frr, "frr", "/opt/herald/frr-start.sh")
}

func (n *node) start(box *sandbox.Box, log string, args ...string) *sandbox.Process {
	out, err := os.OpenFile(n.path(log+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(n.t, err)
	defer out.Close()
	p, err := box.Start(sandbox.Command{Args: args, Stdout: out, Stderr: out})
	must(n.t, err)
	return p
}

func (n *node) startReloader() {
	n.relBox = n.container("rel")
	n.rel = n.start(n.relBox, "reloader", append([]string{"/opt/herald/reloader"}, n.args...)...)
}

// stopReloader as Kubernetes does; its last report goes too.
func (n *node) stopReloader() {
	n.rel.Signal(unix.SIGTERM)
	_ = n.rel.Wait()
	n.relBox.Kill()
	must(n.t, os.Remove(n.path("exchange", exchange.ReportFile)))
}

// startNode makes a host where FRR and the reloader run.
func startNode(t *testing.T, v frr.Version) *node {
	t.Helper()
	n := newNode(t, v)
	n.startFRR()
	n.startReloader()
	return n
}

// startSite is startNode with a router, which is there before FRR is.
func startSite(t *testing.T, v frr.Version) (*node, *frr.Instance) {
	t.Helper()
	n := newNode(t, v)
	r := newRouter(t, n, 64500)
	n.startFRR()
	n.startReloader()
	return n, r
}

// write puts a configuration into the exchange directory and returns its hash.
func (n *node) write(body string) string {
	f := exchange.NewFile("test", "boot", []byte(body))
	must(n.t, exchange.WriteFile(n.path("exchange"), exchange.ConfigFile, f.Encode()))
	return f.Hash
}

func (n *node) report() report.Report {
	data, err := os.ReadFile(n.path("exchange", exchange.ReportFile))
	if err != nil {
		return report.Report{}
	}
	r, err := report.Decode(data)
	must(n.t, err)
	return r
}

// until waits for something in the report.
func (n *node) until(what string, met func(report.Report) bool) report.Report {
	n.t.Helper()
	var last report.Report
	err := wait.Until(n.t.Context(), what, wait.Session, func(context.Context) (bool, error) {
		last = n.report()
		return met(last), nil
	})
	if err != nil {
		text, _ := json.MarshalIndent(last, "", " ")
		n.t.Fatalf("%v; report: %s", err, text)
	}
	return last
}

// apply writes a configuration and waits until FRR runs it.
func (n *node) apply(body string) report.Report {
	n.t.Helper()
	hash := n.write(body)
	return n.until("the file to be applied", func(r report.Report) bool { return r.AppliedHash == hash })
}

func (n *node) vtysh(commands ...string) string {
	n.t.Helper()
	args := []string{"vtysh"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := n.frr.Run(n.t.Context(), args...)
	must(n.t, err)
	return out
}

func (n *node) log() string {
	text, _ := os.ReadFile(n.path("reloader.log"))
	return string(text)
}

func (n *node) dump() {
	for _, name := range []string{"frr.log", "reloader.log", "exchange/frr.conf", "exchange/report.json", "run/startup.conf"} {
		if text, err := os.ReadFile(n.path(name)); err == nil {
			n.t.Logf("--- %s\n%s", name, text)
		}
	}
	if n.frr != nil {
		ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
		defer cancel()
		out, err := n.frr.Run(ctx, "vtysh", "-c", "show running-config")
		n.t.Logf("--- running-config %v\n%s", err, out)
	}
}

// newRouter connects a router to the node. It takes what it is sent.
func newRouter(t *testing.T, n *node, asn uint32) *frr.Instance {
	t.Helper()
	r := frr.Start(t, frr.V10_3, frr.Name("router"), frr.Startup(routerConfig(asn)))
	must(t, link.Connect(
		link.End{Box: n.host, Name: "up0", Addresses: []netip.Prefix{nodeAddress, netip.MustParsePrefix("fd00::11/64")}},
		link.End{Box: r.Box(), Name: "down0", Addresses: []netip.Prefix{routerAddress, netip.MustParsePrefix("fd00::1/64")}},
	))
	return r
}

func routerConfig(asn uint32) string {
	return fmt.Sprintf(`frr defaults traditional
debug bgp updates in
router bgp %d
 bgp router-id 10.10.0.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor 10.10.0.11 remote-as 64512
 neighbor 10.10.0.11 timers connect 1
 address-family ipv4 unicast
  neighbor 10.10.0.11 activate
 exit-address-family
exit
`, asn)
}

// routes are the prefixes that a router has of the node, with communities.
func routes(t *testing.T, r *frr.Instance) map[string]string {
	t.Helper()
	out, err := r.Show("bgpd", "show bgp ipv4 unicast json detail")
	must(t, err)
	var table struct {
		Routes map[string]json.RawMessage `json:"routes"`
	}
	must(t, json.Unmarshal([]byte(out), &table))
	all := map[string]string{}
	for prefix, raw := range table.Routes {
		var object struct {
			Paths []struct {
				Community struct {
					String string `json:"string"`
				} `json:"community"`
			} `json:"paths"`
		}
		if raw[0] == '[' {
			must(t, json.Unmarshal(raw, &object.Paths))
		} else {
			must(t, json.Unmarshal(raw, &object))
		}
		for _, p := range object.Paths {
			all[prefix] += p.Community.String
		}
	}
	return all
}

// untilRoutes waits for exactly these prefixes with these communities.
func untilRoutes(t *testing.T, r *frr.Instance, want map[string]string) {
	t.Helper()
	var last map[string]string
	err := wait.Until(t.Context(), "routes at the router", wait.Session, func(context.Context) (bool, error) {
		last = routes(t, r)
		return fmt.Sprint(last) == fmt.Sprint(want), nil
	})
	if err != nil {
		t.Fatalf("%v: have %v, want %v", err, last, want)
	}
}

// session is the router's side.
type session struct {
	State       string `json:"bgpState"`
	Since       int64  `json:"bgpTimerUpEstablishedEpoch"`
	Established int    `json:"connectionsEstablished"`
	Stats       struct {
		Updates int `json:"updatesRecv"`
	} `json:"messageStats"`
	// Withdrawn counts the node's withdrawals, by the router's log: FRR's own
	// counter is of malformed updates that it treats as such.
	Withdrawn int `json:"-"`
}

// resetUntil says whether the session was closed between s and later. FRR
// computes the moment from an age in whole seconds.
func (s session) resetUntil(later session) bool {
	return s.Established != later.Established || max(s.Since-later.Since, later.Since-s.Since) > 1
}

func sessionOf(t *testing.T, r *frr.Instance) session {
	t.Helper()
	out, err := r.Show("bgpd", "show bgp neighbors 10.10.0.11 json")
	must(t, err)
	var all map[string]session
	must(t, json.Unmarshal([]byte(out), &all))
	s := all["10.10.0.11"]
	s.Withdrawn = strings.Count(routerLog(t, r), " -- withdrawn")
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// config is a wanted configuration of few knobs.
type config struct {
	top       string
	asn       int
	remoteASN int
	neighbor  string // lines of the neighbor besides remote-as
	networks  []string
	community string
	extra     string // lines in the router
	family    string // lines in the family
	maps      string
}

func (c config) String() string {
	if c.asn == 0 {
		c.asn = 64512
	}
	if c.remoteASN == 0 {
		c.remoteASN = 64500
	}
	if c.community == "" {
		c.community = "64512:1"
	}
	var networks strings.Builder
	for _, n := range c.networks {
		class := "herald.gold"
		if p, named, ok := strings.Cut(n, " "); ok {
			n, class = p, named
		}
		fmt.Fprintf(&networks, "  network %s route-map %s\n", n, class)
	}
	return fmt.Sprintf(`%s!
route-map herald.gold permit 1
 set tag 123
exit
!
route-map herald.tin permit 1
 set tag 456
exit
!
route-map herald.in deny 1
exit
!
route-map herald.out.a permit 100
 match tag 123
 set community %s
exit
!
%srouter bgp %d
 bgp router-id 10.10.0.11
 no bgp default ipv4-unicast
 coalesce-time 0
 no bgp network import-check
 neighbor 10.10.0.1 remote-as %d
%s neighbor 10.10.0.1 timers connect 1
%s !
 address-family ipv4 unicast
%s  neighbor 10.10.0.1 activate
  neighbor 10.10.0.1 route-map herald.in in
  neighbor 10.10.0.1 route-map herald.out.a out
%s exit-address-family
exit
!
ip nht resolve-via-default
!
ipv6 nht resolve-via-default
!
`, c.top, c.community, c.maps, c.asn, c.remoteASN, c.neighbor, c.extra, networks.String(), c.family)
}

// onBoth runs a test with each supported FRR as the speaker.
func onBoth(t *testing.T, test func(*testing.T, frr.Version)) {
	for _, v := range frr.Versions() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}
