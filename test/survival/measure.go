package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/survival/flow"
)

// settle is how long connections are watched after an event.
const settle = 2 * patience

// Fates are what became of the connections of one kind.
type Fates struct {
	Kind kind `json:"kind"`
	Open int  `json:"open"`
	// Reset were told that they are gone, Silent weren't.
	Reset  int `json:"reset"`
	Silent int `json:"silent"`
	// Why is what the last of those that were reset was told.
	Why string `json:"why,omitempty"`
}

func (f *Fates) broken() int { return f.Reset + f.Silent }

// Result of one event.
type Result struct {
	Event     string `json:"event"`
	Proxy     string `json:"kubeProxy"`
	Preserved bool   `json:"preserved"`
	// Owned is how many connections the node of the event had state of.
	Owned int `json:"owned"`
	// Late are connections that were silent for longer than patience, and went on.
	Late int `json:"late,omitempty"`
	// Took is how long the event took, until the routers' kernels had it.
	Took  time.Duration `json:"took"`
	Fates []*Fates      `json:"fates"`
	// Crash: the connections of a dead node are lost whatever anybody does.
	Crash bool `json:"crash,omitempty"`
	// Told is how a dead node's connections learned it.
	Told *Told `json:"told,omitempty"`
	// Foreign are broken connections that the dead node had nothing to do with.
	Foreign int `json:"foreign"`
	// Ended were ended by their clients, and Requests made meanwhile, where that
	// belongs to the event.
	Ended    int       `json:"ended,omitempty"`
	Requests *Requests `json:"requests,omitempty"`
}

// of sums up the connections of a protocol.
func (r *Result) of(protocol string) (open, reset, silent int) {
	for _, f := range r.Fates {
		if f.Kind.Protocol == protocol {
			open, reset, silent = open+f.Open, reset+f.Reset, silent+f.Silent
		}
	}
	return open, reset, silent
}

func (r *Result) String() string {
	text := fmt.Sprintf("%s, kube-proxy %s, %s:", r.Event, r.Proxy, map[bool]string{true: "preserved", false: "not preserved"}[r.Preserved])
	for _, protocol := range []string{flow.TCP, flow.QUIC} {
		open, reset, silent := r.of(protocol)
		text += fmt.Sprintf(" %s %d of %d broken (%d reset, %d silent)", protocol, reset+silent, open, reset, silent)
	}
	text += fmt.Sprintf("; %s, %d owned by the node", r.Took.Round(100*time.Millisecond), r.Owned)
	if r.Late > 0 {
		text += fmt.Sprintf("; %d were silent for a while, and went on", r.Late)
	}
	if r.Told != nil {
		text += fmt.Sprintf("; %s; %d broken that have nothing to do with it", r.Told, r.Foreign)
	}
	if r.Requests != nil {
		text += fmt.Sprintf("; %d ended by their clients; %d of %d requests failed %s", r.Ended, r.Requests.Failed, r.Requests.Made, r.Requests.Why)
	}
	return text
}

// measure opens connections, has the event happen, and counts.
func (s *site) measure(ctx context.Context, e event, connections int) (_ *Result, err error) {
	if e.before != nil {
		if err := e.before(ctx, s); err != nil {
			return nil, err
		}
	}
	all, err := s.open(ctx, connections)
	if err != nil {
		return nil, err
	}
	s.connections, s.requests = all, nil
	defer func() { closeAll(all) }()
	result := &Result{Event: e.name, Crash: e.crash}
	dependents, err := s.dependents(ctx, victim)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if dependents[c.tuple()] == byState {
			result.Owned++
		}
	}
	began := time.Now()
	err = e.happens(ctx, s)
	result.Took = time.Since(began)
	if err == nil {
		err = hold(ctx, settle)
	}
	result.Late = late(ctx, all)
	result.sum(all, dependents, s.requests)
	closeAll(all)
	if e.after != nil {
		err = errors.Join(err, e.after(ctx, s)) // the next event wants the site as it was
	}
	if err := errors.Join(err, s.forget(ctx)); err != nil {
		return nil, err
	}
	return result, nil
}

// recovery is how long a connection that is silent may take to go on: TCP sends what was
// lost again after 6.4 s, and then after 12.8 s.
const recovery = 20 * time.Second

// late are connections that are silent, and go on after all.
func late(ctx context.Context, all []*connection) int {
	silent := func() (count int) {
		for _, c := range all {
			if fate, _, _ := c.Fate(patience); fate == flow.Silent && !c.ended {
				count++
			}
		}
		return count
	}
	before := silent()
	// That some stay silent is what is counted then.
	_ = wait.Until(ctx, "no connection is silent", recovery, func(context.Context) (bool, error) { return silent() == 0, nil })
	return max(0, before-silent())
}

// sum counts what has become of the connections, as long as they are open.
func (r *Result) sum(all []*connection, dependents map[tuple]dependence, requests *Requests) {
	for _, f := range count(all) {
		r.Fates = append(r.Fates, f)
	}
	slices.SortFunc(r.Fates, func(a, b *Fates) int { return strings.Compare(fmt.Sprint(a.Kind), fmt.Sprint(b.Kind)) })
	r.Requests = requests
	if r.Crash {
		r.Told = told(all, dependents)
	}
	for _, c := range all {
		if c.ended {
			r.Ended++
		} else if fate, _, _ := c.Fate(patience); fate != flow.Alive && dependents[c.tuple()] == 0 {
			r.Foreign++
		}
	}
}

// hold waits: nothing tells that nothing more happens to connections.
func hold(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// forget waits until no node has state of closed connections that could be taken
// for those of the next event.
func (s *site) forget(ctx context.Context) error {
	for _, n := range s.cluster.Nodes() {
		for _, family := range []string{"ipv4", "ipv6"} {
			// It fails where there is nothing to delete.
			_, _ = n.Box().Run(ctx, "conntrack", "-D", "-f", family, "-p", "tcp", "--dport", fmt.Sprint(port))
			_, _ = n.Box().Run(ctx, "conntrack", "-D", "-f", family, "-p", "udp", "--dport", fmt.Sprint(port))
		}
	}
	return wait.Until(ctx, "the site is as before", rollout, func(ctx context.Context) (bool, error) {
		err := s.waitRoutes(ctx, s.nodes...)
		return err == nil, err
	})
}
