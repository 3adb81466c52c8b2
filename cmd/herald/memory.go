package main

import (
	"os"
	"runtime/debug"
)

// gcPercent trades processor time, of which manager and agent need little, for
// memory: with Go's default of 100 they would hold twice what they use.
const gcPercent = 40

// collectEarly collects garbage earlier than Go does by default. $GOGC overrides it.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
