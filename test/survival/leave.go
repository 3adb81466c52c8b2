package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/survival/flow"
)

const (
	drainAnnotation = "herald-lb.io/drain"
	// workloadLabel is on the nodes that the workload's pods run on.
	workloadLabel = "flows"
	// every is the time between two requests.
	every = 50 * time.Millisecond
	// safe bounds what a drained node waits for after its last connection: the
	// kernel's memory of UDP flows.
	safe = 5 * time.Minute
)

// Requests are short connections that are made all the time meanwhile.
type Requests struct {
	Made   int `json:"made"`
	Failed int `json:"failed"`
	// Why is what the last failed of.
	Why string `json:"why,omitempty"`
}

func (s *site) drain(ctx context.Context, node string) error {
	if _, err := s.cluster.Kubectl(ctx, "annotate", "node", node, drainAnnotation+"=survival"); err != nil {
		return err
	}
	return s.waitRoutes(ctx, s.others(node)...)
}

func (s *site) undrain(ctx context.Context, node string) error {
	if _, err := s.cluster.Kubectl(ctx, "annotate", "node", node, drainAnnotation+"-"); err != nil {
		return err
	}
	return s.waitRoutes(ctx, s.nodes...)
}

// leave takes a node out as docs/drain.md says, under traffic, and then cuts its
// power: pods first, then routes, then the connections that are left, which their
// clients end.
func (s *site) leave(ctx context.Context, node string) error {
	stop := s.request(ctx)
	err := s.leaveQuietly(ctx, node)
	stop()
	return err
}

func (s *site) leaveQuietly(ctx context.Context, node string) error {
	if _, err := s.cluster.Kubectl(ctx, "label", "node", node, workloadLabel+"-"); err != nil {
		return err
	}
	if err := s.drain(ctx, node); err != nil {
		return err
	}
	if err := s.waitSafe(ctx, node, false); err != nil {
		return err
	}
	dependents, err := s.dependents(ctx, node)
	if err != nil {
		return err
	}
	for _, c := range s.connections {
		if dependents[c.tuple()] != 0 {
			c.ended = true
			if fate, _, why := c.Fate(patience); fate != flow.Alive {
				return fmt.Errorf("%s connection from %s is %s before its client ended it: %w", c.Protocol, c.Local, fate, why)
			}
			c.Close()
		}
	}
	if err := s.waitSafe(ctx, node, true); err != nil {
		return err
	}
	s.cluster.Node(node).Crash()
	return hold(ctx, settle)
}

// comeBack ends what leave did.
func (s *site) comeBack(ctx context.Context, node string) error {
	if err := s.cluster.Node(node).Boot(ctx); err != nil {
		return err
	}
	if _, err := s.cluster.Kubectl(ctx, "label", "node", node, workloadLabel+"=yes", "--overwrite"); err != nil {
		return err
	}
	if err := s.undrain(ctx, node); err != nil {
		return err
	}
	return s.waitEndpoints(ctx)
}

var errSafe = errors.New("SafeToShutdown is True, and the node owns connections")

// waitSafe waits until a draining node says that it is safe to shut down as it owns
// no connection, or isn't as it does; it never says anything else once it has
// withdrawn.
func (s *site) waitSafe(ctx context.Context, node string, want bool) error {
	var wrong error
	err := wait.Until(ctx, fmt.Sprintf("SafeToShutdown of %s is %t", node, want), safe, func(ctx context.Context) (bool, error) {
		var reported v1alpha1.BGPNode
		if err := s.cluster.API().Get(ctx, types.NamespacedName{Name: node}, &reported); err != nil {
			return false, err
		}
		c := meta.FindStatusCondition(reported.Status.Conditions, v1alpha1.ConditionSafeToShutdown)
		switch {
		case c == nil:
			return false, errors.New("there is no condition")
		case c.Status == "True" && (!want || c.Reason != v1alpha1.ReasonNoConnections):
			wrong = fmt.Errorf("%w: %s: %s", errSafe, c.Reason, c.Message)
			return true, nil
		case want:
			return c.Status == "True", fmt.Errorf("%s: %s", c.Reason, c.Message)
		}
		return c.Reason == v1alpha1.ReasonConnectionsLeft, fmt.Errorf("%s: %s", c.Reason, c.Message)
	})
	return errors.Join(err, wrong)
}

// request makes a request of each kind in turn, until stop is called.
func (s *site) request(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.requests = &Requests{}
	kinds := s.kinds()
	var (
		mu      sync.Mutex
		running sync.WaitGroup
	)
	running.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			k := kinds[i%len(kinds)]
			running.Go(func() {
				// One that was begun is made to its end.
				conn, err := flow.Open(context.WithoutCancel(ctx), k.Protocol, interval, s.dial(k))
				mu.Lock()
				defer mu.Unlock()
				s.requests.Made++
				if err != nil {
					s.requests.Failed++
					s.requests.Why = fmt.Sprintf("%+v: %v", k, err)
					return
				}
				conn.Close()
			})
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// replaced waits until the workload has a pod on every node that is ready and stays;
// the old ones go on serving.
func (s *site) replaced(ctx context.Context) error {
	return wait.Until(ctx, "all pods have successors", rollout, func(ctx context.Context) (bool, error) {
		pods, err := s.pods(ctx)
		if err != nil {
			return false, err
		}
		staying, ending := 0, 0
		for i := range pods {
			switch {
			case pods[i].DeletionTimestamp != nil:
				ending++
			case podReady(&pods[i]):
				staying++
			default:
				return false, fmt.Errorf("%s isn't ready", pods[i].Name)
			}
		}
		return staying == len(s.nodes) && ending == len(s.nodes), fmt.Errorf("%d are ready and stay, %d end", staying, ending)
	})
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
