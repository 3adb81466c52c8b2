// Package publish keeps report.json: what the reloader tells the agent.
//
// Stage: report. Input: changes to the report by the loop and the observer.
// Output: the file, by rename, at each change and at least every
// report.RewriteInterval, so that its age tells a dead reloader.
package publish

import (
	"context"
	"log/slog"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
)

// Writer holds the report. It is safe for concurrent use.
type Writer struct {
	dir string
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	current report.Report
	failed  bool
	wake    chan struct{}
}

// New makes a Writer of dir's report.json.
func New(dir string, log *slog.Logger, now func() time.Time) *Writer {
	return &Writer{dir: dir, log: log, now: now, wake: make(chan struct{}, 1)}
}

// Update changes the report; it is written soon if it is another one then.
// Slices and pointers must be replaced, not changed.
func (w *Writer) Update(change func(*report.Report)) {
	w.mu.Lock()
	before := w.current
	change(&w.current)
	changed := differ(before, w.current)
	w.mu.Unlock()
	if changed {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// differ says whether two reports do in more than counts of messages, which wait
// for the next report: there are keepalives all the time.
func differ(a, b report.Report) bool {
	if reflect.DeepEqual(a, b) {
		return false
	}
	a.Sessions, b.Sessions = withoutMessages(a.Sessions), withoutMessages(b.Sessions)
	return !reflect.DeepEqual(a, b)
}

func withoutMessages(sessions []report.Session) []report.Session {
	sessions = slices.Clone(sessions)
	for i := range sessions {
		sessions[i].Messages = nil
	}
	return sessions
}

// Report is a copy of the current one.
func (w *Writer) Report() report.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current
}

// Run writes until the context ends.
func (w *Writer) Run(ctx context.Context) {
	tick := time.NewTicker(report.RewriteInterval)
	defer tick.Stop()
	for {
		w.Write()
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			tick.Reset(report.RewriteInterval)
		case <-tick.C:
		}
	}
}

// Write writes the report now. A directory that can't be written is logged
// once; the agent sees that the report gets old.
func (w *Writer) Write() {
	r := w.Report()
	r.Time, r.Goroutines = w.now(), runtime.NumGoroutine()
	data, err := r.Encode()
	if err == nil {
		err = exchange.WriteFile(w.dir, exchange.ReportFile, data)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && !w.failed {
		w.log.Error("the report can't be written: the agent will take this reloader for dead; make room in the exchange directory or mount it writable", "error", err)
	}
	if err == nil && w.failed {
		w.log.Info("the report can be written again")
	}
	w.failed = err != nil
}
