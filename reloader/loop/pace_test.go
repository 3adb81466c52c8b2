package loop

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// changes is a stream of one changed prefix each so often, for a while; an apply
// takes 5 ms and carries all that came since the last one. It returns how many
// applies there were, and how long a change waited at most.
func changes(p *pace, from time.Time, every, during time.Duration) (applies int, longest time.Duration) {
	var waiting []time.Time
	next := from
	for now := from; now.Before(from.Add(during)); now = now.Add(time.Millisecond) {
		for ; !next.After(now); next = next.Add(every) {
			waiting = append(waiting, next)
		}
		if len(waiting) == 0 || p.wait(now) > 0 {
			continue
		}
		longest = max(longest, now.Sub(waiting[0]))
		n := len(waiting)
		waiting, applies, now = nil, applies+1, now.Add(5*time.Millisecond)
		p.applied(now, n)
	}
	return applies, longest
}

func TestPaceFirstAtOnceBurstCoalesced(t *testing.T) {
	var p pace
	if p.wait(start) != 0 {
		t.Fatal("the first change waits")
	}
	applies, longest := changes(&p, start, 5*time.Millisecond, 4*time.Second)
	if applies < 4 || applies > 10 {
		t.Errorf("%d applies of 800 changes in 4 s", applies)
	}
	if longest > maxGap {
		t.Errorf("a change waited %s", longest)
	}
	quiet := start.Add(time.Minute)
	if d := p.wait(quiet); d != 0 {
		t.Errorf("after a quiet minute: waits %s", d)
	}
	p.applied(quiet, 1)
	if d := p.wait(quiet); d != minGap {
		t.Errorf("after a single apply: waits %s", d)
	}
}

// Steady churn, however long, is no burst: none of its changes waits for more
// than the shortest pause.
func TestPaceOfSteadyChurn(t *testing.T) {
	var p pace
	if _, longest := changes(&p, start, 30*time.Millisecond, 20*time.Second); longest > minGap+5*time.Millisecond {
		t.Errorf("a change waited %s", longest)
	}
}

// After a burst, changes that come one by one, each when the one before has
// reached the router, soon wait no more.
func TestPaceIsShortAgainForSingleChanges(t *testing.T) {
	var p pace
	changes(&p, start, 2*time.Millisecond, 4*time.Second)
	if p.gap != maxGap {
		t.Fatalf("a pause of %s after a burst", p.gap)
	}
	now := start.Add(4 * time.Second)
	for range 6 {
		now = now.Add(p.wait(now))
		p.applied(now, 1)
		now = now.Add(80 * time.Millisecond) // until the router has the route
	}
	if d := p.wait(now); d != 0 {
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
