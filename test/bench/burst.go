package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	crclient "sigs.k8s.io/controller-runtime/pkg/client"
)

// burst of many changes at once.
type burst struct {
	// writing is how long the writes to the API took, routes from the last one's
	// acknowledgement to the last route, in milliseconds; rate the changed Services
	// each second of writing.
	writing, routes, rate float64
	applies               int
}

// timed writes something for each of some Services, after which the router shall
// have so many routes, and counts applies until then.
func (s *site) timed(ctx context.Context, names []string, routes int, write func(context.Context, string) error) (b burst, err error) {
	applied, err := s.applies()
	if err != nil {
		return b, err
	}
	began := time.Now()
	if err := s.each(ctx, names, write); err != nil {
		return b, err
	}
	written := time.Now()
	at, err := s.routes.waitCount(ctx, routes)
	if err != nil {
		return b, err
	}
	after, err := s.applies()
	took := written.Sub(began)
	return burst{
		writing: milliseconds(took), routes: max(0, milliseconds(at.Sub(written))),
		rate: float64(len(names)) / took.Seconds(), applies: after - applied,
	}, err
}

// createdBurst makes Services with ready endpoints, two writes each beside those of
// API server and manager, and removes them again.
func (s *site) createdBurst(ctx context.Context) (burst, error) {
	n, names := s.routes.count(), s.names(burstSize)
	b, err := s.timed(ctx, names, n+len(names), func(ctx context.Context, name string) error {
		if err := s.lab.API().Create(ctx, slice(name, true)); err != nil {
			return err
		}
		return s.lab.API().Create(ctx, service(name))
	})
	if err != nil {
		return b, err
	}
	if err := s.remove(ctx, names); err != nil {
		return b, err
	}
	if _, err := s.routes.waitCount(ctx, n); err != nil {
		return b, err
	}
	return b, s.settle(ctx)
}

// readyBurst lets the endpoints of all spares become ready, one write each, and not
// ready again.
func (s *site) readyBurst(ctx context.Context) (up, down burst, err error) {
	n := s.routes.count()
	if up, err = s.timed(ctx, s.spares, n+len(s.spares), s.patchReady(true)); err != nil {
		return up, down, err
	}
	if err := s.settle(ctx); err != nil {
		return up, down, err
	}
	if down, err = s.timed(ctx, s.spares, n, s.patchReady(false)); err != nil {
		return up, down, err
	}
	return up, down, s.settle(ctx)
}

// patchReady changes the readiness of a Service's endpoints without reading them.
func (s *site) patchReady(ready bool) func(context.Context, string) error {
	return func(ctx context.Context, name string) error {
		es := slice(name, ready)
		patch, err := json.Marshal(map[string]any{"endpoints": slices.Clone(es.Endpoints)})
		if err != nil {
			return err
		}
		return s.lab.API().Patch(ctx, es, crclient.RawPatch("application/merge-patch+json", patch))
	}
}
