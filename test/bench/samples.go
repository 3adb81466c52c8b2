package main

import (
	"fmt"
	"slices"
	"time"
)

// Result is one line of the table.
type Result struct {
	// FRR on the node, and how many Services were announced before.
	FRR     string `json:"frr"`
	Present int    `json:"servicesPresent"`
	// What was measured: from what to what.
	What string `json:"what"`
	// Way in which FRR was brought to it, where ways are compared; Ratio of its median
	// to that of Herald's way, in the same run.
	Way   string  `json:"way,omitempty"`
	Ratio float64 `json:"ratio,omitempty"`
	// Runs, and of them the median and the 99th percentile; of fewer than 100 runs
	// that is the largest. In Unit.
	Runs   int     `json:"runs"`
	Median float64 `json:"median"`
	P99    float64 `json:"p99"`
	Unit   string  `json:"unit"`
	// Target as text, and whether it was met.
	Target string `json:"target,omitempty"`
	Met    *bool  `json:"met,omitempty"`
	// Samples in the order of the runs.
	Samples []float64 `json:"samples"`
}

// target is what median and 99th percentile should stay within; 0: no matter.
type target struct{ median, p99 float64 }

func (t target) String() string {
	switch {
	case t == target{}:
		return ""
	case t.p99 == 0:
		return fmt.Sprintf("≤ %g", t.median)
	default:
		return fmt.Sprintf("p50 ≤ %g, p99 ≤ %g", t.median, t.p99)
	}
}

// summary of samples.
func summary(what, unit string, samples []float64, want target) Result {
	sorted := slices.Sorted(slices.Values(samples))
	r := Result{
		What: what, Unit: unit, Runs: len(sorted), Median: quantile(sorted, 0.5), P99: quantile(sorted, 0.99),
		Target: want.String(), Samples: samples,
	}
	if want != (target{}) {
		met := (want.median == 0 || r.Median <= want.median) && (want.p99 == 0 || r.P99 <= want.p99)
		r.Met = &met
	}
	return r
}

// quantile of sorted samples: the smallest one that this share doesn't exceed.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := int(share * float64(len(sorted)))
	return sorted[min(at, len(sorted)-1)]
}

// verdict on the target: empty, "met" or "not met".
func (r *Result) verdict() string {
	switch {
	case r.Met == nil:
		return ""
	case *r.Met:
		return "met"
	default:
		return "not met"
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
