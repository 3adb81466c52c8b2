package status

import (
	"testing"
	"time"
)

// most is a random number that is always as high as it can be.
func most(limit time.Duration) time.Duration { return max(limit-1, 0) }

// simulate lets an object change at every step and counts the writes.
func simulate(pace Pace, change Change, every, during time.Duration) (writes int, longest time.Duration) {
	pacer := NewPacer(pace, most)
	changed := time.Time{}
	for now := noon; now.Before(noon.Add(during)); now = now.Add(every) {
		if changed.IsZero() {
			changed = now
		}
		if !pacer.Due("object", change, now).After(now) {
			pacer.Wrote("object", change, now)
			writes, longest, changed = writes+1, max(longest, now.Sub(changed)), time.Time{}
		}
	}
	return writes, longest
}

func TestPaceBoundsWrites(t *testing.T) {
	pace := DefaultPace()
	if writes, longest := simulate(pace, ChangeCounters, 100*time.Millisecond, time.Hour); writes > 60 || writes < 50 || longest > 71*time.Second {
		t.Errorf("counters that always change: %d writes in an hour, one after %v", writes, longest)
	}
	if writes, longest := simulate(pace, ChangeTransition, time.Second, time.Hour); writes > 611 || writes < 600 || longest > 6*time.Second {
		t.Errorf("a session that flaps every second: %d writes in an hour, one after %v", writes, longest)
	}
	if writes, longest := simulate(pace, ChangeTransition, 30*time.Second, time.Hour); writes != 120 || longest != 0 {
		t.Errorf("a transition now and then: %d writes of 120, one after %v", writes, longest)
	}
}

func TestPaceLetsTransitionsPassCounters(t *testing.T) {
	pacer := NewPacer(DefaultPace(), most)
	pacer.Wrote("object", ChangeCounters, noon)
	soon := noon.Add(time.Second)
	if at := pacer.Due("object", ChangeCounters, soon); at.Sub(noon) < time.Minute || at.Sub(noon) > 70*time.Second {
		t.Errorf("counters are due after %v", at.Sub(noon))
	}
	if first, again := pacer.Due("object", ChangeCounters, soon), pacer.Due("object", ChangeCounters, soon.Add(time.Second)); !first.Equal(again) {
		t.Errorf("asking again puts it off: %v, %v", first, again)
	}
	for i := range DefaultPace().TransitionBurst {
		if at := pacer.Due("object", ChangeTransition, soon); at.After(soon) {
			t.Fatalf("transition %d waits until %v", i, at.Sub(soon))
		}
		pacer.Wrote("object", ChangeTransition, soon)
	}
	if at := pacer.Due("object", ChangeTransition, soon); !at.After(soon) {
		t.Error("the burst has no end")
	}
	if at := pacer.Due("other", ChangeTransition, soon); at.After(soon) {
		t.Error("another object waits too")
	}
	pacer.Forget("object")
	if at := pacer.Due("object", ChangeTransition, soon); at.After(soon) {
		t.Error("a forgotten object waits")
	}
}

func TestPaceSpreadsNodes(t *testing.T) {
	seen := map[time.Time]bool{}
	pacer := NewPacer(DefaultPace(), nil)
	for name := range 100 {
		at := pacer.Due(string(rune('a'+name)), ChangeCounters, noon)
		if at.Before(noon) || at.After(noon.Add(DefaultPace().CountersSpread)) {
			t.Errorf("due after %v", at.Sub(noon))
		}
		seen[at] = true
	}
	if len(seen) < 50 {
		t.Errorf("100 objects are due at %d times", len(seen))
	}
}
