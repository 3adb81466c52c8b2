package controllers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
)

// maxReportBytes bounds what is read: a report of 100 sessions takes 50 KiB.
const maxReportBytes = 8 << 20

// ReportFile follows the reloader's report.json in the exchange directory.
type ReportFile struct {
	path    string
	clock   clock.PassiveClock
	started time.Time

	mu     sync.Mutex
	info   fs.FileInfo
	latest *report.Report
	err    error
	// written is when the latest report was written, on this process's own clock:
	// a step of the wall clock must not make a dead reloader look alive.
	written time.Time
}

// NewReportFile follows the report in dir.
func NewReportFile(dir string, clock clock.PassiveClock) *ReportFile {
	return &ReportFile{path: filepath.Join(dir, exchange.ReportFile), clock: clock, started: clock.Now()}
}

// Refresh reads the file if it is another one than before, and says whether
// there is anything new.
func (f *ReportFile) Refresh() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err == nil && f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return false
	}
	f.info = info
	next, err := f.read(info, err)
	if err != nil {
		changed := f.err == nil || f.err.Error() != err.Error()
		f.err = err
		return changed
	}
	f.err = nil
	if f.latest == nil || !f.latest.Time.Equal(next.Time) {
		f.written = f.writtenAt(next.Time)
	}
	f.latest = next
	return true
}

func (f *ReportFile) read(info fs.FileInfo, err error) (*report.Report, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the reloader has written no " + exchange.ReportFile)
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxReportBytes {
		return nil, fmt.Errorf("%s: larger than %d MiB", exchange.ReportFile, maxReportBytes>>20)
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	next, err := report.Decode(data)
	if err != nil {
		return nil, err
	}
	return &next, nil
}

// writtenAt trusts the report's own time only for the first report that is
// seen; later ones were written just now.
func (f *ReportFile) writtenAt(stamp time.Time) time.Time {
	now := f.clock.Now()
	if f.latest != nil {
		return now
	}
	if age := now.Sub(stamp); age >= 0 && age <= report.MaxAge {
		return now.Add(-age)
	}
	return now.Add(-2 * report.MaxAge)
}

// Observation is what is known of the reloader at one moment.
type Observation struct {
	// Report is the last one that could be read; nil: none. Error says why the
	// file that is there now can't be.
	Report *report.Report
	Error  string
	// Fresh says that the reloader is alive; it is until StaleAt unless it
	// reports again.
	Fresh   bool
	StaleAt time.Time
	// Starting says that it may be too early to judge: this process has just
	// started, and the reloader beside it too.
	Starting bool
}

// Observe judges the latest report.
func (f *ReportFile) Observe() Observation {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	seen := Observation{Report: f.latest, StaleAt: f.written.Add(report.MaxAge)}
	if f.err != nil {
		seen.Error = f.err.Error()
	}
	seen.Fresh = f.latest != nil && now.Before(seen.StaleAt)
	if patience := f.started.Add(report.MaxAge); !seen.Fresh && now.Before(patience) {
		seen.Starting, seen.StaleAt = true, patience
	}
	return seen
}
