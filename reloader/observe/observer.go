package observe

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/vty"
)

// Interval between two looks; a transition is in the report within a second.
const Interval = 500 * time.Millisecond

// answerTimeout of a daemon: one that takes longer counts as not answering.
const answerTimeout = 2 * time.Second

// Neighbors asks for sessions only. "show bgp vrf all json" would print the
// whole table.
const showNeighbors = "show bgp vrf all neighbors json"

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
}

// Run looks until the context ends.
func (o *Observer) Run(ctx context.Context) {
	o.conns = map[string]*vty.Conn{}
	o.recall(o.Before)
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

func (o *Observer) look(ctx context.Context) {
	alive := make(map[string]bool, len(o.Daemons))
	var why error
	for _, daemon := range o.Daemons {
		err := o.ping(ctx, daemon)
		alive[daemon] = err == nil
		if daemon == "bgpd" {
			why = err
		}
	}
	var sessions []report.Session
	var version string
	if alive["bgpd"] {
		if sessions, version, why = o.askBGP(); why != nil {
			alive["bgpd"] = false
		}
	}
	o.publish(alive, sessions, version, why)
}

// ping uses a command of no effect on a connection that is kept: if the
// connection breaks, the daemon is another one.
func (o *Observer) ping(ctx context.Context, daemon string) error {
	if conn := o.conns[daemon]; conn != nil {
		_, err := conn.Exec("enable")
		if err == nil {
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

func (o *Observer) askBGP() ([]report.Session, string, error) {
	conn := o.conns["bgpd"]
	output, err := conn.Exec("show version")
	if err != nil {
		o.drop("bgpd")
		return nil, "", err
	}
	version := ""
	if f := strings.Fields(output); len(f) > 1 {
		version = f[1]
	}
	output, err = conn.Exec(showNeighbors)
	var refused *vty.CommandError
	if errors.As(err, &refused) { // no BGP instance yet
		return nil, version, nil
	}
	if err != nil {
		o.drop("bgpd")
		return nil, version, err
	}
	neighbors, err := parseNeighbors(output)
	if err != nil {
		return nil, version, err
	}
	sessions := o.sessions(neighbors, o.Now())
	if err := o.addBFD(sessions, watchedBy(neighbors)); err != nil && o.Log != nil {
		o.Log.Debug("bfdd does not say how the paths are", "error", err)
	}
	return sessions, version, nil
}

func (o *Observer) publish(alive map[string]bool, sessions []report.Session, version string, why error) {
	o.Publish(func(r *report.Report) {
		r.FRR.Daemons = alive
		r.FRR.Version = version
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
	o.seen = nil
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
