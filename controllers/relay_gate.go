package controllers

import (
	"slices"
	"sync"

	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/relay/exchange"
)

// wishesKept: while much changes the relay reports of a wish that isn't the last one.
const wishesKept = 8

// RelayGate asks the node's relay, by its report, whether it has the rules of what it
// was told.
type RelayGate struct {
	Keeper  *gates.RelayKeeper
	reports *ReportReconciler

	mu sync.Mutex
	// wishes are the last ones, the newest at the end.
	wishes []RelayWish
}

// NewRelayGate is for a node whose reports know its relay's.
func NewRelayGate(reports *ReportReconciler, clock clock.Clock, open func(snapshot.Opened)) *RelayGate {
	g := &RelayGate{reports: reports}
	g.Keeper = gates.NewRelayKeeper(g.ask, clock, open)
	return g
}

// Want says whether the gate isn't open for good yet, whether it holds anything back, and
// what the relay is told.
func (g *RelayGate) Want(wanted, holds bool, wish RelayWish) {
	g.mu.Lock()
	switch last := len(g.wishes) - 1; {
	case !wanted:
		g.wishes = nil
	case wish.Desired != nil && wish.Error == nil && (last < 0 || g.wishes[last].Hash != wish.Hash):
		g.wishes = append(slices.Clone(g.wishes[max(0, last+2-wishesKept):]), wish)
	}
	g.mu.Unlock()
	g.Keeper.Want(wanted, holds)
}

func (g *RelayGate) ask() gates.Answer {
	g.reports.RelayChanged()
	view, _ := g.reports.Relay.Observe(RelayWish{})
	g.mu.Lock()
	defer g.mu.Unlock()
	return answerOf(view, g.wishes)
}

// answerOf a relay: Ready says that it has the rules, or that there is none.
func answerOf(view *status.RelayView, wishes []RelayWish) gates.Answer {
	switch {
	case view == nil:
		return gates.Ready // there is none
	case !view.Fresh:
		return gates.Silent
	case slices.ContainsFunc(view.Report.Problems, func(p exchange.Problem) bool { return p.Learning }):
		// Perhaps it passes: at boot addresses, routes and kube-proxy come late.
		return gates.NotReady
	}
	at := slices.IndexFunc(wishes, func(w RelayWish) bool { return w.Hash == view.Report.Applied })
	if at < 0 || !slices.Equal(wishes[at].Desired.Learn, wishes[len(wishes)-1].Desired.Learn) {
		return gates.NotReady
	}
	return gates.Ready
}
