package controllers

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/exchange"
)

// TestFRREnds: a mark that nobody takes away drains no node for good.
func TestFRREnds(t *testing.T) {
	f := &FRRStop{Dir: t.TempDir()}
	mark := filepath.Join(f.Dir, exchange.EndingFile)
	if f.Ends() {
		t.Error("nobody says so")
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !f.Ends() {
		t.Error("the hook says so")
	}
	if err := os.Chtimes(mark, time.Time{}, time.Now().Add(-forgotten)); err != nil {
		t.Fatal(err)
	}
	if f.Ends() {
		t.Error("it has said so longer than it can take")
	}
}

// TestFRRIsAnswered once for each answer, and again after it has started.
func TestFRRIsAnswered(t *testing.T) {
	f := &FRRStop{Dir: t.TempDir()}
	file := filepath.Join(f.Dir, exchange.StopFile)
	if in := f.Answer(t.Context(), true, nil); in != 0 {
		t.Errorf("looks again in %s", in)
	}
	if said, err := os.ReadFile(file); err != nil || string(said) != exchange.StopNow+"\n" {
		t.Errorf("%q, %v: nothing drains, so it may end", said, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	f.Answer(t.Context(), false, nil)
	if _, err := os.Stat(file); err == nil {
		t.Error("an FRR that runs is answered")
	}
	f.Answer(t.Context(), true, nil)
	if _, err := os.Stat(file); err != nil {
		t.Error("the next end isn't answered")
	}
}
