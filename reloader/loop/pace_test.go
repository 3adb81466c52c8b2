package loop

import (
	"fmt"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestPaceFirstAtOnceBurstCoalesced(t *testing.T) {
	var p pace
	now, applies := start, 0
	// A change each millisecond for three seconds; an apply takes 2 ms.
	for ; now.Before(start.Add(3 * time.Second)); now = now.Add(time.Millisecond) {
		if p.wait(now, now.String()) > 0 {
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
	if d := p.wait(now, "x"); d != 0 {
		t.Errorf("after a quiet minute: waits %s", d)
	}
	p.applied(now)
	if d := p.wait(now, "x"); d != minGap {
		t.Errorf("after a single apply: waits %s", d)
	}
}

// After a burst, changes that come one by one, each when the one before has
// reached the router, soon wait no more.
func TestPaceIsShortAgainForSingleChanges(t *testing.T) {
	var p pace
	now := start
	for i := range 1000 {
		if p.wait(now, fmt.Sprint(i)) == 0 {
			p.applied(now)
		}
		now = now.Add(2 * time.Millisecond)
	}
	if p.gap != maxGap {
		t.Fatalf("a pause of %s after a burst", p.gap)
	}
	const seen = 80 * time.Millisecond // until the router has the route
	for i := range 4 {
		now = now.Add(p.wait(now, fmt.Sprint("single ", i)))
		p.applied(now)
		now = now.Add(seen)
	}
	if d := p.wait(now, "the next"); d != 0 {
		t.Errorf("waits %s", d)
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
