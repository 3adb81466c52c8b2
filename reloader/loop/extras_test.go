package loop

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/snippet"
	"github.com/herald-lb/herald/reloader/trial"
)

const extrasBase = `router bgp 64512
 neighbor 192.0.2.1 remote-as 64513
 address-family ipv4 unicast
  neighbor 192.0.2.1 activate
 exit-address-family
exit
`

// lab is extras with trials that the test answers.
type lab struct {
	*extras
	t    *testing.T
	jobs chan trial.Job
	done chan finished
	time time.Time
}

func newLab(t *testing.T, dir string) *lab {
	l := &lab{t: t, jobs: make(chan trial.Job, 1), done: make(chan finished), time: start}
	l.extras = newExtras(trial.Job{RunDir: dir}, func() string { return "10.3" }, slog.New(slog.DiscardHandler), func() time.Time { return l.time })
	l.try = func(_ context.Context, job trial.Job) ([]trial.Outcome, error) {
		l.jobs <- job
		answer := <-l.done
		return answer.outcomes, answer.err
	}
	return l
}

// look is what is wanted of a base and snippets "name text".
func (l *lab) look(base string, snippets ...string) string {
	l.t.Helper()
	for _, s := range snippets {
		name, text, _ := strings.Cut(s, " ")
		base += snippet.Marker + name + "\n" + text + "\n"
	}
	return l.wish(l.t.Context(), exchange.NewFile("test", "boot", []byte(base))).Config.Text(plan.Quirks{})
}

// answer lets the trial that was begun end: of each snippet FRR prints the text,
// but refuses "bad".
func (l *lab) answer(err error) {
	l.t.Helper()
	var outcomes []trial.Outcome
	for _, s := range (<-l.jobs).Snippets {
		o := trial.Outcome{Name: s.Name, Hash: s.Hash(), Additions: s.Text()}
		if s.Lines[0] == "bad" {
			o.Refused, o.Additions = &snippet.Problem{Line: 1, Text: "bad", Why: "FRR: no"}, ""
		}
		outcomes = append(outcomes, o)
	}
	l.done <- finished{outcomes: outcomes, err: err}
	l.learn(<-l.finished)
}

// idle fails if a trial was begun.
func (l *lab) idle() {
	l.t.Helper()
	if l.trying != "" {
		l.t.Errorf("a trial runs")
	}
}

func (l *lab) states() string {
	var all []string
	for _, v := range l.verdicts() {
		all = append(all, strings.TrimSpace(v.Name+" "+string(v.State)+" "+v.Error))
	}
	return strings.Join(all, ", ")
}

func (l *lab) want(what, is, want string) {
	l.t.Helper()
	if is != want {
		l.t.Errorf("%s: %q, want %q", what, is, want)
	}
}

const one, two = "ip route 10.1.0.0/16 192.0.2.9", "ip route 10.2.0.0/16 192.0.2.9"

func TestASnippetIsInForceOnceItWasTried(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.want("without snippets", l.look(extrasBase), extrasBase)
	l.idle()
	l.want("before", l.look(extrasBase, "a "+one, "b bad"), extrasBase)
	l.want("states", l.states(), "a pending, b pending")
	l.answer(nil)
	l.want("after", l.look(extrasBase, "a "+one, "b bad"), one+"\n"+extrasBase)
	l.want("states", l.states(), "a accepted, b refused FRR: no")

	services := strings.Replace(extrasBase, "  neighbor", "  network 203.0.113.7/32 route-map herald.gold\n  neighbor", 1)
	withService := l.look(services, "a "+one, "b bad")
	if !strings.Contains(withService, one) || !strings.Contains(withService, "203.0.113.7/32") {
		t.Error(withService)
	}
	l.idle()

	l.want("edited, before", l.look(extrasBase, "a "+two, "b bad"), one+"\n"+extrasBase)
	l.want("states", l.states(), "a pending, b refused FRR: no")
	l.answer(nil)
	l.want("edited, after", l.look(extrasBase, "a "+two, "b bad"), two+"\n"+extrasBase)
	l.want("removed", l.look(extrasBase), extrasBase)
	l.want("states", l.states(), "")
}

// A reloader that starts knows what the one before found out.
func TestTheNextReloaderTriesNothingAgain(t *testing.T) {
	dir := t.TempDir()
	first := newLab(t, dir)
	first.look(extrasBase, "a "+one)
	first.answer(nil)
	second := newLab(t, dir)
	second.want("at once", second.look(extrasBase, "a "+one), one+"\n"+extrasBase)
	second.idle()
}

// Another base is tried again; what was found before holds meanwhile, unless it
// touches what is Herald's now.
func TestAnotherBaseIsLookedAtBeforeItWasTried(t *testing.T) {
	l := newLab(t, t.TempDir())
	mine := "router bgp 64512\n neighbor 192.0.2.7 route-map mine out"
	l.look(extrasBase, "a "+one, "b "+mine)
	l.answer(nil)
	more := strings.Replace(extrasBase, " address-family", " neighbor 192.0.2.8 remote-as 64513\n address-family", 1)
	if got := l.look(more, "a "+one, "b "+mine); !strings.Contains(got, one) || !strings.Contains(got, "route-map mine out") {
		t.Errorf("not in force while it is tried again:\n%s", got)
	}
	l.want("states", l.states(), "a accepted, b accepted")
	l.answer(nil)
	theirs := strings.Replace(extrasBase, " address-family", " neighbor 192.0.2.7 remote-as 64513\n address-family", 1)
	if got := l.look(theirs, "a "+one, "b "+mine); !strings.Contains(got, one) || strings.Contains(got, "route-map mine out") {
		t.Errorf("the peer of Herald's would have a map that isn't:\n%s", got)
	}
	l.want("states", l.states(), "a accepted, b pending")
	l.answer(nil)
}

func TestATrialThatFailsIsMadeAgainInAMinute(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.look(extrasBase, "a "+one)
	l.answer(errors.New("no namespace"))
	l.want("without", l.look(extrasBase, "a "+one), extrasBase)
	l.want("states", l.states(), "a pending no namespace")
	l.idle()
	l.time = l.time.Add(retryTrial)
	l.look(extrasBase, "a "+one)
	l.answer(nil)
	l.want("states", l.states(), "a accepted")
}

// What FRR refuses though its scratch daemons took it is left out: what is new
// first. The base alone is nobody's fault here.
func TestAdditionsThatFRRRefusesAreLeftOut(t *testing.T) {
	l := newLab(t, t.TempDir())
	if l.look(extrasBase); l.blame(errors.New("x")) {
		t.Error("a snippet is blamed that isn't there")
	}
	l.look(extrasBase, "a "+one)
	l.answer(nil)
	l.look(extrasBase, "a "+one)
	l.succeeded()
	l.look(extrasBase, "a "+one, "b "+two)
	l.answer(nil)
	if l.look(extrasBase, "a "+one, "b "+two); !l.blame(errors.New("no")) {
		t.Error("nobody is blamed")
	}
	l.want("without the new one", l.look(extrasBase, "a "+one, "b "+two), one+"\n"+extrasBase)
	l.want("states", l.states(), "a accepted, b refused FRR refused the configuration with it: no")
	if !l.blame(errors.New("no")) || l.look(extrasBase, "a "+one, "b "+two) != extrasBase || l.blame(errors.New("no")) {
		t.Error("the older one is not left out then, or more than all")
	}
	var refused int
	for _, v := range l.verdicts() {
		if v.State == report.SnippetRefused {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d refused", refused)
	}
}
