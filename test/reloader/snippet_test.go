package reloader

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/snippet"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/wait"
)

// with puts snippets behind a configuration, as the agent does: name, text, name,
// text.
func with(c config, namesAndTexts ...string) string {
	var b strings.Builder
	b.WriteString(c.String())
	for i := 0; i < len(namesAndTexts); i += 2 {
		b.WriteString(snippet.Marker + namesAndTexts[i] + "\n" + namesAndTexts[i+1])
	}
	return b.String()
}

// verdict is what the report says of a snippet, "" where it says nothing.
func verdict(r report.Report, name string) string {
	for _, s := range r.Snippets {
		if s.Name == name {
			return strings.TrimSpace(fmt.Sprintf("%s %d %s: %s", s.State, s.Line, s.Text, s.Error))
		}
	}
	return ""
}

// untried counts the snippets that are pending.
func untried(r report.Report) int {
	pending := 0
	for _, s := range r.Snippets {
		if s.State == report.SnippetPending {
			pending++
		}
	}
	return pending
}

// tryOut writes a file and waits until FRR runs it and all its snippets were tried.
func (n *node) tryOut(body string) report.Report {
	n.t.Helper()
	_, snippets := snippet.Split([]byte(body))
	hash := n.write(body)
	return n.until("the snippets to be tried", func(r report.Report) bool {
		return r.AppliedHash == hash && len(r.Snippets) == len(snippets) && untried(r) == 0
	})
}

// running is what FRR runs, as a person would see it.
func (n *node) running() string { return n.vtysh("show running-config") }

// runningLines are the same, sorted: FRR 8 prints route-maps in any order.
func (n *node) runningLines() []string {
	lines := strings.Split(n.running(), "\n")
	slices.Sort(lines)
	return lines
}

const (
	// mine is written as nobody prints it: no sequence, tabs, comments, abbreviations
	// of what follows a command's first words.
	mine = `!
ip prefix-list mine permit 10.0.0.0/8 le 24
ip route 10.99.0.0/24 10.10.0.1
route-map mine permit 10
 match ip address prefix-list mine
 set metric 5
exit
router bgp 64512
 neighbor 10.10.0.9 remote-as 64501
 neighbor 10.10.0.9 timers connect 120
 neighbor 10.10.0.1 desc the router
 address-family ipv4 unicast
  neighbor 10.10.0.9 activate
  neighbor 10.10.0.9 route-map mine out
  neighbor 10.10.0.9 route-map mine in
 exit-address-family
exit
`
	// printed is what FRR makes of it.
	printed = `ip prefix-list mine seq 5 permit 10.0.0.0/8 le 24
ip route 10.99.0.0/24 10.10.0.1
 neighbor 10.10.0.9 remote-as 64501
 neighbor 10.10.0.1 description the router
  neighbor 10.10.0.9 route-map mine out`
)

// A snippet is tried beside FRR, and what FRR prints back is what counts from then
// on: the next check finds nothing to do. Bad ones are refused alone, with their
// line and FRR's words. Services go on meanwhile, without another trial. Without
// the snippets FRR runs exactly what it ran before.
func TestSnippetsAreTriedAddedAndTakenAway(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		c := config{networks: []string{"203.0.113.7/32"}}
		n.apply(c.String())
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})
		plain, before := n.runningLines(), sessionOf(t, r)

		all := []string{
			"unknown", "ip prefix-list other permit 10.0.0.0/8\n!\nrouter bgp 64512\n neighbor 10.10.0.9 remote-as 64501\n neighbor 10.10.0.9 nonsense\nexit\n",
			"mine", mine,
			"meaning", "!\nrouter bgp 64512\n neighbor 10.10.0.77 timers 3 9\nexit\n",
			"removes", "router bgp 64512\n no neighbor 10.10.0.1 timers connect\nexit\n",
			"changes", "router bgp 64512\n coalesce-time 500\nexit\n",
			"ours", "router bgp 64512\n address-family ipv4 unicast\n  neighbor 10.10.0.1 prefix-l mine out\n",
			"again", "ip prefix-list mine seq 5 deny any\n",
			"last", "bgp community-list standard mine permit 1:2\n",
		}
		got := n.tryOut(with(c, all...))
		for name, want := range map[string]string{
			"mine":    "accepted 0 :",
			"last":    "accepted 0 :",
			"unknown": "refused 5 neighbor 10.10.0.9 nonsense: FRR: Unknown command",
			"meaning": "refused 3 neighbor 10.10.0.77 timers 3 9: FRR: Specify remote-as or peer-group commands first",
			"removes": `refused 0 : it would change or remove what is there without it: "neighbor 10.10.0.1 timers connect 1" in "router bgp 64512"; a snippet only adds`,
			"changes": `refused 0 : it would change or remove what is there without it: "coalesce-time 0" in "router bgp 64512"; a snippet only adds`,
			"ours":    `refused 0 : FRR reads it as "neighbor 10.10.0.1 prefix-list mine out": neighbor 10.10.0.1 is that of a BGPPeer: its "prefix-list" is Herald's own; use the BGPPeer's and BGPAdvertisements' fields`,
			"again":   `refused 0 : it would change or remove what is there without it: "ip prefix-list mine seq 5 permit 10.0.0.0/8 le 24"; a snippet only adds`,
		} {
			if is := verdict(got, name); is != want {
				t.Errorf("%s: %s\nwant %s", name, is, want)
			}
		}
		for line := range strings.Lines(printed + "\nbgp community-list standard mine seq 5 permit 1:2") {
			if running := n.running(); !strings.Contains(running, line[:len(line)-1]) {
				t.Errorf("%q is not running:\n%s", line, running)
			}
		}
		trials := strings.Count(n.log(), "snippet accepted")

		c.networks = append(c.networks, "203.0.113.8/32")
		got = n.apply(with(c, all...))
		if want := []string{"vty-add"}; !slices.Equal(got.LastApply.Steps, want) {
			t.Errorf("a service: steps %v, want %v", got.LastApply.Steps, want)
		}
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1", "203.0.113.8/32": "64512:1"})
		if got := n.report(); got.Drift != nil || strings.Count(n.log(), "snippet accepted") != trials {
			t.Errorf("drift %+v, or another trial", got.Drift)
		}

		c.networks = c.networks[:1]
		n.apply(c.String())
		if diff := cmp.Diff(plain, n.runningLines()); diff != "" {
			t.Errorf("something of the snippets is left: %s", diff)
		}
		if after := sessionOf(t, r); before.resetUntil(after) {
			t.Errorf("the session was reset: %+v, %+v", before, after)
		}
		n.noScratch()
	})
}

// A trial delays nothing: a Service's prefix goes out while one is held up. A
// reloader that dies meanwhile leaves no scratch daemon; the next one tries anew, and
// the one after it knows the outcome. What was accepted survives FRR's own restart
// and changes by hand.
func TestTrialsAreBesideEverythingElse(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, v frr.Version) {
		n, r := startSite(t, v)
		c := config{networks: []string{"203.0.113.7/32"}}
		n.apply(c.String())
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1"})

		hash := n.write(with(c, "mine", mine))
		n.until("the trial", func(r report.Report) bool { return r.AppliedHash == hash && untried(r) == 1 })
		n.holdTrial()
		c.networks = append(c.networks, "203.0.113.8/32")
		got := n.apply(with(c, "mine", mine))
		untilRoutes(t, r, map[string]string{"203.0.113.7/32": "64512:1", "203.0.113.8/32": "64512:1"})
		if untried(got) != 1 || !slices.Equal(got.LastApply.Steps, []string{"vty-add"}) {
			t.Errorf("the trial was not under way: %+v", got)
		}

		n.rel.Signal(unix.SIGKILL)
		_ = n.rel.Wait()
		n.noDaemons()
		must(t, os.Remove(n.path("exchange", exchange.ReportFile)))
		n.startReloader()
		n.tryOut(with(c, "mine", mine))
		n.noScratch()
		before := sessionOf(t, r)

		n.stopReloader()
		n.startReloader()
		n.tryOut(with(c, "mine", mine))
		if got := n.report(); got.LastApply != nil {
			t.Errorf("the next reloader has changed something: %+v", got.LastApply)
		}

		n.vtysh("configure terminal", "no ip prefix-list mine seq 5")
		got = n.until("the repair", func(r report.Report) bool { return r.Drift != nil && r.Drift.Repaired })
		if want := []string{"+ ip prefix-list mine seq 5 permit 10.0.0.0/8 le 24"}; !slices.Equal(got.Drift.Lines, want) {
			t.Errorf("drift %q, want %q", got.Drift.Lines, want)
		}
		if after := sessionOf(t, r); before.resetUntil(after) {
			t.Errorf("the session was reset: %+v, %+v", before, after)
		}

		running := n.runningLines()
		n.frr.Kill()
		n.until("FRR to be gone", func(r report.Report) bool { return r.AppliedHash == "" })
		n.startFRR()
		n.until("FRR to be back", func(r report.Report) bool { return r.AppliedHash != "" })
		if diff := cmp.Diff(running, n.runningLines()); diff != "" {
			t.Error(diff)
		}
		if trials := strings.Count(n.log(), "snippet accepted"); trials != 1 {
			t.Errorf("tried %d times, want once", trials)
		}
	})
}

// What a later base says to a snippet holds at once: a peer of Herald's never has a
// map of a snippet, and the snippet says why it is refused now.
func TestASnippetGivesWayToABGPPeer(t *testing.T) {
	t.Parallel()
	n := startNode(t, frr.V10_3)
	c := config{networks: []string{"203.0.113.7/32"}}
	theirs := "route-map mine permit 10\nexit\nrouter bgp 64512\n neighbor fd00::1 remote-as 64500\n address-family ipv4 unicast\n  neighbor fd00::1 route-map mine out\n"
	n.tryOut(with(c, "theirs", theirs))
	c.extra = " neighbor fd00::1 remote-as 64500\n"
	c.family = "  neighbor fd00::1 activate\n  neighbor fd00::1 route-map herald.in in\n  neighbor fd00::1 route-map herald.out.a out\n"
	got := n.tryOut(with(c, "theirs", theirs))
	if !strings.HasPrefix(verdict(got, "theirs"), "refused") {
		t.Error(verdict(got, "theirs"))
	}
	if running := n.running(); strings.Contains(running, "route-map mine") || !strings.Contains(running, "neighbor fd00::1 route-map herald.out.a out") {
		t.Error(running)
	}
}

// holdTrial stops the trial's first process, once it is there.
func (n *node) holdTrial() {
	n.t.Helper()
	const stop = `for p in /proc/[0-9]*; do
		case "$(tr '\0' ' ' <$p/cmdline 2>/dev/null)" in "/proc/self/exe trial ") kill -STOP ${p#/proc/} && echo held;; esac
	done`
	err := wait.Until(n.t.Context(), "a trial", wait.Session, func(ctx context.Context) (bool, error) {
		out, err := n.relBox.Run(ctx, "sh", "-c", stop)
		return strings.Contains(out, "held"), err
	})
	must(n.t, err)
}

// noScratch fails where a scratch daemon or its directory is left.
func (n *node) noScratch() {
	n.t.Helper()
	n.noDaemons()
	if _, err := os.Stat(n.path("run", "herald-trial")); !os.IsNotExist(err) {
		n.t.Errorf("the scratch daemons' directory is left: %v", err)
	}
}

func (n *node) noDaemons() {
	n.t.Helper()
	err := wait.Until(n.t.Context(), "the scratch daemons to be gone", wait.Session, func(ctx context.Context) (bool, error) {
		out, err := n.relBox.Run(ctx, "sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
		return err == nil && !strings.Contains(out, "herald-trial"), nil
	})
	must(n.t, err)
}
