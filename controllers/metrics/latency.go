package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxHanded bounds how many configurations are remembered that FRR doesn't run.
const maxHanded = 256

// Latency measures how long it takes from an event at the agent until FRR runs a
// configuration that knows of it. Nil measures nothing.
type Latency struct {
	histogram prometheus.Histogram
	now       func() time.Time

	mu sync.Mutex
	// first is when the first event came that no snapshot has yet.
	first  time.Time
	handed []handed
}

// handed is a configuration that the reloader got, with its oldest event.
type handed struct {
	hash  string
	since time.Time
}

// NewLatency measures by a clock.
func NewLatency(now func() time.Time) *Latency {
	return &Latency{now: now, histogram: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "herald_event_to_applied_seconds",
		Help:    "Time from an event that changes the node's configuration, as the agent sees it, until FRR runs that.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	})}
}

// Event notes that something has changed.
func (l *Latency) Event() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first.IsZero() {
		l.first = l.now()
	}
}

// Take is to be called before the state of the world is read: it gives the time of
// the first event that is new in it, zero where there is none.
func (l *Latency) Take() time.Time {
	if l == nil {
		return time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	since := l.first
	l.first = time.Time{}
	return since
}

// Failed gives back what Take gave: the reloader could not be told.
func (l *Latency) Failed(since time.Time) {
	if l == nil || since.IsZero() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first = since
}

// Handed notes that the reloader was given a configuration of that hash.
func (l *Latency) Handed(hash string, since time.Time) {
	if l == nil || since.IsZero() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.handed) == maxHanded {
		l.handed = l.handed[1:]
	}
	l.handed = append(l.handed, handed{hash, since})
}

// Applied notes which configuration FRR runs: with it all that came before is
// done, for the reloader takes the newest.
func (l *Latency) Applied(hash string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.handed) - 1; i >= 0; i-- {
		if l.handed[i].hash != hash {
			continue
		}
		for _, h := range l.handed[:i+1] {
			l.histogram.Observe(l.now().Sub(h.since).Seconds())
		}
		l.handed = append([]handed(nil), l.handed[i+1:]...)
		return
	}
}

// Describe implements prometheus.Collector.
func (l *Latency) Describe(descs chan<- *prometheus.Desc) { l.histogram.Describe(descs) }

// Collect implements prometheus.Collector.
func (l *Latency) Collect(out chan<- prometheus.Metric) { l.histogram.Collect(out) }
