package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
)

// Sizes and repetitions of what concerns many Services at once.
const (
	burstSize    = 500
	withdrawSize = 1000
	fewRuns      = 3
	// comparedAt is the number of Services at which ways are compared: FRR 8.4 takes
	// minutes to load more in prefix-lists.
	comparedAt = 1000
	// slowRuns of single Services where frr-reload.py does everything.
	slowRuns = 3
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
)

// atRouter: as the router is told on the wire.
const atRouter = " at the router"

// What is measured.
var (
	whatReady     = "endpoints ready → update"
	whatNotReady  = "endpoints not ready → withdrawal"
	whatCreated   = "Service created → update"
	whatLocal     = "Local: endpoint ready → update"
	whatLocalDown = "Local: endpoint not ready → withdrawal"
	whatGate      = "Local: gate opens → update"
	whatBurst     = fmt.Sprintf("%d Services created: last write → last route", burstSize)
	whatWriting   = fmt.Sprintf("%d Services created: the writes to the API", burstSize)
	whatApplies   = fmt.Sprintf("%d Services created: applies", burstSize)
	whatWithdrawn = "all withdrawn at once"
	whatRestart   = "FRR killed: bgpd up → all routes"
	whatEdited    = "communities of all edited → last update"
	whatPeerRuns  = "peer added → FRR runs it"
	whatPeerUp    = "peer added → its session is up"
	whatPeerAll   = "peer added → its router has all routes"
	whatPeerElse  = "peer added: routes sent again to the other router"
)

// stage is what is done with a number of Services present.
type stage struct {
	*site
	runs    int
	results []Result
}

// ofVersion measures with one release of FRR, from few to many Services.
func ofVersion(ctx context.Context, version frr.Version, o options) (results []Result, err error) {
	began := time.Now()
	s, err := newSite(ctx, version)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for _, present := range slices.Sorted(slices.Values(o.present)) {
		st := &stage{site: s, runs: o.runs}
		err := st.measure(ctx, present, present == slices.Max(o.present))
		for _, r := range st.results {
			r.FRR, r.Present = string(version), present
			results = append(results, r)
		}
		if err != nil {
			return results, fmt.Errorf("%d Services: %w", present, err)
		}
	}
	results = append(results, growth(results)...)
	fmt.Fprintf(os.Stderr, "bench: FRR %s took %s\n", version, time.Since(began).Round(time.Second))
	return results, nil
}

// growth of one changed Service's time with the number of Services.
func growth(results []Result) []Result {
	var without float64
	var grown []Result
	for _, r := range results {
		switch {
		case r.What != whatReady+atRouter || r.Way != "":
		case r.Present == 0:
			without = r.Median
		case without > 0:
			g := summary("median of \""+r.What+"\", times that with no Service", "times", []float64{r.Median / without}, target{median: 1.5})
			g.FRR, g.Present = r.FRR, r.Present
			grown = append(grown, g)
		}
	}
	return grown
}

// part of a stage, for the progress.
type part struct {
	name string
	do   func(context.Context) error
}

// measure what there is to know with so many Services; last: they are the most.
func (s *stage) measure(ctx context.Context, present int, last bool) error {
	parts := []part{
		{"filling", func(ctx context.Context) error { return s.fill(ctx, present) }},
		{"single Services", s.single},
	}
	if present > 0 {
		parts = append(parts, part{"frr-reload", s.slowly}, part{"all at once", s.many})
	}
	if last {
		parts = append(parts, part{"a peer", s.peers}, part{"FRR's restart", s.restarts}, part{"costs", s.agentCosts})
	}
	if present == comparedAt {
		parts = append(parts, part{"comparison", s.compared})
	}
	if present > 0 {
		parts = append(parts, part{"bursts", s.bursts})
	}
	for _, p := range parts {
		began := time.Now()
		if err := p.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %d Services: %s (%s)\n", present, p.name, time.Since(began).Round(100*time.Millisecond))
	}
	return nil
}

func (s *stage) note(results ...Result) { s.results = append(s.results, results...) }

// single Services come and go.
func (s *stage) single(ctx context.Context) error {
	up, down, err := s.readiness(ctx, s.runs, "Cluster")
	if err != nil {
		return err
	}
	s.note(up.results(whatReady, readyTarget)...)
	s.note(down.results(whatNotReady, readyTarget)...)
	created, err := s.created(ctx, s.runs/2)
	if err != nil {
		return err
	}
	s.note(created.results(whatCreated, createdTarget)...)
	up, down, err = s.readiness(ctx, s.runs/2, "Local", localPolicy)
	if err != nil {
		return err
	}
	s.note(up.results(whatLocal, localTarget)...)
	s.note(down.results(whatLocalDown, localTarget)...)
	opened, err := s.gates(ctx, s.runs/2)
	s.note(opened.results(whatGate, localTarget)...)
	return err
}

// results of both moments; the target is about the first: what the router makes of
// it is the router's.
func (m *moments) results(what string, want target) []Result {
	return []Result{summary(what+atRouter, "ms", m.told, want), summary(what+" in the router's kernel", "ms", m.kernel, noTarget)}
}

// slowly: the same as single, while frr-reload.py does everything.
func (s *stage) slowly(ctx context.Context) error {
	if err := s.reloader(ctx, byFRRReload...); err != nil {
		return err
	}
	up, down, err := s.readiness(ctx, slowRuns, "Cluster")
	if err != nil {
		return err
	}
	for _, r := range []Result{up.results(whatReady, noTarget)[0], down.results(whatNotReady, noTarget)[0]} {
		r.Way = byFRRReload[0]
		for _, heralds := range s.results {
			if heralds.What == r.What && heralds.Way == "" {
				r.Ratio = r.Median / heralds.Median
			}
		}
		s.note(r)
	}
	return s.reloader(ctx)
}

// repeat something and note what it took.
func (s *stage) repeat(what string, want target, once func(i int) (float64, error)) error {
	var samples []float64
	for i := range fewRuns {
		took, err := once(i)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		samples = append(samples, took)
	}
	s.note(summary(what, "ms", samples, want))
	return nil
}

// many routes change at once.
func (s *stage) many(ctx context.Context) error {
	err := s.repeat(whatEdited, editedTarget, func(i int) (float64, error) { return s.edited(ctx, fmt.Sprintf("64512:%d", i+1)) })
	if err != nil {
		return err
	}
	want := noTarget
	if len(s.present) == withdrawSize {
		want = manyTarget
	}
	return s.repeat(whatWithdrawn, want, func(int) (float64, error) { return s.withdrawn(ctx) })
}

func (s *stage) restarts(ctx context.Context) error {
	return s.repeat(whatRestart, restartTarget, func(int) (float64, error) { return s.restarted(ctx) })
}

func (s *stage) peers(ctx context.Context) error {
	var up, routes, again []float64
	err := s.repeat(whatPeerRuns, editedTarget, func(int) (float64, error) {
		took, err := s.peerAdded(ctx)
		up, routes, again = append(up, took.up), append(routes, took.routes), append(again, took.again)
		return took.runs, err
	})
	s.note(summary(whatPeerUp, "ms", up, noTarget), summary(whatPeerAll, "ms", routes, noTarget), summary(whatPeerElse, "", again, noTarget))
	return err
}

func (s *stage) bursts(ctx context.Context) error {
	var writing, applies []float64
	err := s.repeat(whatBurst, manyTarget, func(int) (float64, error) {
		b, err := s.burst(ctx, burstSize)
		writing, applies = append(writing, b.writing), append(applies, float64(b.applies))
		return b.routes, err
	})
	s.note(summary(whatWriting, "ms", writing, noTarget), summary(whatApplies, "", applies, appliesAtMost))
	return err
}

func (s *stage) compared(ctx context.Context) error {
	results, err := s.compare(ctx)
	s.note(results...)
	return err
}

func (s *stage) agentCosts(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	results, err := s.costs(ctx, "agent", node.Agent, agentLimit)
	s.note(results...)
	return err
}
