package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/herald-lb/herald/test/lab/frr"
)

// ofSite measures from few to many Services, with each release of FRR. The Services
// are made once for all. What goes wrong is told by the error; the rest goes on.
func ofSite(ctx context.Context, o options, keep func([]Result) error) (err error) {
	s, err := newSite(ctx, frr.Version(o.versions[0]))
	if err != nil {
		return err
	}
	defer s.close()
	var all []Result
	for _, present := range slices.Sorted(slices.Values(o.present)) {
		s.wantSpares = 0
		if present > 0 {
			s.wantSpares = burstSize
		}
		if err := within(ctx, fillTimeout, func(ctx context.Context) error { return s.fill(ctx, present) }); err != nil {
			return errors.Join(err, fmt.Errorf("filling with %d Services", present))
		}
		for _, version := range o.versions {
			began := time.Now()
			st := &stage{site: s, runs: o.runs}
			failed := within(ctx, stepTimeout, func(ctx context.Context) error { return s.use(ctx, frr.Version(version)) })
			if failed == nil {
				failed = st.measure(ctx, present, present == slices.Max(o.present))
			}
			for i := range st.results {
				st.results[i].FRR, st.results[i].Present = version, present
			}
			all = append(all, st.results...)
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("FRR %s, %d Services: %w", version, present, failed))
			}
			if ctx.Err() != nil {
				return errors.Join(err, context.Cause(ctx))
			}
			fmt.Fprintf(os.Stderr, "bench: FRR %s, %d Services took %s\n", version, present, time.Since(began).Round(time.Second))
			if kept := keep(append(slices.Clone(all), growth(all)...)); kept != nil {
				return errors.Join(err, kept)
			}
		}
	}
	return err
}

// within bounds what something may take.
func within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %s", limit))
	defer cancel()
	return do(ctx)
}

// growth of one changed Service's time with the number of Services.
func growth(results []Result) []Result {
	without := map[string]float64{}
	var grown []Result
	for _, r := range results {
		switch {
		case r.What != whatReady+atRouter || r.Way != "":
		case r.Present == 0:
			without[r.FRR] = r.Median
		case without[r.FRR] > 0:
			g := summary("median of \""+r.What+"\", times that with no Service", "times", []float64{r.Median / without[r.FRR]}, target{median: 1.5})
			g.FRR, g.Present = r.FRR, r.Present
			grown = append(grown, g)
		}
	}
	return grown
}
