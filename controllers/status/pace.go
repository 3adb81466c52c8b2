package status

import (
	"math/rand/v2"
	"time"
)

// Change is how urgent a difference of two statuses is.
type Change uint8

// The changes.
const (
	// ChangeNone: nothing to write.
	ChangeNone Change = iota
	// ChangeCounters: only counts, hashes and timings of successes differ.
	ChangeCounters
	// ChangeTransition: a state, a condition, an error or an issue differs.
	ChangeTransition
)

// Pace bounds how often one object is written, so that a thousand nodes don't
// drown the API server when one Service changes or a router flaps.
type Pace struct {
	// CountersInterval is the least time between two writes that are only
	// counters, and CountersSpread by how much at most a random delay puts off
	// one: all nodes see the same change at once.
	CountersInterval, CountersSpread time.Duration
	// TransitionInterval is how often transitions may be written for long;
	// TransitionBurst of them may come at once.
	TransitionInterval time.Duration
	TransitionBurst    int
}

// DefaultPace is the one of architecture.md: transitions at once, counters at
// most once a minute.
func DefaultPace() Pace { return PaceEvery(time.Minute) }

// PaceEvery is the DefaultPace with another least time between two writes that
// are only counters.
func PaceEvery(interval time.Duration) Pace {
	return Pace{
		CountersInterval: interval, CountersSpread: interval / 6,
		TransitionInterval: 6 * time.Second, TransitionBurst: 10,
	}
}

// Pacer applies a Pace to objects by name. It isn't safe for concurrent use.
type Pacer struct {
	pace    Pace
	random  func(time.Duration) time.Duration
	objects map[string]*paced
}

type paced struct {
	// countersDue is when the counters that differ now are written; zero: none do.
	countersDue time.Time
	lastWrite   time.Time
	// full is when the transitions' bucket is full again.
	full time.Time
}

// NewPacer makes a Pacer. random gives a duration from 0 to below its argument;
// nil: the program's random numbers.
func NewPacer(pace Pace, random func(time.Duration) time.Duration) *Pacer {
	if random == nil {
		random = func(limit time.Duration) time.Duration {
			if limit <= 0 {
				return 0
			}
			return rand.N(limit) //nolint:gosec // spreads load, hides nothing
		}
	}
	return &Pacer{pace: pace, random: random, objects: map[string]*paced{}}
}

// Due is when a change of an object may be written: now, or a time to ask again.
func (p *Pacer) Due(name string, change Change, now time.Time) time.Time {
	object := p.object(name)
	switch change {
	case ChangeTransition:
		return later(now, object.full.Add(-p.bucket()+p.pace.TransitionInterval))
	case ChangeCounters:
		if object.countersDue.IsZero() {
			earliest := later(now, object.lastWrite.Add(p.pace.CountersInterval))
			object.countersDue = earliest.Add(p.random(p.pace.CountersSpread))
		}
		return later(now, object.countersDue)
	default:
		object.countersDue = time.Time{}
		return now
	}
}

// Wrote notes that a change was written. Every write carries the counters too.
func (p *Pacer) Wrote(name string, change Change, now time.Time) {
	object := p.object(name)
	object.lastWrite, object.countersDue = now, time.Time{}
	if change == ChangeTransition {
		object.full = later(object.full, now).Add(p.pace.TransitionInterval)
	}
}

// Forget drops an object that is gone.
func (p *Pacer) Forget(name string) { delete(p.objects, name) }

func (p *Pacer) bucket() time.Duration {
	return time.Duration(p.pace.TransitionBurst) * p.pace.TransitionInterval
}

func (p *Pacer) object(name string) *paced {
	if p.objects[name] == nil {
		p.objects[name] = &paced{}
	}
	return p.objects[name]
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
