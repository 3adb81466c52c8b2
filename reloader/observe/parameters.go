package observe

import (
	"strings"

	"github.com/herald-lb/herald/reloader/report"
)

// FRR's own timers, which it doesn't print where nothing is configured.
const (
	defaultHoldTime      = 180
	defaultKeepaliveTime = 60
)

const milliseconds = 1000

// keepalivesPerHoldTime: FRR sends one at least every third of the hold time.
const keepalivesPerHoldTime = 3

// timers of a neighbor. The configured ones are absent where they are FRR's; the
// others are in use.
type timers struct {
	ConfiguredHold      *int64 `json:"bgpTimerConfiguredHoldTimeMsecs"`
	ConfiguredKeepalive *int64 `json:"bgpTimerConfiguredKeepAliveIntervalMsecs"`
	Hold                int64  `json:"bgpTimerHoldTimeMsecs"`
	Keepalive           int64  `json:"bgpTimerKeepAliveIntervalMsecs"`
}

// gracefulRestart of a neighbor. LocalMode is what is configured now, whatever
// was sent (FRR 8.4): it says nothing about the session that is up.
type gracefulRestart struct {
	LocalMode  string `json:"localGrMode"`
	RemoteMode string `json:"remoteGrMode"`
}

// Modes, with a "*" where they are inherited. Helper is FRR's default: it keeps
// the router's routes and asks for nothing.
const (
	modeHelper  = "Helper"
	modeRestart = "Restart"
	modeDisable = "Disable"
)

// configured is what the next OPEN will ask for.
func (n *neighbor) configured() report.Parameters {
	return report.Parameters{
		HoldTime:        seconds(n.ConfiguredHold, defaultHoldTime),
		KeepaliveTime:   seconds(n.ConfiguredKeepalive, defaultKeepaliveTime),
		GracefulRestart: strings.HasPrefix(n.GracefulRestart.LocalMode, modeRestart),
	}
}

func seconds(configured *int64, otherwise int64) int64 {
	if configured == nil {
		return otherwise
	}
	return *configured / milliseconds
}

// helps says whether the router keeps routes of one that restarts.
func (n *neighbor) helps() bool {
	mode := n.GracefulRestart.RemoteMode
	return strings.HasPrefix(mode, modeHelper) || strings.HasPrefix(mode, modeRestart)
}

// pending are the parameters that a new session would have otherwise.
func (n *neighbor) pending(opened report.Parameters) []report.Parameter {
	want := n.configured()
	var all []report.Parameter
	hold := n.Hold / milliseconds
	if next := nextHoldTime(hold, opened.HoldTime, want.HoldTime); next != hold {
		all, hold = append(all, report.HoldTime), next
	}
	if nextKeepalive(hold, want.KeepaliveTime) != n.Keepalive/milliseconds {
		all = append(all, report.KeepaliveTime)
	}
	if want.GracefulRestart != opened.GracefulRestart || n.offersUnasked() {
		all = append(all, report.GracefulRestart)
	}
	return all
}

// offersUnasked says whether the OPEN had the capability though it is switched off:
// FRR 8.4 sent it before the mode reached the neighbor.
func (n *neighbor) offersUnasked() bool {
	return n.GracefulRestart.LocalMode == modeDisable && strings.HasPrefix(n.Capabilities.GracefulRestart, "advertised")
}

// nextHoldTime is what a new session would use, as far as this end knows: the
// smaller value of both ends. The one in use is the router's where it isn't the
// one that was configured.
func nextHoldTime(used, opened, configured int64) int64 {
	if used < opened {
		return min(used, configured)
	}
	return configured
}

// nextKeepalive follows from the hold time; 0 is FRR's word for "a third".
func nextKeepalive(hold, configured int64) int64 {
	third := hold / keepalivesPerHoldTime
	if configured == 0 {
		return third
	}
	return min(configured, third)
}
