package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/herald-lb/herald/relay/rules"
	"github.com/herald-lb/herald/test/lab/wait"
)

// event is something that happens to a site with connections on it.
type event struct {
	name string
	// before prepares the site, before connections are opened; after puts it right
	// again, when they are closed.
	before, happens, after func(context.Context, *site) error
	// onlyPreserved: there is nothing to see without preservation.
	onlyPreserved bool
	// crash: connections of a dead node are lost whatever anybody does.
	crash bool
}

// victim is the node that events happen to.
const victim = "node2"

// events in the order in which they are measured; those in which a node loses its power
// without notice are the last, as its pods come back as others.
var events = []event{
	{
		name: "nothing happens", happens: func(context.Context, *site) error { return nil },
	},
	{
		name:    "drain of a node",
		happens: func(ctx context.Context, s *site) error { return s.drain(ctx, victim) },
		after:   func(ctx context.Context, s *site) error { return s.undrain(ctx, victim) },
	},
	{
		name:    "a node's routes come back",
		before:  func(ctx context.Context, s *site) error { return s.without(ctx, victim) },
		happens: func(ctx context.Context, s *site) error { return s.with(ctx, victim) },
	},
	{
		name:    "a node's routes go",
		happens: func(ctx context.Context, s *site) error { return s.without(ctx, victim) },
		after:   func(ctx context.Context, s *site) error { return s.with(ctx, victim) },
	},
	{
		name:    "routers hash anew",
		happens: func(_ context.Context, s *site) error { return s.rehash() },
	},
	{
		name:    "20 changes in 10 s",
		happens: func(ctx context.Context, s *site) error { return s.changes(ctx, 20, 10*time.Second) },
	},
	{
		name: "kube-proxy restarted, routers hash anew",
		happens: func(_ context.Context, s *site) error {
			for _, n := range s.cluster.Nodes() {
				n.KillKubeProxy()
				if err := n.StartKubeProxy(); err != nil {
					return err
				}
			}
			return s.rehash()
		},
	},
	{
		name:    "relays killed, and an agent, routers hash anew",
		happens: func(ctx context.Context, s *site) error { return s.killed(ctx) },
		after:   func(ctx context.Context, s *site) error { return s.ready(ctx) },
	},
	{
		name: "switched on with connections open, routers hash anew", onlyPreserved: true,
		before: func(ctx context.Context, s *site) error { return s.preserve(ctx, false) },
		happens: func(ctx context.Context, s *site) error {
			if err := s.preserve(ctx, true); err != nil {
				return err
			}
			return s.rehash()
		},
	},
	{
		name: "rules changed with connections displaced", onlyPreserved: true,
		happens: func(ctx context.Context, s *site) error {
			if err := s.rehash(); err != nil {
				return err
			}
			return s.anotherService(ctx)
		},
		after: func(ctx context.Context, s *site) error { return s.noOtherService(ctx) },
	},
	{
		name:    "FRR's pod of a node replaced",
		happens: func(ctx context.Context, s *site) error { return s.replaceFRR(ctx, victim) },
	},
	{
		name: "pods rolled, old ones terminating, routers hash anew",
		happens: func(ctx context.Context, s *site) error {
			if _, err := s.cluster.Kubectl(ctx, "rollout", "restart", "daemonset/flows"); err != nil {
				return err
			}
			if err := s.replaced(ctx); err != nil {
				return err
			}
			return s.rehash()
		},
		after: func(ctx context.Context, s *site) error { return s.waitEndpoints(ctx) },
	},
	{
		name: "drain, pods and clients leave, then the node's power is cut", onlyPreserved: true,
		happens: func(ctx context.Context, s *site) error { return s.leave(ctx, victim) },
		after:   func(ctx context.Context, s *site) error { return s.comeBack(ctx, victim) },
	},
	{
		name:    "a node boots",
		before:  func(ctx context.Context, s *site) error { return s.lost(ctx, victim) },
		happens: func(ctx context.Context, s *site) error { return s.booted(ctx, victim) },
	},
	{
		name: "crash of a node", crash: true,
		happens: func(ctx context.Context, s *site) error { return s.crash(ctx, victim) },
		after: func(ctx context.Context, s *site) error {
			return s.booted(ctx, victim)
		},
	},
}

func (s *site) others(node string) []string {
	var others []string
	for _, n := range s.nodes {
		if n != node {
			others = append(others, n)
		}
	}
	return others
}

// without takes a node's routes away, and with gives them back, by the label that
// Kubernetes has for it; sessions stay.
func (s *site) without(ctx context.Context, node string) error {
	if err := s.label(ctx, node, true); err != nil {
		return err
	}
	return s.waitRoutes(ctx, s.others(node)...)
}

func (s *site) with(ctx context.Context, node string) error {
	if err := s.label(ctx, node, false); err != nil {
		return err
	}
	return s.waitRoutes(ctx, s.nodes...)
}

// rehash has every router send each connection wherever another seed of its hash
// says, as after a reboot.
func (s *site) rehash() error {
	for _, r := range s.cluster.Routers() {
		seed := fmt.Sprint(1 + rand.Uint32()/2)
		if err := r.Box().Sysctl(map[string]string{"net.ipv4.fib_multipath_hash_seed": seed}); err != nil {
			return err
		}
	}
	return nil
}

// changes takes routes of one node after another away, and gives them back.
func (s *site) changes(ctx context.Context, count int, within time.Duration) error {
	ticker := time.NewTicker(within / time.Duration(count))
	defer ticker.Stop()
	for i := range count {
		if err := s.label(ctx, s.nodes[i/2%len(s.nodes)], i%2 == 0); err != nil {
			return err
		}
		<-ticker.C
	}
	return s.waitRoutes(ctx, s.nodes...)
}

// killed ends the relays on all nodes and the agent of one, and has the routers hash anew
// before kubelets have started them again. All agents at once take this machine's
// processors for seconds, when they start.
func (s *site) killed(ctx context.Context) error {
	for _, n := range s.cluster.Nodes() {
		programs := []string{"herald relay"}
		if n.Name() == victim {
			programs = append(programs, "herald agent")
		}
		for _, program := range programs {
			// It fails where there was none to kill.
			if out, err := n.Box().Run(ctx, "pkill", "-KILL", "-f", program); err != nil {
				return fmt.Errorf("%s: no %q was killed: %w: %s", n.Name(), program, err, out)
			}
		}
	}
	return s.rehash()
}

// replaceFRR deletes FRR's pod, and waits until the routers have had the node's routes
// from the next one.
func (s *site) replaceFRR(ctx context.Context, node string) error {
	pods := []string{"pods", "--namespace=" + system, "--selector=app.kubernetes.io/component=frr", "--field-selector=spec.nodeName=" + node}
	deleted := make(chan error, 1)
	go func() {
		_, err := s.cluster.Kubectl(ctx, append([]string{"delete", "--timeout=" + rollout.String()}, pods...)...)
		deleted <- err
	}()
	gone := s.waitRoutes(ctx, s.others(node)...)
	if err := errors.Join(gone, <-deleted); err != nil {
		return err
	}
	return s.waitRoutes(ctx, s.nodes...)
}

func (s *site) ready(ctx context.Context) error {
	if _, err := s.cluster.Kubectl(ctx, "rollout", "status", "daemonset/herald-agent", "--namespace="+system, "--timeout="+rollout.String()); err != nil {
		return err
	}
	_, err := s.cluster.Kubectl(ctx, "wait", "heralds/default", "--for=condition=Ready", "--timeout="+rollout.String())
	return err
}

// anotherService changes what the nodes preserve, and noOtherService changes it back. It
// returns when all relays have rules with it.
func (s *site) anotherService(ctx context.Context) error {
	svc := flowService(s.services[0])
	svc.Name = "another"
	svc.Spec.Selector = map[string]string{"app": "flows"}
	if err := s.cluster.API().Create(ctx, svc); err != nil {
		return err
	}
	addresses, err := s.cluster.WaitAddress(ctx, svc)
	if err != nil {
		return err
	}
	return wait.Until(ctx, "all nodes' rules have the other Service", rollout, func(ctx context.Context) (bool, error) {
		for _, n := range s.cluster.Nodes() {
			for _, address := range addresses {
				family := map[bool]string{true: "ip", false: "ip6"}[address.Is4()]
				table, err := n.Box().Run(ctx, "nft", "list", "table", family, rules.Table)
				if err != nil || !strings.Contains(table, address.String()) {
					return false, fmt.Errorf("%s: %s isn't in its table: %w", n.Name(), address, err)
				}
			}
		}
		return true, nil
	})
}

func (s *site) noOtherService(ctx context.Context) error {
	_, err := s.cluster.Kubectl(ctx, "delete", "service", "another", "--timeout="+rollout.String())
	return err
}
