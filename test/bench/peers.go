package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/apply"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

// secondRouter has no peer until one is added.
const secondRouter = "tor-b"

// added is how long after a BGPPeer's creation FRR ran it, its session was up and
// its router had all routes, in milliseconds; again counts routes that the first router
// was sent again meanwhile.
type added struct{ runs, up, routes, again float64 }

// peerAdded adds a peer. The first router must be told no withdrawal, and keep its
// session.
func (s *site) peerAdded(ctx context.Context) (took added, err error) {
	first, second := s.lab.Router(routerName), s.lab.Router(secondRouter)
	sessions, err := s.lab.WaitEstablished(ctx, first, router.IPv4)
	if err != nil {
		return took, err
	}
	undisturbed, err := s.lab.Capture(routerName)
	if err != nil {
		return took, err
	}
	defer undisturbed.Close()
	capture, err := s.lab.Capture(secondRouter)
	if err != nil {
		return took, err
	}
	defer capture.Close()
	peer := s.lab.Peer(secondRouter, router.IPv4)
	before := time.Now()
	if err := s.lab.API().Create(ctx, peer); err != nil {
		return took, err
	}
	runs, err := s.structured(ctx, before)
	if err != nil {
		return took, err
	}
	if _, err := s.lab.WaitEstablished(ctx, second, router.IPv4); err != nil {
		return took, err
	}
	took = added{runs: milliseconds(runs.Sub(before)), up: milliseconds(time.Since(before))}
	want := s.routes.all()
	err = wait.Until(ctx, fmt.Sprintf("%d routes at %s", len(want), secondRouter), stepTimeout, func(context.Context) (bool, error) {
		messages, err := capture.Messages()
		if err != nil {
			return false, err
		}
		told, last := lastTold(messages, true, want)
		took.routes = milliseconds(last.Sub(before))
		return told == len(want), fmt.Errorf("%d came", told)
	})
	if err != nil {
		return took, err
	}
	messages, err := undisturbed.Messages()
	if err != nil {
		return took, err
	}
	for _, m := range messages {
		took.again += float64(len(m.Announced))
		if len(m.Withdrawn) > 0 {
			return took, fmt.Errorf("%s was told %d withdrawals while %s was added", routerName, len(m.Withdrawn), secondRouter)
		}
	}
	if err := lab.CheckNoReset(ctx, first, sessions); err != nil {
		return took, err
	}
	return took, s.lab.Delete(ctx, peer)
}

// structured waits for an apply that changes structure after a moment, and says
// when it was done: by the reloader, which has asked FRR then.
func (s *site) structured(ctx context.Context, after time.Time) (done time.Time, err error) {
	err = wait.Until(ctx, "FRR runs the new structure", stepTimeout, func(context.Context) (bool, error) {
		said, err := s.report()
		if err != nil || said.LastApply == nil || said.LastApply.Error != "" {
			return false, err
		}
		done = said.LastApply.Time.Add(said.LastApply.Duration)
		return said.LastApply.Time.After(after) && slices.Contains(said.LastApply.Steps, apply.StepVtyshAdd), nil
	})
	return done, err
}

// observedRouters times both families are the sessions of observing.
const observedRouters = 4

// observing measures what a reloader costs that observes eight sessions.
func observing(ctx context.Context, version frr.Version) ([]Result, error) {
	options := lab.Options{Nodes: 1, FRR: version}
	for i := range observedRouters {
		options.Routers = append(options.Routers, lab.RouterOptions{Name: fmt.Sprint("tor-", i+1), Make: router.BIRD})
	}
	l, err := lab.New(ctx, options)
	if err != nil {
		return nil, err
	}
	s := &site{lab: l, version: version}
	defer s.close()
	if err := l.Create(ctx, lab.Pool("bench", v1alpha1.AddressBlock(pool.String())), lab.Advertisement("all")); err != nil {
		return nil, err
	}
	for _, family := range []router.Family{router.IPv4, router.IPv6} {
		for _, r := range l.Routers() {
			peer := l.Peer(r.Config().Name, family)
			peer.Name += "-" + string(family)
			if err := l.Create(ctx, peer); err != nil {
				return nil, err
			}
		}
	}
	for _, family := range []router.Family{router.IPv4, router.IPv6} {
		for _, r := range l.Routers() {
			if _, err := l.WaitEstablished(ctx, r, family); err != nil {
				return nil, err
			}
		}
	}
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	return s.atRest(ctx)
}

// atRest is what observing costs the reloader, and FRR, which answers.
func (s *site) atRest(ctx context.Context) ([]Result, error) {
	with := fmt.Sprintf("with %d sessions", 2*observedRouters)
	before, err := spentIn(map[string]int{"node": s.node().Box().Pid()})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	results, err := s.costs(ctx, "reloader "+with, node.Reloader, reloaderLimit)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := spentIn(map[string]int{"node": s.node().Box().Pid()})
	if err != nil {
		return nil, err
	}
	share := 100 * float64(after["FRR"]-before["FRR"]) / float64(took)
	return append(results, summary("FRR "+with+", which the reloader asks: idle CPU", "%", []float64{share}, noTarget)), nil
}
