package controllers

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/relay/exchange"
)

// relaySilence is how old a relay's report may be: it writes one every 2 s.
const relaySilence = 10 * time.Second

// RelayReport follows the relay's relay-report.json.
type RelayReport struct {
	dir     string
	clock   clock.PassiveClock
	started time.Time

	mu     sync.Mutex
	latest *exchange.Report
	err    error
	// written is when the latest report came, on this process's own clock.
	written time.Time
}

// NewRelayReport follows the report in dir; nil where that is empty.
func NewRelayReport(dir string, clock clock.PassiveClock) *RelayReport {
	if dir == "" {
		return nil
	}
	return &RelayReport{dir: dir, clock: clock, started: clock.Now()}
}

// Refresh reads the file, and says whether it tells anything new.
func (f *RelayReport) Refresh() bool {
	if f == nil {
		return false
	}
	next, err := exchange.ReadReport(f.dir)
	f.mu.Lock()
	defer f.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("the relay has written no " + exchange.ReportFile)
	}
	if err != nil {
		changed := f.err == nil || f.err.Error() != err.Error()
		f.err = err
		return changed
	}
	f.err = nil
	if f.latest != nil && f.latest.Time.Equal(next.Time) {
		return false
	}
	f.written = f.clock.Now()
	if age := f.written.Sub(next.Time); f.latest == nil && (age < 0 || age > relaySilence) {
		f.written = time.Time{} // left over from a relay that is gone
	}
	f.latest = &next
	return true
}

// Observe judges the latest report; StaleAt is when it won't count any more unless the
// relay reports again.
func (f *RelayReport) Observe(wish RelayWish) (view *status.RelayView, staleAt time.Time) {
	if f == nil {
		return nil, time.Time{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	view = &status.RelayView{Desired: wish.Desired, Hash: wish.Hash, Report: f.latest}
	if wish.Error != nil {
		view.WriteError = wish.Error.Error()
	}
	if f.err != nil {
		view.ReportError = f.err.Error()
	}
	staleAt = f.written.Add(relaySilence)
	view.Fresh = f.latest != nil && f.err == nil && now.Before(staleAt)
	if patience := f.started.Add(relaySilence); !view.Fresh && now.Before(patience) {
		view.Starting, staleAt = true, patience
	}
	return view, staleAt
}

// RelayWatch looks at the relay's report as often as the relay writes it. Nothing of it
// is urgent to a fraction of a second, so that it takes no inotify instance.
type RelayWatch struct{ Changed func() }

// Start implements manager.Runnable.
func (w *RelayWatch) Start(ctx context.Context) error {
	ticker := time.NewTicker(compareInterval)
	defer ticker.Stop()
	for {
		w.Changed()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
