package observe

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/vty"
)

// Interval between two looks; a transition is in the report within a second.
const Interval = 500 * time.Millisecond

// Where nothing changes, not all is asked at each look: these are counts of looks.
const (
	// pingEvery look a daemon must answer: one that ends hangs up, which is seen at once.
	pingEvery = 4
	// wholeEvery look bgpd is asked for all that it knows of its neighbors, which is
	// as often as the report is written unasked (report.RewriteInterval).
	wholeEvery = 6
	// wholeEveryDown is that where a session is down: why may change unseen.
	wholeEveryDown = 2
)

// answerTimeout of a daemon: one that takes longer counts as not answering.
const answerTimeout = 2 * time.Second

// Both ask for sessions only: "show bgp vrf all json" would print the whole table.
const (
	bgpDaemon     = "bgpd"
	showSummary   = "show bgp vrf all summary json"
	showNeighbors = "show bgp vrf all neighbors json"
)

// Observer looks at FRR.
type Observer struct {
	// RunDir is FRR's run directory; Daemons are those that must answer.
	RunDir  string
	Daemons []string
	Log     *slog.Logger
	Now     func() time.Time
	// Before are the sessions that the last reloader reported, if there was one.
	Before []report.Session
	// Publish takes changes to the report.
	Publish func(func(*report.Report))
	// Changed is called when a daemon stops answering and when it answers on a
	// new connection.
	Changed func(daemon string)

	conns map[string]*vty.Conn
	seen  map[key]history
	// looks counts them.
	looks int
	// version of the bgpd that is connected; empty: it hasn't been asked yet.
	version string
	last    whole
}

// whole is what the last look found that asked bgpd for everything. The zero value
// stands for none.
type whole struct {
	glance   glance
	sessions []report.Session
	watched  map[key]bool
	// covered: the glance shows all neighbors.
	covered bool
	look    int
	// applied is the configuration that was applied then.
	applied string
}

// Run looks until the context ends.
func (o *Observer) Run(ctx context.Context) {
	o.begin()
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	defer o.closeAll()
	for {
		o.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (o *Observer) begin() {
	o.conns = map[string]*vty.Conn{}
	o.recall(o.Before)
}

func (o *Observer) look(ctx context.Context) {
	o.looks++
	alive := make(map[string]bool, len(o.Daemons))
	var why error
	for _, daemon := range o.Daemons {
		err := o.ping(ctx, daemon)
		alive[daemon] = err == nil
		if daemon == bgpDaemon {
			why = err
		}
	}
	var sessions []report.Session
	if alive[bgpDaemon] {
		if sessions, why = o.askBGP(); why != nil {
			alive[bgpDaemon] = false
		}
	}
	o.publish(alive, sessions, why)
}

// ping makes sure of a connection that is kept: if it breaks, the daemon is another
// one.
func (o *Observer) ping(ctx context.Context, daemon string) error {
	if conn := o.conns[daemon]; conn != nil {
		if o.answers(daemon, conn) {
			return nil
		}
		o.drop(daemon)
	}
	conn, err := vty.Dial(ctx, daemon, filepath.Join(o.RunDir, daemon+".vty"), answerTimeout)
	if err != nil {
		return err
	}
	o.conns[daemon] = conn
	o.Changed(daemon)
	return nil
}

// answers is true of one that needn't be asked at this look; others are by a command
// of no effect. bgpd is asked for its sessions at each look.
func (o *Observer) answers(daemon string, conn *vty.Conn) bool {
	if conn.HungUp() {
		return false
	}
	if daemon == bgpDaemon || o.looks%pingEvery != 0 {
		return true
	}
	_, err := conn.Exec("enable")
	return err == nil
}

func (o *Observer) askBGP() ([]report.Session, error) {
	if o.version == "" {
		output, err := o.ask("show version")
		if err != nil {
			return nil, err
		}
		if f := strings.Fields(output); len(f) > 1 {
			o.version = f[1]
		}
	}
	output, err := o.ask(showSummary)
	if err != nil && !isRefused(err) {
		return nil, err
	}
	now, applied := parseSummary(output), o.applied()
	if o.changed(now, applied) {
		return o.askAll(now, applied)
	}
	sessions := o.last.sessions
	if len(o.last.watched) > 0 {
		sessions = slices.Clone(sessions)
		o.askPaths(sessions)
	}
	return sessions, nil
}

// askAll that is to know of the neighbors.
func (o *Observer) askAll(now glance, applied string) ([]report.Session, error) {
	o.last = whole{}
	output, err := o.ask(showNeighbors)
	if isRefused(err) { // no BGP instance yet
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	neighbors, err := parseNeighbors(output)
	if err != nil {
		return nil, err
	}
	sessions := o.sessions(neighbors, o.Now())
	o.last = whole{
		glance: now, sessions: sessions, watched: watchedBy(neighbors), covered: now.covers(neighbors), look: o.looks, applied: applied,
	}
	o.askPaths(sessions)
	return sessions, nil
}

// ask bgpd. One that doesn't answer is another one afterwards.
func (o *Observer) ask(command string) (string, error) {
	output, err := o.conns[bgpDaemon].Exec(command)
	if err != nil && !isRefused(err) {
		o.drop(bgpDaemon)
	}
	return output, err
}

func isRefused(err error) bool {
	var refused *vty.CommandError
	return errors.As(err, &refused)
}

// changed says whether bgpd has to be asked for everything: a glance shows something
// else, or not all that can change, or an apply has changed what it doesn't show.
func (o *Observer) changed(now glance, applied string) bool {
	every := wholeEvery
	if !now.up() {
		every = wholeEveryDown
	}
	return !o.last.covered || o.looks-o.last.look >= every || o.last.applied != applied || !now.equal(o.last.glance)
}

// applied is the hash of what the loop has applied.
func (o *Observer) applied() (hash string) {
	o.Publish(func(r *report.Report) { hash = r.AppliedHash })
	return hash
}

// askPaths puts BFD's view into sessions.
func (o *Observer) askPaths(sessions []report.Session) {
	if err := o.addBFD(sessions, o.last.watched); err != nil && o.Log != nil {
		o.Log.Debug("bfdd does not say how the paths are", "error", err)
	}
}

func (o *Observer) publish(alive map[string]bool, sessions []report.Session, why error) {
	o.Publish(func(r *report.Report) {
		r.FRR.Daemons = alive
		r.FRR.Version = o.version
		if why == nil {
			r.Sessions = sessions
			return
		}
		if gone(why) {
			r.Sessions = o.down(r.Sessions)
		} // a bgpd that hangs may well keep its sessions: leave them as last seen
	})
}

// down marks all sessions of a bgpd that is gone: their TCP connections went
// with it.
func (o *Observer) down(sessions []report.Session) []report.Session {
	now := o.Now()
	marked := make([]report.Session, 0, len(sessions))
	for _, s := range sessions {
		if s.State != "Idle" || s.LastResetReason != bgpdGone {
			if s.State == established {
				s.Since, s.Flaps = &now, s.Flaps+1
			}
			s.State, s.LastResetReason, s.LastResetTime = "Idle", bgpdGone, &now
			s.IPv4, s.IPv6, s.BFD = nil, nil, nil
			s.GracefulRestart, s.Opened, s.Pending = false, nil, nil
		}
		marked = append(marked, s)
	}
	o.seen, o.last = nil, whole{}
	return marked
}

const bgpdGone = "bgpd is not running"

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)
}

func (o *Observer) drop(daemon string) {
	if conn := o.conns[daemon]; conn != nil {
		_ = conn.Close()
		delete(o.conns, daemon)
		o.Changed(daemon)
	}
	if daemon == bgpDaemon {
		o.version, o.last = "", whole{}
	}
}

func (o *Observer) closeAll() {
	for _, conn := range o.conns {
		_ = conn.Close()
	}
}

// WhyDown explains an FRR that isn't there: in its start script's words, if it
// left any.
func WhyDown(runDir string, err error) string {
	if text, readErr := os.ReadFile(filepath.Join(runDir, exchange.StartErrorFile)); readErr == nil {
		if reason := strings.TrimSpace(string(text)); reason != "" {
			return reason
		}
	}
	if gone(err) {
		return "FRR is not running: no vty socket of bgpd in " + runDir + "; look at the pod of the DaemonSet herald-frr on this node"
	}
	return err.Error()
}
