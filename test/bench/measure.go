package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/wire"
)

// stepTimeout bounds one run of anything.
const stepTimeout = 2 * time.Minute

func localPolicy(svc *corev1.Service) {
	svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
}

// moments are how long after the write to the API began the router was told, and
// its kernel had it. A router that is FRR holds a new route for 50 ms between the
// two, as the node's FRR does before it tells.
type moments struct {
	told, kernel []float64
	runs         []timedRun
}

func (m *moments) add(before, told, kernel time.Time) {
	m.runs = append(m.runs, timedRun{before, told})
	m.told = append(m.told, milliseconds(told.Sub(before)))
	m.kernel = append(m.kernel, milliseconds(kernel.Sub(before)))
}

// readiness measures one Service's endpoints becoming ready and not ready.
func (s *site) readiness(ctx context.Context, runs int, kind string, change ...func(*corev1.Service)) (up, down moments, err error) {
	capture, err := s.lab.Capture(routerName)
	if err != nil {
		return up, down, err
	}
	defer capture.Close()
	name := s.name()
	if _, err := s.add(ctx, []string{name}, true, change...); err != nil {
		return up, down, err
	}
	prefix, err := s.address(ctx, name)
	if err != nil {
		return up, down, err
	}
	if _, err := s.routes.waitFor(ctx, prefix, true); err != nil { // its gate is open from now on
		return up, down, fmt.Errorf("%s: %w", kind, err)
	}
	for range runs {
		for _, ready := range []bool{false, true} {
			to := &down
			if ready {
				to = &up
			}
			if err := s.flip(ctx, capture, to, name, prefix, ready); err != nil {
				return up, down, fmt.Errorf("%s: %w", kind, err)
			}
		}
	}
	if err := s.remove(ctx, []string{name}); err != nil {
		return up, down, err
	}
	_, err = s.routes.waitFor(ctx, prefix, false)
	return up, down, err
}

func (s *site) flip(ctx context.Context, capture *wire.Capture, to *moments, name string, prefix netip.Prefix, ready bool) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	before, _, err := s.setReady(ctx, name, ready)
	if err != nil {
		return err
	}
	kernel, err := s.routes.waitFor(ctx, prefix, ready)
	if err != nil {
		return err
	}
	told, err := toldAfter(ctx, capture, before, prefix, ready)
	to.add(before, told, kernel)
	return err
}

// toldAfter is when the router was sent a prefix, or its withdrawal, for the first
// time after a moment. That it was is known: its kernel has it.
func toldAfter(ctx context.Context, capture *wire.Capture, moment time.Time, prefix netip.Prefix, announced bool) (at time.Time, err error) {
	err = wait.Until(ctx, fmt.Sprintf("update about %s captured", prefix), wait.Query, func(context.Context) (bool, error) {
		messages, err := capture.Messages()
		if err != nil {
			return false, err
		}
		for _, m := range messages {
			prefixes := m.Withdrawn
			if announced {
				prefixes = m.Announced
			}
			if m.At.After(moment) && slices.Contains(prefixes, prefix) {
				at = m.At
				return true, nil
			}
		}
		return false, nil
	})
	return at, err
}

// created measures a Service with ready endpoints from before its creation,
// allocation included.
func (s *site) created(ctx context.Context, runs int) (m moments, err error) {
	capture, err := s.lab.Capture(routerName)
	if err != nil {
		return m, err
	}
	defer capture.Close()
	for range runs {
		if err := s.createdOnce(ctx, capture, &m); err != nil {
			return m, fmt.Errorf("created: %w", err)
		}
	}
	return m, nil
}

func (s *site) createdOnce(ctx context.Context, capture *wire.Capture, m *moments) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	name := s.name()
	if err := s.lab.API().Create(ctx, slice(name, true)); err != nil {
		return err
	}
	n := s.routes.count()
	before := time.Now()
	if err := s.lab.API().Create(ctx, service(name)); err != nil {
		return err
	}
	return s.arrives(ctx, capture, name, n, before, before, m)
}

// arrives waits for a new Service's route, the first after n others, notes how long
// it took the router's wire and kernel since a moment, and removes the Service. What
// the wire carried until it was created doesn't count.
func (s *site) arrives(ctx context.Context, capture *wire.Capture, name string, n int, created, since time.Time, m *moments) error {
	kernel, err := s.routes.waitCount(ctx, n+1)
	if err != nil {
		return err
	}
	prefix, err := s.address(ctx, name)
	if err != nil {
		return err
	}
	told, err := toldAfter(ctx, capture, created, prefix, true)
	if err != nil {
		return err
	}
	m.add(since, told, kernel)
	if err := s.remove(ctx, []string{name}); err != nil {
		return err
	}
	_, err = s.routes.waitCount(ctx, n)
	return err
}

// withdrawn takes the advertisement of everything away and gives it back: from
// each of the two writes to the last route gone, and come.
func (s *site) withdrawn(ctx context.Context) (gone, back float64, err error) {
	n := s.routes.count()
	before := time.Now()
	if err := s.lab.API().Delete(ctx, lab.Advertisement("all")); err != nil {
		return 0, 0, err
	}
	at, err := s.routes.waitCount(ctx, 0)
	if err != nil {
		return 0, 0, err
	}
	again := time.Now()
	if err := s.lab.API().Create(ctx, lab.Advertisement("all")); err != nil {
		return 0, 0, err
	}
	all, err := s.routes.waitCount(ctx, n)
	return milliseconds(at.Sub(before)), milliseconds(all.Sub(again)), err
}

// edited changes the communities of the advertisement of everything: from the
// edit to the last update at the router. Nothing may be withdrawn, no session
// may end.
func (s *site) edited(ctx context.Context, community string) (took float64, err error) {
	sessions, err := s.lab.WaitEstablished(ctx, s.lab.Router(routerName), router.IPv4)
	if err != nil {
		return 0, err
	}
	capture, err := s.lab.Capture(routerName)
	if err != nil {
		return 0, err
	}
	defer capture.Close()
	advertisement := lab.Advertisement("all")
	if err := s.lab.API().Get(ctx, crclient.ObjectKeyFromObject(advertisement), advertisement); err != nil {
		return 0, err
	}
	advertisement.Spec.Communities = []v1alpha1.CommunityValue{v1alpha1.CommunityValue(community)}
	before := time.Now()
	if err := s.lab.API().Update(ctx, advertisement); err != nil {
		return 0, err
	}
	last, err := s.updated(ctx, capture, community)
	if err != nil {
		return 0, err
	}
	return milliseconds(last.Sub(before)), lab.CheckNoReset(ctx, s.lab.Router(routerName), sessions)
}

// updated waits until the router was sent every route with a community, and says
// when the last came.
func (s *site) updated(ctx context.Context, capture *wire.Capture, community string) (last time.Time, err error) {
	n, withdrawn := s.routes.count(), 0
	err = wait.Until(ctx, fmt.Sprintf("%d routes with %s", n, community), stepTimeout, func(context.Context) (bool, error) {
		messages, err := capture.Messages()
		if err != nil {
			return false, err
		}
		seen := map[netip.Prefix]bool{}
		withdrawn = 0
		for _, m := range messages {
			withdrawn += len(m.Withdrawn)
			if slices.Contains(m.Communities, community) {
				last = m.At
				for _, prefix := range m.Announced {
					seen[prefix] = true
				}
			}
		}
		return len(seen) == n, fmt.Errorf("%d came", len(seen))
	})
	if err == nil && withdrawn > 0 {
		err = fmt.Errorf("%d routes were withdrawn while their community was edited", withdrawn)
	}
	return last, err
}

// restarted kills the FRR container: from bgpd's first answer to the last route.
func (s *site) restarted(ctx context.Context) (took float64, err error) {
	n := s.routes.count()
	s.node().Container(node.FRR).Kill()
	if _, err := s.routes.waitCount(ctx, 0); err != nil {
		return 0, err
	}
	if err := s.waitBGPD(ctx); err != nil {
		return 0, err
	}
	up := time.Now()
	at, err := s.routes.waitCount(ctx, n)
	return milliseconds(at.Sub(up)), err
}

// waitBGPD waits until bgpd takes connections on its vty socket.
func (s *site) waitBGPD(ctx context.Context) error {
	return wait.Until(ctx, "bgpd is up", stepTimeout, func(ctx context.Context) (bool, error) {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "unix", filepath.Join(s.node().FRRDir(), "bgpd.vty"))
		if err != nil {
			return false, err
		}
		return true, conn.Close()
	})
}
