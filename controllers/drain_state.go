package controllers

import (
	"cmp"
	"os"
	"path/filepath"
	"time"

	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/reloader/exchange"
)

const (
	// drainFile is the agent's own, beside what it shares with the reloader.
	drainFile = "drain.json"
	// countInterval is how often connections are counted while a node drains.
	countInterval = 2 * time.Second
)

// openDrain goes on where the last agent of this boot ended. After a boot there is
// no file: the node announces nothing, and a drain has nothing to announce.
func openDrain(options AgentOptions, applied *snapshot.Applied) *drain.Keeper {
	saved, _ := os.ReadFile(filepath.Join(options.ExchangeDir, drainFile))
	return drain.New(options.Clock, saved, applied, func(data []byte) error {
		return exchange.WriteFile(options.ExchangeDir, drainFile, data)
	})
}

// owned are the established connections that the node serves though its routes are gone:
// those that the relay preserves. nil: nobody counts them, or preserves any. The others
// have moved with the routes, whatever conntrack still remembers.
func owned(view *status.RelayView) *int64 {
	if view == nil || !view.Fresh || view.Report.Owned == nil || !view.Report.Learning {
		return nil
	}
	preserved := int64(view.Report.Preserved)
	return &preserved
}

// sooner is the shorter of two waits; 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return cmp.Or(a, b)
	}
	return min(a, b)
}
