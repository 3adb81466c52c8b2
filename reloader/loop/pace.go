package loop

import "time"

// Bounds of the pause between two applies. FRR itself holds a new route for 50
// ms (its work queue), so a shorter one wins nothing.
const (
	minGap = 50 * time.Millisecond
	maxGap = 400 * time.Millisecond
)

// pace lets the first change through at once and coalesces a burst behind it:
// the pause grows while changes keep coming and is short again after a quiet one.
type pace struct {
	gap       time.Duration
	notBefore time.Time
	waited    bool
}

// wait is how long an apply must still be put off, 0 for not at all.
func (p *pace) wait(now time.Time) time.Duration {
	d := p.notBefore.Sub(now)
	if d > 0 {
		p.waited = true
		return d
	}
	if d < -maxGap {
		p.waited = false
	}
	return 0
}

// applied notes the end of an apply.
func (p *pace) applied(now time.Time) {
	if p.waited {
		p.gap = min(2*p.gap, maxGap)
	} else {
		p.gap = minGap
	}
	p.gap = max(p.gap, minGap)
	p.waited = false
	p.notBefore = now.Add(p.gap)
}

// Bounds of the back-off after a refusal.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// backoff remembers which file FRR refused and when to try it again.
type backoff struct {
	hash  string
	delay time.Duration
	at    time.Time
}

// holds says whether a file must not be tried yet. Any other file may be.
func (b *backoff) holds(hash string, now time.Time) bool {
	return b.hash == hash && now.Before(b.at)
}

// refused notes a failure and returns the delay until the next try.
func (b *backoff) refused(hash string, now time.Time) time.Duration {
	if b.hash != hash || b.delay == 0 {
		b.delay = firstRetry
	} else {
		b.delay = min(2*b.delay, lastRetry)
	}
	b.hash, b.at = hash, now.Add(b.delay)
	return b.delay
}

func (b *backoff) reset() { *b = backoff{} }
