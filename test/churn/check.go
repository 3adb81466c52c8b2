package churn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/model"
)

// patience with a round, which settles in seconds. Longest take BIRD, which holds the
// routes of an FRR that was killed for 120 s if its session doesn't come back (RFC
// 4724), and a new leader of the managers.
const patience = 3 * time.Minute

// settle waits until all is as the API objects say, and checks what must hold
// then. It begins the next round.
func (c *churn) settle(ctx context.Context) error {
	var now map[pair]router.Session
	var w *world
	err := wait.Until(ctx, "all is as the API objects say", patience, func(ctx context.Context) (bool, error) {
		var wrong []string
		var err error
		if w, now, wrong, err = c.look(ctx); err != nil {
			return false, err
		}
		return len(wrong) == 0, errors.New(strings.Join(wrong, "\n"))
	})
	if err != nil {
		return err
	}
	if wrong := c.checkNoReset(now); len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n"))
	}
	c.steady, c.before = now, w
	clear(c.touched)
	state := w.allocation()
	c.allocated, c.excuses = &state, model.NewExcuses()
	return nil
}

// look at everything once.
func (c *churn) look(ctx context.Context) (*world, map[pair]router.Session, []string, error) {
	w, err := read(ctx, c.lab.API())
	if err != nil {
		return nil, nil, nil, err
	}
	wrong := append(w.checkNodes(), model.Check(c.allocated, w.allocation(), c.excuses)...)
	wrong = append(wrong, w.checkReleased()...)
	sessions := map[pair]router.Session{}
	for _, r := range c.lab.Routers() {
		up := c.up(w, r)
		is, not := c.checkSessions(ctx, r, up)
		wrong = append(wrong, not...)
		for p, s := range is {
			sessions[p] = s
		}
		for _, family := range families {
			have, err := r.Routes(ctx, family)
			if err != nil {
				return nil, nil, nil, err
			}
			wrong = append(wrong, differences(r.Config().Name, w.table(up, family, lab.DefaultNodeASN), tableOf(have))...)
		}
	}
	return w, sessions, wrong, nil
}

// checkNodes: each says that it is well and runs what it should.
func (w *world) checkNodes() []string {
	var wrong []string
	if len(w.statuses) != len(w.nodes) {
		wrong = append(wrong, fmt.Sprintf("%d BGPNodes of %d nodes", len(w.statuses), len(w.nodes)))
	}
	for i := range w.statuses {
		status := &w.statuses[i]
		for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionProgrammed} {
			condition := meta.FindStatusCondition(status.Status.Conditions, kind)
			if condition == nil || condition.Status != metav1.ConditionTrue {
				wrong = append(wrong, fmt.Sprintf("%s isn't %s: %+v", status.Name, kind, condition))
			}
		}
	}
	return wrong
}

// allocation is what the checker of test/model looks at.
func (w *world) allocation() model.State {
	var state model.State
	for i := range w.services {
		if w.services[i].Spec.Type == corev1.ServiceTypeLoadBalancer {
			state.Services = append(state.Services, &w.services[i])
		}
	}
	for i := range w.pools {
		state.Pools = append(state.Pools, &w.pools[i])
	}
	return state
}

// checkReleased: who isn't of the type any more has no address.
func (w *world) checkReleased() []string {
	var wrong []string
	for i := range w.services {
		s := &w.services[i]
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer && len(s.Status.LoadBalancer.Ingress) > 0 {
			wrong = append(wrong, fmt.Sprintf("%s of type %s has %v", s.Name, s.Spec.Type, s.Status.LoadBalancer.Ingress))
		}
	}
	return wrong
}

// excuse a Service that is changed: it may move, and those that share with it.
func (c *churn) excuse(name string) {
	c.excuses.Services[name] = true
	for _, key := range sharingKeys {
		c.excuses.Keys[key] = true
	}
}

var sharingKeys = slices.Clone([]string{"k", "l"})
