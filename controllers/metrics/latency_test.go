package metrics

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// clock is set by the test.
type clock struct{ at time.Duration }

func (c *clock) now() time.Time { return noon.Add(c.at) }

func told(t *testing.T, l *Latency) string {
	t.Helper()
	metric := &dto.Metric{}
	if err := l.histogram.(prometheus.Metric).Write(metric); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d, %gs", metric.GetHistogram().GetSampleCount(), metric.GetHistogram().GetSampleSum())
}

func TestLatency(t *testing.T) {
	// Each step is a letter and what it is about: e an event, h handed, f failed,
	// n nothing to hand, a applied. Each takes a second.
	tests := map[string]struct{ steps, want string }{
		"one event":                         {"e hA aA", "1, 2s"},
		"the first of a burst counts":       {"e e e hA aA", "1, 4s"},
		"an older one is done with a newer": {"e hA e hB aB", "2, 6s"}, // 4 + 2
		"an event after the snapshot waits": {"e hA e aA hB aB", "2, 6s"},
		"nothing changed by it":             {"e n aA", "0, 0s"},
		"written without an event":          {"hA aA", "0, 0s"},
		"told again":                        {"e hA aA aA aA", "1, 2s"},
		"not yet":                           {"e hA aX", "0, 0s"},
		"the reloader could not be told":    {"e f hA aA", "1, 3s"},
		"there and back again":              {"e hA aA e hB e hA aA", "3, 8s"}, // 2 + 4 + 2
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := &clock{}
			l := NewLatency(c.now)
			for step := range strings.FieldsSeq(test.steps) {
				switch step[0] {
				case 'e':
					l.Event()
				case 'h':
					l.Handed(step[1:], l.Take())
				case 'f':
					l.Failed(l.Take())
				case 'n':
					l.Take()
				case 'a':
					l.Applied(step[1:])
				}
				c.at += time.Second
			}
			if got := told(t, l); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// What FRR never runs is forgotten at last.
func TestLatencyIsBounded(t *testing.T) {
	c := &clock{}
	l := NewLatency(c.now)
	for i := range 3 * maxHanded {
		l.Event()
		l.Handed(fmt.Sprint(i), l.Take())
	}
	if len(l.handed) != maxHanded {
		t.Errorf("%d are remembered", len(l.handed))
	}
	var none *Latency
	none.Event()
	none.Failed(none.Take())
	none.Handed("x", noon)
	none.Applied("x")
}
