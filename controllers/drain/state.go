package drain

import (
	"time"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// Stage is what the node does with its routes.
type Stage string

// The stages. Whether a node that has withdrawn may be shut down is for Judge.
const (
	None      Stage = ""
	Graceful  Stage = "GracefulShutdown"
	Withdrawn Stage = "Withdrawn"
)

// State is how far a drain is. The zero value is none. Its JSON is a file.
type State struct {
	Stage Stage `json:"stage,omitempty"`
	// Trigger and Reason are what began it, and why.
	Trigger string `json:"trigger,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Since is when it began.
	Since time.Time `json:"since,omitzero"`
	// Confirmed is since when FRR has run the stage's configuration; zero: it doesn't
	// yet.
	Confirmed time.Time `json:"confirmed,omitzero"`
}

// Moment is what State.Next looks at.
type Moment struct {
	Now time.Time
	// Trigger of a drain; nil: nothing drains the node.
	Trigger *snapshot.Trigger
	// Announces: the node has announced something since it booted.
	Announces bool
	// Confirmed: FRR runs a configuration of this stage.
	Confirmed bool
	// OthersKnown: it is known which nodes could take over.
	OthersKnown bool
	Limits      snapshot.DrainLimits
}

// Next is the state that follows. What announces nothing has nothing to tell the
// routers: a node that boots while it drains never announces.
func (s State) Next(m Moment) State {
	switch {
	case m.Trigger == nil:
		return State{}
	case s.Stage == None && m.Announces:
		s = State{Stage: Graceful, Since: m.Now}
	case s.Stage == None:
		s = State{Stage: Withdrawn, Since: m.Now}
	case s.Confirmed.IsZero() && m.Confirmed:
		s.Confirmed = m.Now
	case s.Stage == Graceful && m.OthersKnown && !s.Confirmed.IsZero() && !m.Now.Before(s.converged(m.Limits)):
		s.Stage, s.Confirmed = Withdrawn, time.Time{}
	}
	s.Trigger, s.Reason = m.Trigger.What, m.Trigger.Why
	return s
}

// Due is when time alone leads on to the next stage; zero: it doesn't.
func (s State) Due(limits snapshot.DrainLimits) time.Time {
	if s.Stage == Graceful && !s.Confirmed.IsZero() {
		return s.converged(limits)
	}
	return time.Time{}
}

// converged is when the routers have had their time.
func (s State) converged(limits snapshot.DrainLimits) time.Time {
	return s.Confirmed.Add(limits.Converge)
}

// ForSnapshot is the stage as compile takes it.
func (s State) ForSnapshot() snapshot.DrainStage {
	switch s.Stage {
	case Graceful:
		return snapshot.DrainGraceful
	case Withdrawn:
		return snapshot.DrainWithdrawn
	default:
		return snapshot.DrainNone
	}
}
