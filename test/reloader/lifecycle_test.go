package reloader

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/vty"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// R1, R4, R13: the reloader ends and comes back; FRR goes on, and what it runs
// is adopted without an apply. What changed meanwhile is applied.
func TestReloaderRestartAdoptsWhatRuns(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		c := config{networks: []string{"203.0.113.7/32"}}
		n.apply(c.String())
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		before := sessionOf(t, r)
		n.stopReloader()
		n.startReloader()
		got := n.until("the file to be adopted", func(r report.Report) bool { return r.AppliedHash != "" })
		if got.LastApply != nil {
			t.Errorf("something was applied: %+v", got.LastApply)
		}
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		n.rel.Kill()
		c.networks = []string{"203.0.113.7/32", "203.0.113.8/32"}
		n.write(c.String())
		n.startReloader()
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1", "203.0.113.8/32": "64512:1"})
		if after := sessionOf(t, r); before.resetUntil(after) || after.Withdrawn != 0 {
			t.Errorf("the router noticed: %+v, %+v", before, after)
		}
	})
}

// R2: FRR's container is killed and comes back by itself with what was applied,
// even while no reloader runs. The reloader sees it go and come.
func TestFRRRestartComesBackAsApplied(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		c := config{networks: []string{"203.0.113.7/32"}}
		hash := n.apply(c.String()).AppliedHash
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		up := n.until("the session", established)
		n.frr.Kill()
		got := n.until("FRR gone", func(r report.Report) bool {
			return r.FRR.Error != "" && r.AppliedHash == "" && !r.FRR.Daemons["bgpd"]
		})
		if len(got.Sessions) != 1 || got.Sessions[0].State == "Established" || got.Sessions[0].Flaps != up.Sessions[0].Flaps+1 {
			t.Errorf("sessions of a dead bgpd: %+v", got.Sessions)
		}
		n.startFRR()
		n.until("FRR back", func(r report.Report) bool { return r.FRR.Error == "" && r.AppliedHash == hash && established(r) })
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		if applies := strings.Count(n.log(), `"msg":"applied"`); applies != 1 {
			t.Errorf("%d applies, want only the first", applies)
		}
		n.stopReloader()
		n.frr.Kill()
		n.startFRR()
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
	})
}

// R2: FRR starts with all that was applied while somebody asks it without pause, as a
// monitor may. In FRR 10.3 each session with mgmtd that ends throws away what another
// one has told it until then and not committed.
func TestFRRLoadsAllWhileItIsAsked(t *testing.T) {
	t.Parallel()
	var prefixes, discards []string
	for i := range 200 {
		prefix := fmt.Sprintf("198.18.%d.0/24", i)
		prefixes, discards = append(prefixes, prefix), append(discards, "ip route "+prefix+" blackhole 254")
	}
	c := config{top: strings.Join(discards, "\n") + "\n"}
	for v, daemon := range map[frr.Version]string{frr.V8_4: "staticd", frr.V10_3: "mgmtd"} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			n := newNode(t, v)
			f := exchange.NewFile("test", bootID, []byte(c.String()))
			must(t, exchange.WriteFile(n.path("run"), exchange.StartupFile, f.Encode()))
			starts := n.ask(daemon)
			n.startFRR()
			n.untilRuns(discards)
			n.untilDiscards(prefixes...)

			before := starts()
			if out, err := n.frr.Run(t.Context(), "sh", "-c", "kill -9 $(cat /run/frr/"+daemon+".pid)"); err != nil {
				t.Fatal(out, err)
			}
			must(t, wait.Until(t.Context(), daemon+" back", wait.Session, func(context.Context) (bool, error) { return starts() > before, nil }))
			n.untilRuns(discards)
			n.untilDiscards(prefixes...)
		})
	}
}

// A single daemon that dies is started by watchfrr and loads what was applied.
func TestBGPDaemonDiesAlone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		n.apply(config{networks: []string{"203.0.113.7/32"}}.String())
		hash := n.apply(config{networks: []string{"203.0.113.8/32"}}.String()).AppliedHash
		untilRoutes(t, r, map[string]string{"203.0.113.8/32": "64512:1"})
		if out, err := n.frr.Run(t.Context(), "sh", "-c", "kill -9 $(cat /run/frr/bgpd.pid)"); err != nil {
			t.Fatal(out, err)
		}
		n.until("bgpd gone", func(r report.Report) bool { return !r.FRR.Daemons["bgpd"] })
		n.until("bgpd back", func(r report.Report) bool { return r.FRR.Daemons["bgpd"] && r.AppliedHash == hash && established(r) })
		untilRoutes(t, r, map[string]string{"203.0.113.8/32": "64512:1"})
	})
}

// R11: after a reboot of the node FRR starts with its sessions and announces
// nothing until the agent says so.
func TestRebootStartsWithoutPrefixes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		c := config{networks: []string{"203.0.113.7/32"}, extra: " bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n",
			top: "ip route 198.51.100.0/24 blackhole 254\nipv6 route 2001:db8::/64 blackhole 254\n"}
		hash := n.apply(c.String()).AppliedHash
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		n.stopReloader()
		n.frr.Kill()
		n.writeBootID("22222222-2222-2222-2222-222222222222")
		must(t, os.Remove(n.path("exchange", exchange.ConfigFile)))
		n.startFRR()
		n.startReloader()
		n.until("the session", established)
		if running := n.vtysh("show running-config"); strings.Contains(running, "  network ") || strings.Contains(running, "blackhole") || strings.Contains(running, "preserve-fw-state") || !strings.Contains(running, "herald.gold") {
			t.Errorf("after a reboot FRR runs:\n%s", running)
		}
		if got := routes(t, r); len(got) > 0 {
			t.Errorf("announced after a reboot: %v", got)
		}
		if n.report().AppliedHash == hash {
			t.Error("the file counts as applied")
		}
		n.write(c.String())
		n.until("the file to be applied", func(r report.Report) bool { return r.AppliedHash == hash })
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		n.frr.Kill() // within this boot prefixes are kept again
		n.startFRR()
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
	})
}

// Graceful restart is switched on and off, also in one file with what only
// frr-reload.py can remove: FRR 8.4 refuses graceful-restart-disable where it is set
// already, and frr-reload.py adds everything twice.
func TestGracefulRestartIsSwitched(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		on, off := " neighbor 10.10.0.1 graceful-restart\n", " neighbor 10.10.0.1 graceful-restart-disable\n"
		const debris = "access-list old seq 5 permit any\n"
		for i, c := range []config{
			{neighbor: off}, {neighbor: on}, {neighbor: off}, {neighbor: on, top: debris}, {neighbor: off, community: "64512:2"},
		} {
			c.networks = []string{"203.0.113.7/32"}
			steps := n.apply(c.String()).LastApply.Steps
			if text := n.vtysh("show running-config"); !strings.Contains(text, c.neighbor) {
				t.Errorf("step %d (%q) left FRR with:\n%s", i, steps, text)
			}
			t.Log(i, steps)
		}
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:2"})
	})
}

// A startup file that was damaged is left out; the reloader mends everything.
func TestDamagedStartupFile(t *testing.T) {
	t.Parallel()
	n := startNode(t, frr.V10_3)
	hash := n.apply(config{networks: []string{"203.0.113.7/32"}}.String()).AppliedHash
	n.stopReloader()
	n.frr.Kill()
	startup := n.path("run", exchange.StartupFile)
	data, err := os.ReadFile(startup)
	must(t, err)
	must(t, os.WriteFile(startup, data[:len(data)/2], 0o600))
	n.startFRR()
	n.startReloader()
	n.until("everything", func(r report.Report) bool { return r.AppliedHash == hash })
}

// R12: beside another FRR, Herald's doesn't start and says why.
func TestAnotherFRRRefuses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n := newNode(t, v)
		other := frr.Start(t, frr.V8_4, frr.Within(n.host))
		n.startReloader()
		p := n.startFRR()
		_ = p.Wait()
		if state := p.State(); state == nil || state.ExitCode() != 1 {
			t.Errorf("exit %v, want 1", state)
		}
		n.until("the reason", func(r report.Report) bool {
			return strings.Contains(r.FRR.Error, "another FRR runs on this node") && strings.Contains(r.FRR.Error, "systemctl disable")
		})
		n.frr.Kill()
		other.Stop()
		n.write(config{networks: []string{"203.0.113.7/32"}}.String())
		n.startFRR()
		n.until("FRR to work", func(r report.Report) bool { return r.AppliedHash != "" && r.FRR.Error == "" })
	})
}

// A node whose runtime or policies take capabilities away: FRR's container says which.
func TestLackingCapabilitiesAreNamed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n := newNode(t, v)
		n.startReloader()
		n.frr = n.container("frr")
		p := n.start(n.frr, "frr", "setpriv", "--bounding-set", "-net_admin,-sys_admin", "/opt/herald/frr-start.sh")
		_ = p.Wait()
		if state := p.State(); state == nil || state.ExitCode() != 1 {
			t.Errorf("exit %v, want 1", state)
		}
		n.until("the reason", func(r report.Report) bool {
			return strings.Contains(r.FRR.Error, "lacks the capabilities NET_ADMIN SYS_ADMIN: have whatever restricts pods")
		})
		n.frr.Kill()
		n.write(config{networks: []string{"203.0.113.7/32"}}.String())
		n.startFRR()
		n.until("FRR to work", func(r report.Report) bool { return r.AppliedHash != "" && r.FRR.Error == "" })
	})
}

func TestAnotherSpeakerRefuses(t *testing.T) {
	t.Parallel()
	n := newNode(t, frr.V8_4)
	box, err := sandbox.Start(sandbox.Spec{Name: "other", Dir: n.path("other"), Root: frr.V8_4.Root(), Within: n.host})
	must(t, err)
	_, err = box.Start(sandbox.Command{Args: []string{"/usr/bin/gobgpd", "--log-level", "error"}})
	must(t, err)
	if out, err := box.Run(t.Context(), "sh", "-c", "until gobgp global; do sleep 0.05; done; gobgp global as 1 router-id 1.1.1.1"); err != nil {
		t.Fatal(out, err)
	}
	p := n.startFRR()
	_ = p.Wait()
	text, _ := os.ReadFile(n.path("run", exchange.StartErrorFile))
	if !strings.Contains(string(text), "another BGP speaker listens on TCP port 179") {
		t.Errorf("%q", text)
	}
}

// R12: the host's forwarding sysctls are Herald's at no moment, whatever the
// host has and whatever the file says.
func TestForwardingSysctlsStay(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		for _, value := range []string{"0", "1"} {
			t.Run("forwarding-"+value, func(t *testing.T) {
				t.Parallel()
				n := newNode(t, v)
				other := map[string]string{"0": "1", "1": "0"}[value]
				set := func(v string) {
					must(t, n.host.Sysctl(map[string]string{"net.ipv4.ip_forward": v, "net.ipv6.conf.all.forwarding": v}))
				}
				get := func() string {
					out, err := n.host.Run(t.Context(), "cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")
					must(t, err)
					return strings.Join(strings.Fields(out), " ")
				}
				check := func(when, want string) {
					t.Helper()
					if got := get(); got != want+" "+want {
						t.Errorf("%s: forwarding is %s, was %s", when, got, want)
					}
				}
				set(value)
				n.startFRR()
				n.startReloader()
				c := config{networks: []string{"203.0.113.7/32"}, top: "no ip forwarding\nno ipv6 forwarding\n"}
				if value == "1" {
					c.top = ""
				}
				n.apply(c.String())
				check("after start and additions", value)
				// A line that only frr-reload can remove.
				c.neighbor = " neighbor 10.10.0.1 timers 3 9\n"
				n.apply(c.String())
				c.neighbor = ""
				if got := n.apply(c.String()); !slices.Contains(got.LastApply.Steps, "frr-reload") {
					t.Errorf("steps %v, frr-reload expected", got.LastApply.Steps)
				}
				check("after frr-reload", value)
				// The host's owner changes his mind; the file is behind.
				set(other)
				c.neighbor = " neighbor 10.10.0.1 timers 3 9\n"
				n.apply(c.String())
				c.neighbor = ""
				n.apply(c.String())
				check("after the host changed", other)
				n.frr.Kill()
				n.startFRR()
				n.until("FRR back", func(r report.Report) bool { return r.AppliedHash != "" && r.FRR.Daemons["zebra"] })
				check("after FRR's restart", other)
			})
		}
	})
}

// M8: whoever isn't root finds no password on disk, at no moment.
func TestNoPasswordInReadableFiles(t *testing.T) {
	t.Parallel()
	n := startNode(t, frr.V10_3)
	n.apply(config{neighbor: " neighbor 10.10.0.1 password s3cr3t-word\n"}.String())
	n.apply(config{neighbor: " neighbor 10.10.0.1 password s3cr3t-two\n neighbor 10.10.0.1 timers 3 9\n"}.String())
	n.apply(config{neighbor: " neighbor 10.10.0.1 password s3cr3t-two\n"}.String()) // by frr-reload
	for _, box := range []*sandbox.Box{n.frr, n.relBox} {
		out, err := box.Run(t.Context(), "sh", "-c", "find /run /etc /tmp /var -type f -perm /077 -exec grep -l s3cr3t {} + || true")
		if err != nil || out != "" {
			t.Errorf("readable files with a password: %s %v", out, err)
		}
	}
	if strings.Contains(n.log(), "s3cr3t") {
		t.Error("a password is in the log")
	}
	left, err := os.ReadDir(n.path("run"))
	must(t, err)
	for _, f := range left {
		if strings.HasPrefix(f.Name(), ".herald-conf") {
			t.Errorf("left over: %s", f.Name())
		}
	}
}

// Two reloaders never write at once.
func TestSecondReloaderWaits(t *testing.T) {
	t.Parallel()
	n := startNode(t, frr.V8_4)
	n.apply(config{networks: []string{"203.0.113.7/32"}}.String())
	second := n.start(n.relBox, "second", "/opt/herald/reloader")
	says := func(text string) {
		t.Helper()
		must(t, wait.Until(t.Context(), text, wait.Process, func(context.Context) (bool, error) {
			log, err := os.ReadFile(n.path("second.log"))
			return strings.Contains(string(log), text), err
		}))
	}
	says("another reloader works on this FRR")
	n.rel.Signal(unix.SIGTERM)
	_ = n.rel.Wait()
	says("connected to FRR")
	second.Signal(unix.SIGTERM)
	_ = second.Wait()
}

// ask opens one session with a daemon after the other until the test ends. What it
// returns tells how often the daemon answered that hadn't before.
func (n *node) ask(daemon string) (starts func() int64) {
	var count atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for answered := false; ctx.Err() == nil; <-tick.C {
			conn, err := vty.Dial(ctx, daemon, n.path("run", daemon+".vty"), wait.Query)
			if err == nil {
				_, err = conn.Exec("show version")
				_ = conn.Close()
			}
			if err == nil && !answered {
				count.Add(1)
			}
			answered = err == nil
		}
	}()
	n.t.Cleanup(func() { cancel(); <-done })
	return count.Load
}

// untilRuns waits until each of these lines stands in what FRR runs.
func (n *node) untilRuns(lines []string) {
	n.t.Helper()
	var lacking []string
	err := wait.Until(n.t.Context(), "FRR to run all", wait.Session, func(ctx context.Context) (bool, error) {
		out, err := n.frr.Run(ctx, "vtysh", "-c", "show running-config")
		if err != nil {
			return false, nil //nolint:nilerr // FRR starts
		}
		runs := strings.Split(out, "\n")
		lacking = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(runs, line) })
		return len(lacking) == 0, nil
	})
	if err != nil {
		n.t.Fatalf("%v, without %d lines: %q", err, len(lacking), lacking)
	}
}
