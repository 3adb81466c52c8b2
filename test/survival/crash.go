package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/survival/flow"
)

// Told is how those TCP connections learned it whose state died with a node. The first packet that
// another node gets makes it ask who has the connection; when nobody says so for 0.75 s its
// relay has the client told, before its second packet. TCP sends that when its time-out is
// over again; and before the first one the routers' hold time passes.
type Told struct {
	// State connections had their state on the node; Pods had it elsewhere, and their
	// pod there: a dead pod's connections nobody can tell. (QUIC's clients are told by a
	// server that doesn't know them, if at all.)
	State int `json:"state"`
	Pods  int `json:"pods"`
	// After the first and the second packet that another node can have got, those that
	// were told it at that packet or later. Never: those with state that weren't.
	First  Spread `json:"first"`
	Second Spread `json:"second"`
	Never  int    `json:"never"`
}

// Spread of times.
type Spread struct {
	Median  time.Duration `json:"median"`
	Longest time.Duration `json:"longest"`
}

func spread(times []time.Duration) Spread {
	if len(times) == 0 {
		return Spread{}
	}
	slices.Sort(times)
	return Spread{times[len(times)/2].Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond)}
}

func (t *Told) String() string {
	return fmt.Sprintf("%d had their state on the dead node: told %s (median; %s the longest) after their first packet that reached another, %s (%s) after the second, never: %d; %d had their pod there",
		t.State, t.First.Median, t.First.Longest, t.Second.Median, t.Second.Longest, t.Never, t.Pods)
}

// crash has a node die, and waits until the routers send to the others. Each
// connection then knows when its next packet can reach one of those.
func (s *site) crash(ctx context.Context, node string) error {
	s.cluster.Node(node).Crash()
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range s.cluster.Routers() {
		for _, family := range families {
			g.Go(func() error { return s.rerouted(ctx, r, family, s.others(node)) })
		}
	}
	return g.Wait()
}

func (s *site) rerouted(ctx context.Context, r router.Router, family router.Family, nodes []string) error {
	before := time.Now()
	err := wait.Until(ctx, fmt.Sprintf("%s sends %s to %v", r.Config().Name, family, nodes), rollout, func(ctx context.Context) (bool, error) {
		began := time.Now()
		for _, svc := range s.services {
			prefix := lab.HostRoute(svc.addresses[slices.Index(families, family)])
			hops, err := r.KernelNextHops(ctx, prefix)
			if err != nil || !sameAddresses(hops, s.cluster.NodeAddresses(family, nodes...)) {
				before = began
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, c := range s.connections {
		if c.kind.Router != r.Config().Name || c.kind.Family != string(family) {
			continue
		}
		// Who is told already was so after the last look.
		c.first, c.second = before, before
		if fate, _, _ := c.Fate(patience); fate == flow.Reset {
			continue
		}
		if c.first, c.second, err = c.Transmissions(); err != nil {
			return err
		}
	}
	return nil
}

// told sums up what the connections of a dead node learned.
func told(all []*connection, dependents map[tuple]dependence) *Told {
	t := &Told{}
	var first, second []time.Duration
	for _, c := range all {
		if c.Protocol != flow.TCP {
			continue
		}
		switch dependents[c.tuple()] {
		case byPod:
			t.Pods++
		case byState:
			t.State++
			fate, since, _ := c.Fate(patience)
			if fate != flow.Reset {
				t.Never++
				continue
			}
			first = append(first, max(0, since.Sub(c.first)))
			second = append(second, max(0, since.Sub(c.second)))
		}
	}
	t.First, t.Second = spread(first), spread(second)
	return t
}

// booted waits until a node that crashed has its pod again, with the addresses that it
// has now: until then the API goes on naming the dead ones.
func (s *site) booted(ctx context.Context, node string) error {
	before, err := s.podAddresses(ctx, node)
	if err != nil {
		return err
	}
	if err := s.cluster.Node(node).Boot(ctx); err != nil {
		return err
	}
	err = wait.Until(ctx, "the pod of "+node+" has other addresses", rollout, func(ctx context.Context) (bool, error) {
		now, err := s.podAddresses(ctx, node)
		return len(now) > 0 && !slices.ContainsFunc(now, func(a string) bool { return slices.Contains(before, a) }), err
	})
	if err != nil {
		return err
	}
	if err := s.waitEndpoints(ctx); err != nil {
		return err
	}
	return s.waitRoutes(ctx, s.nodes...)
}

// lost is what follows a crash: Kubernetes calls the node NotReady, its pods are no
// endpoints any more, and kube-proxies know it.
func (s *site) lost(ctx context.Context, node string) error {
	if err := s.crash(ctx, node); err != nil {
		return err
	}
	if err := s.waitEndpoints(ctx, s.others(node)...); err != nil {
		return err
	}
	return wait.Until(ctx, "no new connection goes to the pods of "+node, rollout, func(ctx context.Context) (bool, error) {
		all, err := s.open(ctx, probes)
		closeAll(all)
		return err == nil, err
	})
}

// probes are opened to see whether all new connections are answered.
const probes = 200

// waitEndpoints waits until the Services' endpoints are the pods on these nodes, or on
// all, and all of them are ready.
func (s *site) waitEndpoints(ctx context.Context, nodes ...string) error {
	if len(nodes) == 0 {
		nodes = s.nodes
	}
	return wait.Until(ctx, "the endpoints are the pods", rollout, func(ctx context.Context) (bool, error) {
		var want []string
		for _, node := range nodes {
			addresses, err := s.podAddresses(ctx, node)
			if err != nil {
				return false, err
			}
			want = append(want, addresses...)
		}
		var list discoveryv1.EndpointSliceList
		if err := s.cluster.API().List(ctx, &list, crclient.InNamespace("default")); err != nil {
			return false, err
		}
		ready := map[string]int{}
		for i := range list.Items {
			if !strings.HasPrefix(list.Items[i].Name, "flows-") {
				continue
			}
			for _, e := range list.Items[i].Endpoints {
				if ptr.Deref(e.Conditions.Ready, true) {
					ready[e.Addresses[0]]++
				}
			}
		}
		complete := len(ready) == len(want) && !slices.ContainsFunc(want, func(a string) bool { return ready[a] != len(s.services) })
		return complete, fmt.Errorf("ready are %v, want %v", ready, want)
	})
}
