package status

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// AnnouncedInterval is how often the condition Announced of one Service is
// rewritten at most, after the first time and one correction of it.
const AnnouncedInterval = 30 * time.Second

const (
	// announcedBurst: the first write, and one correction soon after (the first
	// endpoint comes, the first session is up).
	announcedBurst = 2
	// globalPerSecond and globalBurst bound the writes of the condition Announced
	// of all Services together.
	globalPerSecond = 100
	globalBurst     = 200
)

// Limiter says when the condition Announced of a Service may be written. It is
// not safe for concurrent use.
type Limiter struct {
	global   bucket
	services map[types.NamespacedName]*bucket
}

// NewLimiter lets everything through that is within bounds.
func NewLimiter() *Limiter {
	return &Limiter{
		global:   bucket{burst: globalBurst, interval: time.Second / globalPerSecond},
		services: map[types.NamespacedName]*bucket{},
	}
}

// Take takes the right to write now, or says how long to wait.
func (l *Limiter) Take(service types.NamespacedName, now time.Time) time.Duration {
	own := l.services[service]
	if own == nil {
		own = &bucket{burst: announcedBurst, interval: AnnouncedInterval}
		l.services[service] = own
	}
	if wait := max(own.wait(now), l.global.wait(now)); wait > 0 {
		return wait
	}
	own.take(now)
	l.global.take(now)
	return 0
}

// Forget a Service that is gone.
func (l *Limiter) Forget(service types.NamespacedName) { delete(l.services, service) }

// bucket gives one right per interval and saves up to burst of them. It counts
// by the time at which it would be full again.
type bucket struct {
	burst    int
	interval time.Duration
	full     time.Time
}

func (b *bucket) wait(now time.Time) time.Duration {
	if b.full.Before(now) {
		return 0
	}
	return b.full.Sub(now) - time.Duration(b.burst-1)*b.interval
}

func (b *bucket) take(now time.Time) {
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(b.interval)
}
