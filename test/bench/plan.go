package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

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
	// slowGates are as many gates as are opened where kube-proxy takes 10 s for each.
	slowGates = 5
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
	whatBurstUp   = fmt.Sprintf("%d Services' endpoints become ready: last write → last route", burstSize)
	whatBurstDown = fmt.Sprintf("%d Services' endpoints become not ready: last write → last withdrawal", burstSize)
	whatBurstRate = fmt.Sprintf("%d Services' endpoints become ready: Services written each second", burstSize)
	whatBurstRuns = fmt.Sprintf("%d Services' endpoints become ready: applies", burstSize)
	whatWithdrawn = "all withdrawn at once"
	whatAnnounced = "all announced at once"
	whatUnproxied = "endpoints ready → update, kube-proxy stopped"
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

// part of a stage, for the progress.
type part struct {
	name string
	do   func(context.Context) error
}

// partTimeout bounds a part: one that hangs mustn't cost the others.
const partTimeout = 15 * time.Minute

// measure what there is to know with so many Services; last: they are the most. A
// part that fails doesn't keep the others from being measured.
func (s *stage) measure(ctx context.Context, present int, last bool) (failed error) {
	parts := []part{{"single Services", s.single}, {"gates", s.opening}}
	if present > 0 {
		parts = append(parts, part{"frr-reload", s.slowly}, part{"all at once", s.many})
	}
	if last {
		parts = append(parts, part{"a peer", s.peers}, part{"FRR's restart", s.restarts}, part{"costs", s.agentCosts}, part{"without kube-proxy", s.unproxied})
	}
	if present == comparedAt {
		parts = append(parts, part{"comparison", s.compared}, part{"creations", s.creations})
	}
	if present > 0 {
		parts = append(parts, part{"bursts", s.bursts})
	}
	for _, p := range parts {
		began, outcome := time.Now(), "done"
		if err := within(ctx, partTimeout, p.do); err != nil {
			if ctx.Err() == nil {
				err = errors.Join(err, within(ctx, stepTimeout, s.restore))
			}
			failed, outcome = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err)), "FAILED: "+err.Error()
		}
		fmt.Fprintf(os.Stderr, "bench: FRR %s, %d Services: %s: %s (%s)\n", s.version, present, p.name, outcome, time.Since(began).Round(100*time.Millisecond))
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

func (s *stage) note(results ...Result) { s.results = append(s.results, results...) }

// single Services come and go.
func (s *stage) single(ctx context.Context) error {
	before, err := s.spending()
	if err != nil {
		return err
	}
	up, down, err := s.readiness(ctx, s.runs, "Cluster")
	if err != nil {
		return err
	}
	s.note(up.results(whatReady, readyTarget)...)
	s.note(down.results(whatNotReady, readyTarget)...)
	if err := s.explain(before, up.runs, 2*s.runs, whatReady, "change of endpoints"); err != nil {
		return err
	}
	if before, err = s.spending(); err != nil {
		return err
	}
	created, err := s.created(ctx, s.runs/2)
	if err != nil {
		return err
	}
	s.note(created.results(whatCreated, createdTarget)...)
	if err := s.explain(before, created.runs, s.runs/2, whatCreated, "Service created and removed"); err != nil {
		return err
	}
	up, down, err = s.readiness(ctx, s.runs/2, "Local", localPolicy)
	if err != nil {
		return err
	}
	s.note(up.results(whatLocal, localTarget)...)
	s.note(down.results(whatLocalDown, localTarget)...)
	return nil
}

// explain where the time went of some runs, and what so many changes cost whom.
func (s *stage) explain(before spending, runs []timedRun, changes int, what, change string) error {
	now, err := s.spending()
	if err != nil {
		return err
	}
	delays, err := s.delays(runs, what)
	s.note(delays...)
	s.note(now.each(before, changes, change)...)
	return err
}

// opening of gates, which kube-proxy takes seconds for where there are many Services.
func (s *stage) opening(ctx context.Context) error {
	runs := s.runs / 2
	if len(s.present) > comparedAt {
		runs = min(runs, slowGates)
	}
	opened, err := s.gates(ctx, runs)
	if len(opened.told) > 0 {
		s.note(opened.results(whatGate, localTarget)...)
	}
	return err
}

// unproxied is the same as single without kube-proxy, which writes its rules on the
// same processors at each change: it tells what of the time is its.
func (s *stage) unproxied(ctx context.Context) error {
	s.node().Stop(node.KubeProxy, 0)
	up, _, err := s.readiness(ctx, s.runs/2, "Cluster")
	if err == nil {
		s.note(up.results(whatUnproxied, noTarget)[0])
	}
	if err := errors.Join(err, s.node().StartContainer(node.KubeProxy)); err != nil {
		return err
	}
	return s.settle(ctx)
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
		return errors.Join(err, s.reloader(ctx))
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
	var announced []float64
	err = s.repeat(whatWithdrawn, want, func(int) (float64, error) {
		gone, back, err := s.withdrawn(ctx)
		announced = append(announced, back)
		return gone, err
	})
	s.note(summary(whatAnnounced, "ms", announced, noTarget))
	return err
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

// creations of many Services, as fast as the API server takes them.
func (s *stage) creations(ctx context.Context) error {
	b, err := s.createdBurst(ctx)
	if err != nil {
		return err
	}
	s.note(summary(whatBurst, "ms", []float64{b.routes}, manyTarget),
		summary(whatWriting, "ms", []float64{b.writing}, noTarget), summary(whatApplies, "", []float64{float64(b.applies)}, noTarget))
	return nil
}

// bursts of endpoints that become ready: one write each, which is as many changes a
// second as this API server can bring about.
func (s *stage) bursts(ctx context.Context) error {
	var rates, applies, downs []float64
	err := s.repeat(whatBurstUp, manyTarget, func(int) (float64, error) {
		up, down, err := s.readyBurst(ctx)
		rates, applies, downs = append(rates, up.rate), append(applies, float64(up.applies)), append(downs, down.routes)
		return up.routes, err
	})
	s.note(summary(whatBurstDown, "ms", downs, manyTarget), summary(whatBurstRuns, "", applies, appliesAtMost), summary(whatBurstRate, "", rates, noTarget))
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
