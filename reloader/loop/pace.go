package loop

import "time"

// Bounds of the pause between two applies. FRR itself holds a new route for 50
// ms (its work queue), so a shorter one wins nothing; after the longest one all
// of a burst is still at the routers within a second of its last change.
const (
	minGap = 50 * time.Millisecond
	maxGap = 800 * time.Millisecond
)

// burstRate is from how many changed prefixes a second on changes are a burst.
// Below it, each apply is worth its few milliseconds: a route that follows a pod
// must not wait for others.
const burstRate = 60

// pace lets the first change through at once and coalesces a burst behind it:
// the pause doubles while changes wait for its end and prefixes change faster than
// burstRate, and halves when they don't: single changes would only be late.
type pace struct {
	gap       time.Duration
	ended     time.Time // of the last apply
	notBefore time.Time
	// waited says that a change came during the pause: one that touches many
	// prefixes is no burst when it comes alone.
	waited bool
}

// wait is how long an apply must still be put off, 0 for not at all.
func (p *pace) wait(now time.Time) time.Duration {
	d := max(p.notBefore.Sub(now), 0)
	p.waited = p.waited || d > 0
	return d
}

// applied notes the end of an apply that changed so many prefixes.
func (p *pace) applied(now time.Time, prefixes int) {
	since := now.Sub(p.ended)
	fast := float64(prefixes) >= burstRate*since.Seconds()
	switch {
	case !p.waited, since > 2*maxGap: // what waited may be long undone
		p.gap = minGap
	case fast:
		p.gap *= 2
	default:
		p.gap /= 2
	}
	p.gap = min(max(p.gap, minGap), maxGap)
	p.ended, p.notBefore, p.waited = now, now.Add(p.gap), false
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
