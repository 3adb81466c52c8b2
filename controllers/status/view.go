package status

import (
	"time"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/reloader/report"
)

// View is what an agent knows of its node at one moment.
type View struct {
	Node string
	Now  time.Time

	// Result is what the node should do; DesiredHash that of its configuration,
	// wanted since DesiredSince. WriteError says why the reloader can't know it.
	Result       *compile.Result
	DesiredHash  string
	DesiredSince time.Time
	WriteError   string

	// Drain is how far the node's drain is, with its time limits. DrainError says why it
	// can't go on, nor be ended. OthersKnown: it is known which nodes could take over. Connections
	// are those that the node owns; nil: nobody counts them.
	Drain       drain.State
	DrainLimits snapshot.DrainLimits
	DrainError  string
	OthersKnown bool
	Connections *int64

	// HoldingBack says that closed gates hold Services back for longer than is usual.
	HoldingBack bool

	// Relay is what is known of the relay; nil: there is none.
	Relay *RelayView

	// Report is the reloader's; nil where there is none that can be read, and
	// ReportError says why. Fresh says that the reloader is alive.
	Report      *report.Report
	ReportError string
	Fresh       bool
}

// PendingGrace is how long a configuration may be under way before the node is
// called not Programmed: an apply takes tenths of a second, and every change of
// a Service would otherwise be two transitions.
const PendingGrace = time.Second

// GateGrace is how long closed gates may hold a Service back before it is told: a
// new Service waits a moment for kube-proxy, and that is no news.
const GateGrace = 5 * time.Second

// clockSlack is how much a time may differ from one told before and still be the
// same event: FRR tells ages in whole seconds, and the reloader turns them into
// times.
const clockSlack = 2 * time.Second

// running says whether the report can be believed for what FRR does now.
func (v View) running() bool {
	return v.Fresh && v.Report != nil && v.Report.FRR.Version != "" && v.Report.FRR.Error == ""
}
