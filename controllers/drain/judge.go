package drain

import (
	"fmt"
	"time"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// Facts are what Judge looks at.
type Facts struct {
	Now    time.Time
	Limits snapshot.DrainLimits
	// Kept counts the Services that no other node is known to announce; KeptFor says what
	// is waited for.
	Kept    int
	KeptFor string
	// OthersKnown: it is known which nodes could take over.
	OthersKnown bool
	// Unwritten: FRR can't be told what it should do now.
	Unwritten bool
	// Connections that the node still owns; nil: nobody counts them.
	Connections *int64
}

// Verdict is how far a drain is, and whether the node may be shut down.
type Verdict struct {
	Stage v1alpha1.DrainStage
	// Safe to shut down, or not, and why.
	Safe            bool
	Reason, Message string
	// Due is when time alone changes it; zero: it doesn't.
	Due time.Time
}

const notCounted = "connections aren't counted on this node"

// Judge says how far it is. Of a node that doesn't drain nothing can be said.
func (s State) Judge(f Facts) Verdict {
	if s.Stage == Graceful {
		return s.judgeGraceful(f)
	}
	converged := s.converged(f.Limits)
	switch {
	case f.Unwritten || s.Confirmed.IsZero():
		return Verdict{
			Stage: v1alpha1.DrainWithdrawing, Reason: v1alpha1.ReasonNotConfirmed,
			Message: "FRR hasn't confirmed yet that it has withdrawn the routes: see the condition Programmed",
		}
	case f.Now.Before(converged):
		return Verdict{
			Stage: v1alpha1.DrainWithdrawing, Reason: v1alpha1.ReasonConverging, Due: converged,
			Message: fmt.Sprintf("the routes are withdrawn; the routers have spec.drain.convergeTime (%s) to follow", f.Limits.Converge),
		}
	case f.Kept > 0:
		return Verdict{
			Stage: v1alpha1.DrainServing, Reason: v1alpha1.ReasonLastHolder,
			Message: f.KeptFor,
		}
	}
	return s.judgeConnections(f, s.Confirmed.Add(f.Limits.Connections))
}

// judgeGraceful says what keeps a node from withdrawing its routes.
func (s State) judgeGraceful(f Facts) Verdict {
	verdict := Verdict{Stage: v1alpha1.DrainGracefulShutdown, Reason: v1alpha1.ReasonRoutesAnnounced}
	converged := s.converged(f.Limits)
	switch {
	case f.Unwritten || s.Confirmed.IsZero():
		verdict.Message = "the routes are still announced, and FRR hasn't confirmed yet that it says GRACEFUL_SHUTDOWN: see the condition Programmed"
	case f.Now.Before(converged):
		verdict.Due = converged
		verdict.Message = fmt.Sprintf(
			"the routes are still announced, with GRACEFUL_SHUTDOWN: the routers have spec.drain.convergeTime (%s) to prefer other nodes", f.Limits.Converge)
	case !f.OthersKnown:
		verdict.Message = "the routes are still announced, with GRACEFUL_SHUTDOWN, until it is known which other nodes could take over: the agent can't list Nodes, BGPNodes, BGPSessions and EndpointSlices yet; if that lasts see its log"
	default:
		verdict.Message = "the routes are still announced, with GRACEFUL_SHUTDOWN: they are withdrawn next"
	}
	return verdict
}

func (s State) judgeConnections(f Facts, limit time.Time) Verdict {
	over := !f.Now.Before(limit)
	switch {
	case f.Connections != nil && *f.Connections == 0:
		return drained(v1alpha1.ReasonNoConnections, "the routes are withdrawn, and the node owns no connection any more")
	case over && f.Connections == nil:
		return drained(v1alpha1.ReasonTimeLimit, fmt.Sprintf(
			"the routes were withdrawn %s ago (spec.drain.connectionTimeout); %s, those that are left break when it goes", f.Limits.Connections, notCounted))
	case over:
		return drained(v1alpha1.ReasonTimeLimit, fmt.Sprintf(
			"the routes were withdrawn %s ago (spec.drain.connectionTimeout); the connections in status.drain.connections break when the node goes", f.Limits.Connections))
	}
	waiting := Verdict{Stage: v1alpha1.DrainServing, Due: limit}
	if f.Connections == nil {
		waiting.Reason = v1alpha1.ReasonConnectionsNotCounted
		waiting.Message = fmt.Sprintf(
			"%s: it may own some, and waits for spec.drain.connectionTimeout (%s) to be over; without flow preservation (FlowPolicy) they have moved with the routes, and waiting saves none", notCounted, f.Limits.Connections)
		return waiting
	}
	waiting.Reason = v1alpha1.ReasonConnectionsLeft
	waiting.Message = fmt.Sprintf("the node owns connections (status.drain.connections), and serves them for at most spec.drain.connectionTimeout (%s)", f.Limits.Connections)
	return waiting
}

func drained(reason, message string) Verdict {
	return Verdict{Stage: v1alpha1.DrainDrained, Safe: true, Reason: reason, Message: message}
}
