package publish

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
)

func TestWriteAndComplainOnce(t *testing.T) {
	dir := t.TempDir()
	var said bytes.Buffer
	now := time.Unix(1000, 0).UTC()
	w := New(filepath.Join(dir, "x"), slog.New(slog.NewTextHandler(&said, nil)), func() time.Time { return now })
	w.Update(func(r *report.Report) { r.AppliedHash = "abc" })
	w.Write()
	w.Write()
	if n := strings.Count(said.String(), "can't be written"); n != 1 {
		t.Errorf("said %d times: %s", n, said.String())
	}
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.Write()
	data, err := os.ReadFile(filepath.Join(dir, "x", exchange.ReportFile))
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Decode(data)
	if err != nil || r.AppliedHash != "abc" || !r.Time.Equal(now) || !strings.Contains(said.String(), "can be written again") {
		t.Errorf("%+v %v", r, err)
	}
}

func TestOnlyChangesWake(t *testing.T) {
	w := New(t.TempDir(), slog.New(slog.DiscardHandler), time.Now)
	woken := func() bool {
		select {
		case <-w.wake:
			return true
		default:
			return false
		}
	}
	w.Update(func(r *report.Report) { r.FRR.Daemons = map[string]bool{"bgpd": true} })
	if !woken() {
		t.Error("a change was not noticed")
	}
	w.Update(func(r *report.Report) { r.FRR.Daemons = map[string]bool{"bgpd": true} })
	if woken() {
		t.Error("the same again is no change")
	}
	w.Update(func(r *report.Report) { r.Sessions = []report.Session{{Address: "192.0.2.1"}} })
	if !woken() {
		t.Error("a session was not noticed")
	}
	w.Update(func(r *report.Report) {
		r.Sessions = []report.Session{{Address: "192.0.2.1", Messages: &report.Messages{Sent: report.MessageCount{Keepalive: 1}}}}
	})
	if woken() {
		t.Error("a keepalive is no change")
	}
	if got := w.Report().Sessions[0].Messages; got == nil || got.Sent.Keepalive != 1 {
		t.Error("the next report doesn't count it")
	}
}
