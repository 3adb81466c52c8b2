package loop

import (
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/owned"
	"github.com/herald-lb/herald/relay/rules"
)

const (
	// countInterval: how much is learned and owned costs more the more it is.
	countInterval = 5 * time.Second
	// countShare: between two counts it passes so many times what one takes.
	countShare = 50
	// countPatience is how long the loop waits for one: most take less.
	countPatience = 100 * time.Millisecond
)

// counter counts what is learned and owned, beside the loop: of 100,000 connections
// that takes seconds, and the report is to be written meanwhile.
type counter struct {
	kernel *rules.Kernel
	log    *slog.Logger
	// done has what was counted, at most one.
	done    chan counts
	running bool
	// last is when the last count began, took how long it lasted.
	last time.Time
	took time.Duration
}

// counts are those of one plan.
type counts struct {
	plan   *rules.Plan
	memory rules.Memory
	owned  owned.Counts
	took   time.Duration
}

// count begins another count where it is due, and returns the last one when it is done.
func (c *counter) count(now time.Time, plan *rules.Plan, desired *exchange.Desired) *counts {
	if !c.running && now.Sub(c.last) >= max(countInterval, countShare*c.took) {
		c.running, c.last = true, now
		addresses, learn := slices.Clone(desired.Count), slices.Clone(desired.Learn)
		go func() { c.done <- c.counts(plan, addresses, learn) }()
	}
	if !c.running {
		return nil
	}
	select {
	case counted := <-c.done:
		c.running, c.took = false, counted.took
		return &counted
	case <-time.After(countPatience):
		return nil
	}
}

func (c *counter) counts(plan *rules.Plan, addresses []netip.Addr, learn []exchange.Frontend) counts {
	began, all := time.Now(), counts{plan: plan}
	var err error
	if plan != nil {
		if all.memory, err = c.kernel.Remember(plan); err != nil {
			c.log.Error("counting what is learned", "error", err)
		}
	}
	if all.owned, err = owned.Count(addresses, learn); err != nil {
		c.log.Error("counting connections", "error", err)
		all.owned = owned.Counts{} // an old count in a new report would be taken for a new one
	}
	all.took = time.Since(began)
	return all
}

// takeCount takes one into the report; what was counted of other rules is old.
func (r *Relay) takeCount(counted *counts) {
	if counted == nil {
		return
	}
	r.report.Owned, r.report.Preserved = counted.owned.To, counted.owned.Learned
	if counted.plan == r.applied {
		r.memory = counted.memory
	}
}
