package controllers

import (
	"os"
	"path/filepath"

	"github.com/herald-lb/herald/controllers/quarantine"
	"github.com/herald-lb/herald/reloader/exchange"
)

// quarantineFile is the agent's own, beside what it shares with the reloader.
const quarantineFile = "quarantine.json"

// openQuarantine goes on with what the last agent of this boot knew FRR to refuse.
func openQuarantine(options AgentOptions) *quarantine.Keeper {
	saved, _ := os.ReadFile(filepath.Join(options.ExchangeDir, quarantineFile)) // none: nothing is refused
	return quarantine.New(options.Clock, saved, func(data []byte) {
		if err := exchange.WriteFile(options.ExchangeDir, quarantineFile, data); err != nil {
			options.Log.Info("what FRR refuses can't be kept: the next agent finds it out again", "error", err.Error())
		}
	})
}
