package main

import (
	"os"
	"testing"
	"time"
)

func TestDelaysOfRuns(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(100, 0).Add(time.Duration(ms) * time.Millisecond) }
	files := []said{{"a", at(-5), at(-1)}, {"b", at(6), at(9)}, {"c", at(1004), at(1006)}}
	applies := []said{{"b", at(12), at(20)}}
	// The file of the second run was overtaken.
	runs := []timedRun{{at(0), at(64)}, {at(1000), at(1060)}}
	results := delaysOf(runs, files, applies, "x → y")
	want := []float64{6, 3, 3, 52}
	if len(results) != len(want) {
		t.Fatalf("%+v", results)
	}
	for i, r := range results {
		if r.Runs != 1 || r.Median != want[i] || r.What != "x → y: "+stagesOfRun[i] {
			t.Errorf("%+v, want %v", r, want[i])
		}
	}
	if got := delaysOf(runs[1:], files, applies, "x"); got != nil {
		t.Errorf("%+v of a run that isn't known", got)
	}
}

func TestLogsAreRead(t *testing.T) {
	for _, c := range []struct {
		decode     func([]byte) (said, error)
		line, hash string
	}{
		{written, `{"level":"info","ts":"2026-11-22T05:29:56.517000000Z","msg":"configuration written","hash":"4c","prefixes":0,"duration":0.004}`, "4c"},
		{applied, `{"time":"2026-11-22T05:29:56.517Z","level":"INFO","msg":"applied","hash":"b6","steps":["vty-add"],"duration":"4ms"}`, "b6"},
	} {
		got, err := c.decode([]byte(c.line))
		if err != nil || got.hash != c.hash || got.done.Sub(got.began) != 4*time.Millisecond || got.done.Nanosecond() != 517_000_000 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestProcessorTimeOfAProcess(t *testing.T) {
	const stat = "123 (a (b) c) S 1 1 1 0 -1 4194560 9 0 0 0 10 20 30 40 20 0 5 0 1 2 3"
	if got := commandOf(stat); got != "a (b) c" {
		t.Error(got)
	}
	if got := timesOf(stat); got != time.Second {
		t.Error(got)
	}
	own, err := processorOf(os.Getpid())
	if err != nil || own > time.Hour {
		t.Error(own, err)
	}
	results := spending{"agent": 30 * time.Millisecond, "FRR": 20 * time.Millisecond}.each(spending{"agent": 10 * time.Millisecond}, 10, "change")
	if len(results) != 2 || results[0].Median != 2 || results[1].What != "processor time for each change: agent" || results[1].Median != 2 {
		t.Errorf("%+v", results)
	}
}
