package loop

import "time"

// Bounds of the pause between two applies. FRR itself holds a new route for 50
// ms (its work queue), so a shorter one wins nothing; after the longest one each
// change is still at the routers about a second after it came.
const (
	minGap = 50 * time.Millisecond
	maxGap = 900 * time.Millisecond
	// quiet is for how long nothing more has to come for a burst to be over: what waits
	// then waits no longer.
	quiet = 200 * time.Millisecond
	// growth of the pause in a burst, so that 500 changes at 90 a second are no more than
	// ten applies: three of them until the pause is the longest.
	growth = 8
)

// burstRate is from how many changed prefixes a second on changes are a burst.
// Below it, each apply is worth its few milliseconds: a route that follows a pod
// must not wait for others. Between calmRate and burstRate a burst may only falter,
// where API server and agent share their processors with others.
const (
	burstRate = 60
	calmRate  = 20
)

// pace lets the first change through at once and coalesces a burst behind it:
// the pause grows while changes wait for its end and prefixes change faster than
// burstRate, and shrinks when they don't, the sooner the slower they come: single
// changes would only be late.
type pace struct {
	gap       time.Duration
	ended     time.Time // of the last apply
	notBefore time.Time
	changed   time.Time // when the last change came
	// waited says that a change came during the pause: one that touches many
	// prefixes is no burst when it comes alone.
	waited bool
}

// noted takes that something has changed.
func (p *pace) noted(now time.Time) {
	p.changed = now
	p.waited = p.waited || now.Before(p.notBefore)
}

// wait is how long an apply must still be put off, 0 for not at all.
func (p *pace) wait(now time.Time) time.Duration {
	due := p.notBefore
	if over := p.changed.Add(quiet); over.Before(due) {
		due = over
	}
	if first := p.ended.Add(minGap); first.After(due) {
		due = first
	}
	return max(due.Sub(now), 0)
}

// applied notes the end of an apply that changed so many prefixes.
func (p *pace) applied(now time.Time, prefixes int) {
	since := now.Sub(p.ended)
	faster := func(rate float64) bool { return float64(prefixes) >= rate*since.Seconds() }
	switch {
	case !p.waited, since > 2*maxGap: // what waited may be long undone
		p.gap = minGap
	case faster(burstRate):
		p.gap *= growth
	case faster(calmRate):
		p.gap -= p.gap / 4
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
