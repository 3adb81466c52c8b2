package apply

import (
	"context"
	"strings"
	"time"

	"github.com/herald-lb/herald/reloader/vty"
)

// watchfrr starts and restarts FRR's daemons.
const watchfrr = "watchfrr"

// scriptRuns stands in "show watchfrr" as long as watchfrr runs a script that
// starts daemons and loads their configuration.
const scriptRuns = " running, pid "

// AwaitScripts returns when watchfrr runs no script, or at the deadline: while
// one loads configuration ("vtysh -b"), a second vtysh can leave mgmtd of FRR 10
// locked for good. An FRR without watchfrr has no scripts, and a watchfrr that
// doesn't answer starts none.
func (f *FRR) AwaitScripts(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	for f.scriptRuns(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(startPoll):
		}
	}
}

func (f *FRR) scriptRuns(ctx context.Context) bool {
	conn, err := vty.Dial(ctx, watchfrr, f.Socket(watchfrr), f.Timeout)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // reading is over
	output, err := conn.Exec("show watchfrr")
	return err == nil && strings.Contains(output, scriptRuns)
}
