package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/herald-lb/herald/test/lab/frr"
)

// Sizes and repetitions of what concerns many Services at once.
const (
	burstSize    = 500
	withdrawSize = 1000
	fewRuns      = 5
)

// Targets, in milliseconds.
var (
	readyTarget   = target{median: 80, p99: 200}
	createdTarget = target{median: 120}
	localTarget   = target{median: 80}
	manyTarget    = target{median: 1000}
	restartTarget = target{median: 5000}
	editedTarget  = target{median: 2000}
	appliesAtMost = target{median: 10}
	noTarget      target
	communitiesOf = []string{"64512:1", "64512:2", "64512:3", "64512:4", "64512:5"}
	whatReady     = "endpoints ready → update"
	whatNotReady  = "endpoints not ready → withdrawal"
	whatCreated   = "Service created → update"
	whatLocal     = "Local: endpoint ready → update"
	whatLocalDown = "Local: endpoint not ready → withdrawal"
	whatBurst     = fmt.Sprintf("%d Services created: last write → last route", burstSize)
	whatWriting   = fmt.Sprintf("%d Services created: the writes to the API", burstSize)
	whatApplies   = fmt.Sprintf("%d Services created: applies", burstSize)
	whatWithdrawn = "all withdrawn at once"
	whatRestart   = "FRR killed: bgpd up → all routes"
	whatEdited    = "communities of all edited → last update"
)

// ofVersion measures with one release of FRR, from few to many Services.
func ofVersion(ctx context.Context, version frr.Version, o options) (results []Result, err error) {
	s, err := newSite(ctx, version)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for _, present := range slices.Sorted(slices.Values(o.present)) {
		fmt.Fprintf(os.Stderr, "bench: %d Services\n", present)
		if err := s.fill(ctx, present); err != nil {
			return results, err
		}
		some, err := s.single(ctx, o.runs)
		if err == nil && present > 0 {
			var many []Result
			many, err = s.many(ctx)
			some = append(some, many...)
		}
		for _, r := range some {
			r.FRR, r.Present = string(version), present
			results = append(results, r)
		}
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// single Services come and go.
func (s *site) single(ctx context.Context, runs int) ([]Result, error) {
	up, down, err := s.readiness(ctx, runs, "Cluster")
	if err != nil {
		return nil, err
	}
	results := append(up.results(whatReady, readyTarget), down.results(whatNotReady, readyTarget)...)
	created, err := s.created(ctx, runs)
	if err != nil {
		return results, err
	}
	results = append(results, created.results(whatCreated, createdTarget)...)
	up, down, err = s.readiness(ctx, runs, "Local", localPolicy)
	if err != nil {
		return results, err
	}
	return append(append(results, up.results(whatLocal, localTarget)...), down.results(whatLocalDown, localTarget)...), nil
}

// results of both moments; the target is about the first: what the router makes of
// it is the router's.
func (m *moments) results(what string, want target) []Result {
	return []Result{summary(what+" at the router", "ms", m.told, want), summary(what+" in the router's kernel", "ms", m.kernel, noTarget)}
}

// many routes change at once; then what agent and reloader cost.
func (s *site) many(ctx context.Context) ([]Result, error) {
	var results []Result
	repeat := func(what string, want target, once func(i int) (float64, error)) error {
		var samples []float64
		for i := range fewRuns {
			took, err := once(i)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			samples = append(samples, took)
		}
		results = append(results, summary(what, "ms", samples, want))
		return nil
	}
	if err := repeat(whatEdited, editedTarget, func(i int) (float64, error) { return s.edited(ctx, communitiesOf[i]) }); err != nil {
		return results, err
	}
	want := noTarget
	if len(s.present) == withdrawSize {
		want = manyTarget
	}
	if err := repeat(whatWithdrawn, want, func(int) (float64, error) { return s.withdrawn(ctx) }); err != nil {
		return results, err
	}
	if err := repeat(whatRestart, restartTarget, func(int) (float64, error) { return s.restarted(ctx) }); err != nil {
		return results, err
	}
	var writing, applies []float64
	err := repeat(whatBurst, manyTarget, func(int) (float64, error) {
		b, err := s.burst(ctx, burstSize)
		writing, applies = append(writing, b.writing), append(applies, float64(b.applies))
		return b.routes, err
	})
	if err != nil {
		return results, err
	}
	results = append(results, summary(whatWriting, "ms", writing, noTarget), summary(whatApplies, "", applies, appliesAtMost))
	costs, err := s.costs(ctx)
	return append(results, costs...), err
}
