package loop

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestPaceFirstAtOnceBurstCoalesced(t *testing.T) {
	var p pace
	now, applies := start, 0
	// A change each millisecond for three seconds; an apply takes 2 ms.
	for ; now.Before(start.Add(3 * time.Second)); now = now.Add(time.Millisecond) {
		if p.wait(now) > 0 {
			continue
		}
		if applies == 0 && !now.Equal(start) {
			t.Fatal("the first change waited")
		}
		applies++
		now = now.Add(2 * time.Millisecond)
		p.applied(now)
	}
	if applies < 4 || applies > 15 {
		t.Errorf("%d applies of 3000 changes", applies)
	}
	now = now.Add(time.Minute)
	if d := p.wait(now); d != 0 {
		t.Errorf("after a quiet minute: waits %s", d)
	}
	p.applied(now)
	if d := p.wait(now); d != minGap {
		t.Errorf("after a single apply: waits %s", d)
	}
}

func TestBackoffGrowsIsBoundedAndForgetsOtherFiles(t *testing.T) {
	var b backoff
	now := start
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for i, seconds := range want {
		if d := b.refused("a", now); d != seconds*time.Second {
			t.Errorf("delay %d: %s", i, d)
		}
		if !b.holds("a", now) || b.holds("b", now) {
			t.Error("holds the wrong file")
		}
		now = now.Add(seconds * time.Second)
		if b.holds("a", now) {
			t.Error("held beyond its time")
		}
	}
	if d := b.refused("b", now); d != firstRetry {
		t.Errorf("another file: %s", d)
	}
}
