// Package wait waits for conditions with deadlines, and holds every timeout of
// the lab in one place.
package wait

import (
	"context"
	"fmt"
	"time"
)

// Timeouts, generous for a busy machine: a test that passes takes far less.
const (
	// Process bounds the start or end of one process.
	Process = 15 * time.Second
	// BringUp bounds the start of the control plane or of a node.
	BringUp = 90 * time.Second
	// Session bounds a BGP session coming up, with both sides' connect timers.
	Session = 45 * time.Second
	// Settled bounds sessions coming up after a crash: a router holds the old one until a
	// keepalive of its own isn't answered.
	Settled = 90 * time.Second
	// Route bounds a change in the API showing in a router's table.
	Route = 20 * time.Second
	// Query bounds one question to a daemon or kernel.
	Query = 10 * time.Second
	// Connection bounds one client connection.
	Connection = 3 * time.Second
)

// Poll is how often a condition is looked at.
const Poll = 25 * time.Millisecond

// Condition is met when it returns true. An error says why it isn't met yet;
// it is reported if the time runs out.
type Condition func(ctx context.Context) (bool, error)

// Until looks at a condition until it is met, ctx ends or timeout has passed.
// The error names what was waited for and why it wasn't met at last.
func Until(ctx context.Context, what string, timeout time.Duration, met Condition) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(Poll)
	defer tick.Stop()
	var last error
	for {
		ok, err := met(ctx)
		if ok {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			if last != nil {
				return fmt.Errorf("%s: not within %s: %w", what, timeout, last)
			}
			return fmt.Errorf("%s: not within %s", what, timeout)
		case <-tick.C:
		}
	}
}
