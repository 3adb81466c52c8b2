package churn

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/thirdparty"
)

var (
	seedFlag     = flag.Int64("churn.seed", 5, "what the steps are drawn from; 0 draws a seed")
	durationFlag = flag.Duration("churn.duration", time.Minute, "no round begins after this")
	stepsFlag    = flag.Int("churn.steps", 0, "end after this many steps instead (0: after the duration)")
)

// leakPatience: idle connections are closed after a while.
const leakPatience = 2 * time.Minute

// runMargin beyond the duration ends a run whose rounds take for ever.
const runMargin = 15 * time.Minute

// checkInterval of the reloaders: changes by hand are to be found soon.
const checkInterval = 2 * time.Second

// exchangeSize is little, so that the exchange directory is soon full.
const exchangeSize = 1 << 20

// TestChurn: nothing is lost whatever happens in whatever order (S8, M8, R1–R7, R10).
func TestChurn(t *testing.T) {
	thirdparty.Need(t, lab.Parts()...)
	ctrllog.SetLogger(logr.Discard())
	if err := binaries.Build(); err != nil {
		t.Fatal(err)
	}
	seed := *seedFlag
	if seed == 0 {
		seed = 1 + rand.Int63n(1_000_000)
	}
	ctx, cancel := context.WithTimeout(t.Context(), *durationFlag+runMargin)
	defer cancel()
	l, err := lab.New(ctx, lab.Options{
		FRR: frr.V10_3, NodeFRR: map[int]frr.Version{1: frr.V8_4}, ExchangeSize: exchangeSize,
		AgentArgs:    []string{"--metrics-bind-address=" + agentMetrics, "--metrics-secure=false"},
		ManagerArgs:  []string{"--metrics-bind-address=" + managerMetrics, "--metrics-secure=false"},
		ReloaderArgs: []string{"--check-interval=" + checkInterval.String()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	t.Cleanup(func() { l.LogFailure(t) })
	c := newChurn(l, seed, t.Logf)
	t.Logf("seed %d", seed)
	if done, err := c.run(ctx); err != nil {
		t.Errorf("seed %d, after %d steps: %v\n\nto replay: make churn SEED=%d STEPS=%d", seed, done, err, seed, done)
	}
	if l.Reads() == 0 {
		t.Error("no router was asked: this proves nothing")
	}
}

// run returns how many steps were done.
func (c *churn) run(ctx context.Context) (int, error) {
	if err := c.watchBFD(); err != nil {
		return 0, err
	}
	if err := c.begin(ctx); err != nil {
		return 0, err
	}
	if err := c.settle(ctx); err != nil {
		return 0, fmt.Errorf("before the first step: %w", err)
	}
	before, err := c.measure(ctx)
	if err != nil {
		return 0, err
	}
	done, err := c.rounds(ctx)
	if err == nil {
		err = c.checkEnd(ctx)
	}
	if err == nil {
		err = c.checkLeaks(ctx, before)
	}
	if err == nil {
		err = c.checkControl(ctx, before)
	}
	return done, err
}

// watchBFD lets routers listen for BFD.
func (c *churn) watchBFD() error {
	for _, r := range c.lab.Routers() {
		config := r.Config()
		config.BFD = listensForBFD(r)
		if err := r.Configure(config); err != nil {
			return err
		}
	}
	return nil
}

func (c *churn) rounds(ctx context.Context) (int, error) {
	done, deadline := 0, time.Now().Add(*durationFlag)
	for _, first := range firstSteps {
		if _, err := c.takeStep(ctx, 0, first); err != nil {
			return 0, err
		}
	}
	more := func() bool { return time.Now().Before(deadline) }
	if *stepsFlag > 0 {
		more = func() bool { return done < *stepsFlag }
	}
	for more() {
		for range fewestSteps + c.random.Intn(mostSteps-fewestSteps+1) {
			done++
			if err := c.next(ctx, done); err != nil {
				return done, err
			}
			if done == *stepsFlag {
				break
			}
		}
		if err := c.mend(ctx); err != nil {
			return done, err
		}
		began := time.Now()
		if err := c.settle(ctx); err != nil {
			return done, err
		}
		c.say("      as it should be after %s", time.Since(began).Round(100*time.Millisecond))
	}
	return done, nil
}

// checkEnd looks for passwords and removes everything.
func (c *churn) checkEnd(ctx context.Context) error {
	wrong, err := c.findPasswords(ctx)
	if err != nil || len(wrong) > 0 {
		return errors.Join(err, errors.New(strings.Join(wrong, "\n")))
	}
	if err := c.end(ctx); err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return fmt.Errorf("with everything removed: %w", err)
	}
	return nil
}

// checkLeaks waits until no process holds more than before.
func (c *churn) checkLeaks(ctx context.Context, before usage) error {
	began := time.Now()
	err := wait.Until(ctx, "no process holds more than before", leakPatience, func(ctx context.Context) (bool, error) {
		now, err := c.measure(ctx)
		if err != nil {
			return false, err
		}
		over := now.over(before)
		return len(over) == 0, errors.New(strings.Join(over, "\n"))
	})
	if err == nil {
		c.say("      no process holds more than before after %s", time.Since(began).Round(100*time.Millisecond))
	}
	return err
}
