package reloader

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/wait"
)

// R5: what FRR refuses leaves the old routes where they are, names FRR's own
// reason, and a good file heals it, the old one included (M6).
func TestRefusedConfigurationKeepsRoutes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		good := config{networks: []string{"203.0.113.7/32", "203.0.113.8/32"}}
		routesWanted := map[string]string{"203.0.113.7/32": "64512:1", "203.0.113.8/32": "64512:1"}
		goodHash := n.apply(good.String()).AppliedHash
		untilRoutes(t, r, routesWanted)
		before := sessionOf(t, r)
		bad := []struct{ name, extra, reason string }{
			{"unknown-line", " no such command\n", "no such command"},
			{"refused-for-its-meaning", " neighbor 10.10.0.77 timers 3 9\n", "Specify remote-as"},
			{"password-is-not-told", " neighbor 10.10.0.77 password s3cr3t-word\n", "Specify remote-as"},
		}
		for _, b := range bad {
			t.Run(b.name, func(t *testing.T) {
				broken := good
				broken.networks = good.networks[:1]
				broken.extra = b.extra
				hash := n.write(broken.String())
				got := n.until("the refusal", func(r report.Report) bool { return r.AttemptedHash == hash && r.LastApply.Error != "" })
				if !strings.Contains(got.LastApply.Error, b.reason) {
					t.Errorf("error %q lacks FRR's %q", got.LastApply.Error, b.reason)
				}
				if got.AppliedHash != goodHash {
					t.Errorf("applied %q, want the last good %q", got.AppliedHash, goodHash)
				}
				untilRoutes(t, r, routesWanted)
				if now := sessionOf(t, r); b.name == "unknown-line" && now.Withdrawn != before.Withdrawn {
					t.Error("a route was withdrawn")
				}
				n.apply(good.String())
				n.until("the error to clear", func(r report.Report) bool { return r.LastApply.Error == "" })
			})
		}
		if after := sessionOf(t, r); before.resetUntil(after) {
			t.Errorf("the session was reset: %+v, %+v", before, after)
		}
		if strings.Contains(n.log(), "s3cr3t-word") {
			t.Error("a password is in the log")
		}
		next := good
		next.networks = []string{"203.0.113.9/32"}
		n.apply(next.String())
		untilRoutes(t, r, map[string]string{"203.0.113.9/32": "64512:1"})
	})
}

// R7: what isn't a whole file of Herald's is refused and changes nothing.
func TestDamagedFilesAreRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, frr.V8_4)
	good := config{networks: []string{"203.0.113.7/32"}}
	hash := n.apply(good.String()).AppliedHash
	next := config{networks: []string{"203.0.113.8/32"}}
	whole := exchange.NewFile("test", "boot", []byte(next.String())).Encode()
	tests := []struct {
		name, want string
		data       []byte
	}{
		{"empty", "no Herald header", nil},
		{"foreign", "no Herald header", []byte("router bgp 1\n")},
		{"truncated", "truncated", whole[:len(whole)-20]},
		{"changed", "changed", []byte(strings.Replace(string(whole), "203.0.113.8", "203.0.113.9", 1))},
		{"bad-header", "malformed", []byte("! herald x\nrouter bgp 1\n")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			must(t, exchange.WriteFile(n.path("exchange"), exchange.ConfigFile, tt.data))
			got := n.until("the refusal", func(r report.Report) bool { return strings.Contains(r.FileError, tt.want) })
			if got.AppliedHash != hash {
				t.Errorf("applied %q", got.AppliedHash)
			}
		})
	}
	if running := n.vtysh("show running-config"); !strings.Contains(running, "203.0.113.7/32") || strings.Contains(running, "router bgp 1\n") {
		t.Error(running)
	}
	n.apply(next.String())
	n.until("the error to clear", func(r report.Report) bool { return r.FileError == "" })
}

// handInterval is how long somebody at vtysh waits before trying again.
const handInterval = 10 * time.Second

// R6: what somebody changes by hand is found, told and repaired.
func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		n.apply(config{networks: []string{"203.0.113.7/32"}}.String())
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		tests := []struct {
			name, line string
			by         []string
		}{
			{"prefix-removed", "+ router bgp 64512 / address-family ipv4 unicast / network 203.0.113.7/32 route-map herald.gold",
				[]string{"configure terminal", "router bgp 64512", "address-family ipv4 unicast", "no network 203.0.113.7/32"}},
			{"prefix-added", "- router bgp 64512 / address-family ipv4 unicast / network 198.51.100.1/32",
				[]string{"configure terminal", "router bgp 64512", "address-family ipv4 unicast", "network 198.51.100.1/32"}},
			{"policy-opened", "- route-map herald.out.a permit 5",
				[]string{"configure terminal", "route-map herald.out.a permit 5"}},
			{"neighbor-added", "- router bgp 64512 / neighbor 10.10.0.9 remote-as 65000",
				[]string{"configure terminal", "router bgp 64512", "neighbor 10.10.0.9 remote-as 65000"}},
			{"timers-changed", "- router bgp 64512 / neighbor 10.10.0.1 timers connect 77",
				[]string{"configure terminal", "router bgp 64512", "neighbor 10.10.0.1 timers connect 77"}},
			{"static-route", "- ip route 192.0.2.0/24 blackhole",
				[]string{"configure terminal", "ip route 192.0.2.0/24 blackhole"}},
			{"password-is-not-told", "- router bgp 64512 / neighbor 10.10.0.8 password ***",
				[]string{"configure terminal", "router bgp 64512", "neighbor 10.10.0.8 remote-as 65000", "neighbor 10.10.0.8 password s3cr3t-word"}},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				var tried time.Time
				n.until("drift", func(r report.Report) bool {
					if r.Drift != nil && r.Drift.Repaired && slices.Contains(r.Drift.Lines, tt.line) {
						return true
					}
					// FRR refuses who comes while somebody else edits: then once more.
					if time.Since(tried) > handInterval {
						n.vtysh(tt.by...)
						tried = time.Now()
					}
					return false
				})
				untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
			})
		}
		if strings.Contains(n.log(), "s3cr3t-word") {
			t.Error("a password is in the log")
		}
	})
}

// R10: a bgpd that hangs is told and nothing waits for ever; when it answers
// again, so does the reloader.
func TestHangingDaemon(t *testing.T) {
	t.Parallel()
	n := startNode(t, frr.V10_3)
	n.apply(config{networks: []string{"203.0.113.7/32"}}.String())
	signal := func(name string) {
		out, err := n.frr.Run(t.Context(), "sh", "-c", "kill -"+name+" $(cat /run/frr/bgpd.pid)")
		if err != nil {
			t.Fatal(out, err)
		}
	}
	signal("STOP")
	n.until("bgpd not answering", func(r report.Report) bool { return !r.FRR.Daemons["bgpd"] })
	hash := n.write(config{networks: []string{"203.0.113.8/32"}}.String())
	signal("CONT")
	n.until("the new file", func(r report.Report) bool { return r.AppliedHash == hash && r.FRR.Daemons["bgpd"] && r.FRR.Error == "" })
}

// R10: the exchange directory is read-only for a while.
func TestReportCannotBeWritten(t *testing.T) {
	t.Parallel()
	n := startNode(t, frr.V8_4)
	n.apply(config{networks: []string{"203.0.113.7/32"}}.String())
	file := n.path("exchange", exchange.ReportFile)
	must(t, os.Remove(file))
	must(t, os.Mkdir(file, 0o755)) // a rename over a directory fails
	must(t, os.WriteFile(file+"/x", nil, 0o600))
	err := wait.Until(t.Context(), "the complaint", wait.Session, func(context.Context) (bool, error) {
		return strings.Contains(n.log(), "the report can't be written"), nil
	})
	must(t, err)
	hash := n.write(config{networks: []string{"203.0.113.8/32"}}.String())
	must(t, os.RemoveAll(file))
	n.until("the report", func(r report.Report) bool { return r.AppliedHash == hash })
	if strings.Count(n.log(), "the report can't be written") != 1 {
		t.Error("said more than once")
	}
}

// Wrong places to run get one line with the remedy.
func TestOneLineErrors(t *testing.T) {
	t.Parallel()
	n := newNode(t, frr.V8_4)
	n.startFRR()
	box := n.container("rel")
	tests := []struct{ name, command, want string }{
		{"no-exchange-dir", "/opt/herald/reloader --exchange-dir /nowhere", "the exchange directory /nowhere"},
		{"no-vtysh", "/opt/herald/reloader --vtysh /nowhere/vtysh", "this is not FRR's image"},
		{"no-frr-reload", "/opt/herald/reloader --frr-reload /nowhere", "this is not FRR's image"},
		{"no-run-dir", "/opt/herald/reloader --frr-run-dir /nowhere", "no directory /nowhere"},
		{"no-root", "setpriv --reuid 65534 --clear-groups /opt/herald/reloader --exchange-dir /tmp", "not root"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := box.Run(t.Context(), "sh", "-c", tt.command+" 2>&1 >/dev/null | grep ^reloader:")
			if err != nil || !strings.Contains(out, tt.want) || strings.Count(out, "\n") != 1 {
				t.Errorf("%q %v", out, err)
			}
		})
	}
}
