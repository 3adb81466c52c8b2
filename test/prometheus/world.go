package prometheus

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Point is a sample, at milliseconds.
type Point struct {
	At    int64
	Value float64
}

// T and the other methods make it a chunks.Sample.
func (p Point) T() int64                      { return p.At }
func (p Point) ST() int64                     { return 0 }
func (p Point) F() float64                    { return p.Value }
func (p Point) H() *histogram.Histogram       { return nil }
func (p Point) FH() *histogram.FloatHistogram { return nil }
func (p Point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p Point) Copy() chunks.Sample           { return p }

// Series is one with its samples, in time's order.
type Series struct {
	Labels labels.Labels
	Points []chunks.Sample
}

// World is a storage in memory.
type World []Series

// NewEngine is Prometheus' own.
func NewEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute})
}

// Ask makes an instant query.
func (w *World) Ask(engine *promql.Engine, expr string, at time.Duration) (promql.Vector, error) {
	query, err := engine.NewInstantQuery(context.Background(), w, nil, expr, time.UnixMilli(at.Milliseconds()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	defer query.Close()
	vector, err := query.Exec(context.Background()).Vector()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	return append(promql.Vector(nil), vector...), nil
}

// AskRange makes a query over a time.
func (w *World) AskRange(engine *promql.Engine, expr string, from, to time.Time, step time.Duration) (promql.Matrix, error) {
	query, err := engine.NewRangeQuery(context.Background(), w, nil, expr, from, to, step)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	// It isn't closed: that would give the matrix back for other use.
	matrix, err := query.Exec(context.Background()).Matrix()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	return matrix, nil
}

// Querier implements storage.Queryable.
func (w *World) Querier(_, _ int64) (storage.Querier, error) { return w, nil }

// Select implements storage.Querier.
func (w *World) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := &set{at: -1}
	for _, s := range *w {
		matches := true
		for _, m := range matchers {
			matches = matches && m.Matches(s.Labels.Get(m.Name))
		}
		if matches {
			found.list = append(found.list, storage.NewListSeries(s.Labels, s.Points))
		}
	}
	return found
}

// LabelValues implements storage.Querier; the engine doesn't ask.
func (w *World) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames implements storage.Querier; the engine doesn't ask.
func (w *World) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Close implements storage.Querier.
func (w *World) Close() error { return nil }

type set struct {
	list []storage.Series
	at   int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.list) }
func (s *set) At() storage.Series                { return s.list[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }
