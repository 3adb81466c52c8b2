package reloader

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/wait"
)

// V12: after each single command of a change of structure the router is sent
// everything that FRR then lets out (soft clear), and never hears of a prefix
// that isn't meant for it. The session is iBGP, where RFC 8212 doesn't help.
func TestV12NoPrefixLeaksBetweenCommands(t *testing.T) {
	t.Parallel()
	const secret = "198.51.100.66/32"
	base := config{remoteASN: 64512, networks: []string{"203.0.113.7/32", secret + " herald.tin"}}
	entry := func(seq, tag int) string {
		return fmt.Sprintf("route-map herald.out.a permit %d\n match tag %d\n set community 64512:%d\nexit\n", seq, tag, seq)
	}
	changes := []struct{ name, from, to string }{
		{"entries-come", base.String(), config{remoteASN: 64512, networks: base.networks, maps: entry(50, 1000) + entry(200, 1001)}.String()},
		{"entries-go", config{remoteASN: 64512, networks: base.networks, maps: entry(50, 1000) + entry(200, 1001)}.String(), base.String()},
		{"entry-matches-another-class", config{remoteASN: 64512, networks: base.networks, maps: entry(50, 1000)}.String(),
			config{remoteASN: 64512, networks: base.networks, maps: entry(50, 1001)}.String()},
		{"attributes-change", base.String(), config{remoteASN: 64512, networks: base.networks, community: "64512:7 no-export"}.String()},
		{"neighbor-goes", base.String(), strings.ReplaceAll(base.String(), "10.10.0.1 ", "10.10.0.200 ")},
		{"neighbor-comes", strings.ReplaceAll(base.String(), "10.10.0.1 ", "10.10.0.200 "), base.String()},
		{"family-goes", base.String(), regexp.MustCompile(`(?m)^  neighbor .*\n`).ReplaceAllString(base.String(), "")},
	}
	onBoth(t, func(t *testing.T, v frr.Version) {
		for _, c := range changes {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				n := newNode(t, v)
				n.args = []string{"--check-interval", "1h"}
				r := newRouter(t, n, 64512)
				n.startFRR()
				n.startReloader()
				n.apply(c.from)
				if strings.Contains(c.from, "10.10.0.1 activate") {
					untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
				}
				n.stopReloader()
				commands := editCommands(t, c.from, c.to)
				for _, command := range commands {
					n.load(command)
					n.resend(r)
					if log := routerLog(t, r); strings.Contains(log, "198.51.100.66") {
						t.Fatalf("after %q the router heard of %s:\n%s", command, secret, grep(log, "198.51.100.66"))
					}
				}
				if len(commands) == 0 {
					t.Error("no command was planned")
				}
				if strings.Contains(c.to, "10.10.0.1 activate") {
					n.startReloader()
					n.apply(c.to)
					want := "64512:1"
					if c.name == "attributes-change" {
						want = "64512:7 no-export"
					}
					untilRoutes(t, r, map[string]string{"203.0.113.7/32": want})
				}
				if log := routerLog(t, r); strings.Contains(log, "198.51.100.66") {
					t.Errorf("the router heard of %s:\n%s", secret, grep(log, "198.51.100.66"))
				}
			})
		}
	})
}

// editCommands are the planned structural commands, each with the headers of
// the blocks that it is in.
func editCommands(t *testing.T, from, to string) []string {
	t.Helper()
	state := &plan.State{Daemons: map[string]*plan.Config{"bgpd": plan.Parse(from), "zebra": {}}, Quirks: plan.Quirks{ResolveViaDefault: true}}
	var commands []string
	var headers [3]string
	p := plan.Make(plan.Parse(to), state)
	for line := range strings.Lines(p.Edit + p.Cleanup) {
		text := strings.TrimLeft(line, " ")
		depth := len(line) - len(text)
		if strings.HasPrefix(text, "exit") {
			continue
		}
		headers[depth] = line
		commands = append(commands, strings.Join(headers[:depth+1], ""))
	}
	return commands
}

// load gives FRR one command.
func (n *node) load(command string) {
	n.t.Helper()
	must(n.t, os.WriteFile(n.path("run", "step.conf"), []byte(command), 0o600))
	out, err := n.frr.Run(n.t.Context(), "vtysh", "-f", "/run/frr/step.conf")
	if err != nil {
		n.t.Fatalf("%q: %s %v", command, out, err)
	}
}

// resend makes FRR send the router what it now lets out, and waits for it to be
// heard; there is nothing to hear where the session is down or all is withheld.
func (n *node) resend(r *frr.Instance) {
	before := sessionOf(n.t, r)
	_, _ = n.frr.Run(n.t.Context(), "vtysh", "-c", "clear bgp 10.10.0.1 soft out")
	_ = wait.Until(n.t.Context(), "an update", time.Second, func(context.Context) (bool, error) {
		now := sessionOf(n.t, r)
		return now.Stats.Updates > before.Stats.Updates || now.State != "Established", nil
	})
}

// The witness sees a leak where there is one: the same session with the
// neighbor's policy taken away by hand.
func TestV12LeakWouldBeSeen(t *testing.T) {
	t.Parallel()
	n := newNode(t, frr.V10_3)
	n.args = []string{"--check-interval", "1h"}
	r := newRouter(t, n, 64512)
	n.startFRR()
	n.startReloader()
	n.apply(config{remoteASN: 64512, networks: []string{"203.0.113.7/32", "198.51.100.66/32 herald.tin"}}.String())
	untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
	n.vtysh("configure terminal", "route-map herald.out.a permit 5")
	must(t, wait.Until(t.Context(), "the leak", wait.Session, func(context.Context) (bool, error) {
		return strings.Contains(routerLog(t, r), "198.51.100.66/32"), nil
	}))
}

// R3: hundreds of changes in a burst are few applies, and the last one wins.
func TestR3BurstIsCoalesced(t *testing.T) {
	t.Parallel()
	n, r := startSite(t, frr.V10_3)
	n.apply(config{}.String())
	before := strings.Count(n.log(), `"msg":"applied"`)
	want := map[string]string{}
	var c config
	var hash string
	const changes, prefixes = 250, 10 // so many prefixes are a burst on a slow machine, too
	start := time.Now()
	for i := range changes {
		for j := range prefixes {
			p := fmt.Sprintf("203.0.%d.%d/32", i, j)
			c.networks = append(c.networks, p)
			want[p] = "64512:1"
		}
		hash = n.write(c.String())
	}
	n.until("the last one", func(r report.Report) bool { return r.AppliedHash == hash })
	took := time.Since(start)
	untilRoutes(t, r, want)
	// The pauses grow up to 900 ms: some applies until they are that long, then
	// a little more than one a second.
	most := 10 + int(2*took.Seconds())
	if applies := strings.Count(n.log(), `"msg":"applied"`) - before; applies > most {
		t.Errorf("%d applies for %d changes in %v, more than %d", applies, changes, took, most)
	}
}

func routerLog(t *testing.T, r *frr.Instance) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.LogDir(), "bgpd.log"))
	must(t, err)
	return string(text)
}

func grep(text, word string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return strings.Join(found[:min(len(found), 5)], "\n")
}
