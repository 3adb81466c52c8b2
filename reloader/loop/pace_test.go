package loop

import (
	"math/rand"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// stream of changes of one prefix each. An apply takes a while and carries all that
// came since the last one.
type stream struct {
	applies int
	// longest is how long a change waited at most until its apply began, last how long
	// the last one did.
	longest, last time.Duration
}

const applyTakes = 5 * time.Millisecond

// soon is how long the last change of a burst may wait.
const soon = 210 * time.Millisecond

// run has a change at each of some moments, and goes on until the last is applied.
func run(p *pace, moments []time.Time) (s stream) {
	var waiting []time.Time
	for now := moments[0]; len(moments)+len(waiting) > 0; now = now.Add(time.Millisecond) {
		for ; len(moments) > 0 && !moments[0].After(now); moments = moments[1:] {
			p.noted(now)
			waiting = append(waiting, moments[0])
		}
		if len(waiting) == 0 || p.wait(now) > 0 {
			continue
		}
		s.longest, s.last = max(s.longest, now.Sub(waiting[0])), now.Sub(waiting[len(waiting)-1])
		n := len(waiting)
		waiting, s.applies, now = nil, s.applies+1, now.Add(applyTakes)
		p.applied(now, n)
	}
	return s
}

// changes come each so often, for a while.
func changes(p *pace, from time.Time, every, during time.Duration) stream {
	var moments []time.Time
	for now := from; now.Before(from.Add(during)); now = now.Add(every) {
		moments = append(moments, now)
	}
	return run(p, moments)
}

func TestPaceFirstAtOnceBurstCoalesced(t *testing.T) {
	var p pace
	if p.wait(start) != 0 {
		t.Fatal("the first change waits")
	}
	s := changes(&p, start, 5*time.Millisecond, 4*time.Second)
	if s.applies < 4 || s.applies > 8 {
		t.Errorf("%d applies of 800 changes in 4 s", s.applies)
	}
	if s.longest > maxGap {
		t.Errorf("a change waited %s", s.longest)
	}
	later := start.Add(time.Minute)
	p.noted(later)
	if d := p.wait(later); d != 0 {
		t.Errorf("after a quiet minute: waits %s", d)
	}
	p.applied(later, 1)
	if p.noted(later); p.wait(later) != minGap {
		t.Errorf("after a single apply: waits %s", p.wait(later))
	}
}

// 500 changes at 90 a second are ten applies at most. So are they, give or take one, where
// several come at once now and then, and none for a while, as an API server takes them
// among 10,000 Services. The last one is applied soon.
func TestPaceOf500Changes(t *testing.T) {
	var p pace
	if s := changes(&p, start, time.Second/90, 500*time.Second/90); s.applies > 10 || s.last > soon {
		t.Errorf("%d applies, the last change waited %s", s.applies, s.last)
	}
	for seed := range int64(20) {
		random := rand.New(rand.NewSource(seed))
		var moments []time.Time
		for now := start; len(moments) < 500; now = now.Add(time.Duration(random.ExpFloat64() * float64(11*time.Millisecond))) {
			if moments = append(moments, now); random.Intn(60) == 0 {
				now = now.Add(100 * time.Millisecond)
				moments = append(moments, slices.Repeat([]time.Time{now}, min(9, 500-len(moments)))...)
			}
		}
		var p pace
		if s := run(&p, moments); s.applies > 11 || s.longest > maxGap+applyTakes || s.last > soon {
			t.Errorf("seed %d: %d applies in %s, the last change waited %s, another one %s", seed, s.applies, moments[499].Sub(start), s.last, s.longest)
		}
	}
}

// A few changes at once are no reason for a long wait: it ends when nothing more comes.
func TestPaceOfAFewAtOnce(t *testing.T) {
	var p pace
	if s := changes(&p, start, 5*time.Millisecond, 100*time.Millisecond); s.applies > 3 || s.last > soon {
		t.Errorf("%d applies, the last change waited %s", s.applies, s.last)
	}
}

// One change of many prefixes is no burst: nobody waited for it.
func TestPaceOfOneLargeChange(t *testing.T) {
	var p pace
	p.noted(start)
	p.applied(start, 1)
	later := start.Add(time.Second)
	p.noted(later)
	if p.applied(later, 500); p.gap != minGap {
		t.Errorf("a pause of %s", p.gap)
	}
}

// A burst that falters for a moment is still one: its pause stays long.
func TestPaceOfABurstThatFalters(t *testing.T) {
	var p pace
	changes(&p, start, 10*time.Millisecond, 3*time.Second)
	if p.gap != maxGap {
		t.Fatalf("a pause of %s in a burst", p.gap)
	}
	if s := changes(&p, p.ended, 30*time.Millisecond, 600*time.Millisecond); p.gap < maxGap*2/3 {
		t.Errorf("a pause of %s after it faltered for %d applies", p.gap, s.applies)
	}
	// What goes on at that pace is none any more.
	s := changes(&p, start.Add(4*time.Second), 30*time.Millisecond, 6*time.Second)
	if p.gap > 2*minGap {
		t.Errorf("a pause of %s after %d applies of steady changes", p.gap, s.applies)
	}
}

// Steady churn, however long, is no burst: none of its changes waits for more
// than the shortest pause.
func TestPaceOfSteadyChurn(t *testing.T) {
	var p pace
	if s := changes(&p, start, 30*time.Millisecond, 20*time.Second); s.longest > minGap+5*time.Millisecond {
		t.Errorf("a change waited %s", s.longest)
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
	now := p.ended
	for range 6 {
		p.noted(now)
		if d := p.wait(now); d > soon {
			t.Errorf("a single change waits %s", d)
		}
		now = now.Add(p.wait(now))
		p.applied(now, 1)
		now = now.Add(80 * time.Millisecond) // until the router has the route
	}
	p.noted(now)
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
