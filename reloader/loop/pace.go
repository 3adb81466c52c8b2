package loop

import "time"

// Bounds of the pause between two applies. FRR itself holds a new route for 50
// ms (its work queue), so a shorter one wins nothing.
const (
	minGap = 50 * time.Millisecond
	maxGap = 400 * time.Millisecond
)

// manyFiles that came during one pause are a burst.
const manyFiles = 3

// pace lets the first change through at once and coalesces a burst behind it:
// the pause grows while several files come during each, and shrinks when single
// ones do: those would only be late.
type pace struct {
	gap       time.Duration
	notBefore time.Time
	// files that came during the pause, and the last one's hash.
	files int
	last  string
}

// wait is how long an apply of a file must still be put off, 0 for not at all.
func (p *pace) wait(now time.Time, hash string) time.Duration {
	d := p.notBefore.Sub(now)
	switch {
	case d > 0 && hash != p.last:
		p.files, p.last = p.files+1, hash
	case d < -maxGap:
		p.files = 0
	}
	return max(d, 0)
}

// applied notes the end of an apply.
func (p *pace) applied(now time.Time) {
	switch {
	case p.files == 0:
		p.gap = minGap
	case p.files == 1:
		p.gap /= 2
	case p.files >= manyFiles:
		p.gap *= 2
	}
	p.gap = min(max(p.gap, minGap), maxGap)
	p.files, p.last = 0, ""
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
