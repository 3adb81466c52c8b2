package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/survival/flow"
)

// settle is how long connections are watched after an event: what is silent by then
// was given up by nobody, and no relay either.
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
	// Took is how long the event took, until the routers' kernels had it.
	Took  time.Duration `json:"took"`
	Fates []*Fates      `json:"fates"`
	// Crash: the connections of a dead node are lost whatever anybody does.
	Crash bool `json:"crash,omitempty"`
	// Foreign are broken connections that the dead node had nothing to do with.
	Foreign int `json:"foreign"`
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
	return text + fmt.Sprintf("; %s, %d owned by the node", r.Took.Round(100*time.Millisecond), r.Owned)
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
	result := &Result{Event: e.name, Crash: e.crash}
	owned := s.owned(ctx, victim)
	result.Owned = len(owned)
	began := time.Now()
	err = e.happens(ctx, s)
	result.Took = time.Since(began)
	if err == nil {
		err = hold(ctx, settle)
	}
	fates := count(all)
	for _, c := range all {
		if fate, _, _ := c.Fate(patience); fate != flow.Alive && !owned[c.Local.String()] {
			result.Foreign++
		}
	}
	closeAll(all)
	for _, f := range fates {
		result.Fates = append(result.Fates, f)
	}
	slices.SortFunc(result.Fates, func(a, b *Fates) int { return strings.Compare(fmt.Sprint(a.Kind), fmt.Sprint(b.Kind)) })
	if err == nil && e.after != nil {
		err = e.after(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	return result, s.forget(ctx)
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

// owned are the client's ends of the connections that a node has state of: those
// whose packets went to it, and with a policy Local those of its own pods.
func (s *site) owned(ctx context.Context, node string) map[string]bool {
	ends := map[string]bool{}
	for _, family := range []string{"ipv4", "ipv6"} {
		out, err := s.cluster.Node(node).Box().Run(ctx, "conntrack", "-L", "-f", family)
		if err != nil {
			continue // no conntrack on the node: nothing is known
		}
		for line := range strings.Lines(out) {
			if end := clientEnd(line); end != "" {
				ends[end] = true
			}
		}
	}
	return ends
}

// clientEnd is the source of a line of conntrack -L, of those to the Services or
// from clients to pods, as net.Addr prints it.
func clientEnd(line string) string {
	var source, sourcePort string
	for field := range strings.FieldsSeq(line) {
		if value, ok := strings.CutPrefix(field, "src="); ok && source == "" {
			source = value
		}
		if value, ok := strings.CutPrefix(field, "sport="); ok && sourcePort == "" {
			sourcePort = value
		}
	}
	if source == "" || sourcePort == "" {
		return ""
	}
	if strings.Contains(source, ":") {
		return "[" + source + "]:" + sourcePort
	}
	return source + ":" + sourcePort
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
