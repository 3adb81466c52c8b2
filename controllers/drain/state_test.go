package drain

import (
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

var (
	start     = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	limits    = snapshot.DrainLimits{Converge: 10 * time.Second, Connections: time.Minute}
	annotated = &snapshot.Trigger{What: "annotation", Why: "new disks"}
)

// at is a moment some seconds after the start, in a node that announces.
func at(seconds int, change func(*Moment)) Moment {
	m := Moment{Now: start.Add(time.Duration(seconds) * time.Second), Trigger: annotated, Announces: true, OthersKnown: true, Limits: limits}
	if change != nil {
		change(&m)
	}
	return m
}

func confirmed(m *Moment) { m.Confirmed = true }

// TestStages goes through a drain, moment by moment.
func TestStages(t *testing.T) {
	type step struct {
		moment    Moment
		stage     Stage
		confirmed bool
	}
	undone := func(m *Moment) { m.Trigger = nil }
	unknown := func(m *Moment) { m.Confirmed, m.OthersKnown = true, false }
	for name, steps := range map[string][]step{
		"in order": {
			{at(0, nil), Graceful, false},
			{at(60, nil), Graceful, false}, // FRR hasn't told the routers: their time hasn't begun
			{at(61, confirmed), Graceful, true},
			{at(70, confirmed), Graceful, true},
			{at(71, nil), Withdrawn, false},
			{at(99, nil), Withdrawn, false},
			{at(100, confirmed), Withdrawn, true},
			{at(999, confirmed), Withdrawn, true},
			{at(1000, undone), None, false},
		},
		"what announces nothing tells nobody": {
			{at(0, func(m *Moment) { m.Announces = false }), Withdrawn, false},
			{at(1, confirmed), Withdrawn, true},
		},
		"undone while the routers are told": {
			{at(0, nil), Graceful, false}, {at(1, confirmed), Graceful, true}, {at(2, undone), None, false}, {at(3, nil), Graceful, false},
		},
		"undone while it withdraws": {
			{at(0, nil), Graceful, false}, {at(1, confirmed), Graceful, true}, {at(11, nil), Withdrawn, false}, {at(12, undone), None, false},
		},
		"withdraws nothing while it isn't known who takes over": {
			{at(0, nil), Graceful, false}, {at(1, unknown), Graceful, true}, {at(60, unknown), Graceful, true}, {at(61, nil), Withdrawn, false},
		},
		"nothing drains it": {{at(0, undone), None, false}},
	} {
		t.Run(name, func(t *testing.T) {
			var state State
			for i, s := range steps {
				state = state.Next(s.moment)
				if state.Stage != s.stage || state.Confirmed.IsZero() == s.confirmed {
					t.Fatalf("step %d: %+v, want %q, confirmed %v", i, state, s.stage, s.confirmed)
				}
			}
		})
	}
}

// TestTriggerChanges: another trigger goes on with the drain, and is told.
func TestTriggerChanges(t *testing.T) {
	state := State{}.Next(at(0, nil))
	next := state.Next(at(1, func(m *Moment) { m.Trigger = &snapshot.Trigger{What: "taint"} }))
	if next.Stage != Graceful || next.Trigger != "taint" || next.Reason != "" || !next.Since.Equal(start) {
		t.Errorf("%+v", next)
	}
}

func TestJudge(t *testing.T) {
	count := func(n int64) *int64 { return &n }
	withdrawn := State{Stage: Withdrawn, Since: start, Confirmed: start}
	for name, test := range map[string]struct {
		state  State
		facts  Facts
		stage  v1alpha1.DrainStage
		safe   bool
		reason string
		due    int // seconds after the start
	}{
		"announced":                    {State{Stage: Graceful, Confirmed: start}, Facts{Now: start, Connections: count(0)}, v1alpha1.DrainGracefulShutdown, false, v1alpha1.ReasonRoutesAnnounced, 10},
		"not confirmed":                {State{Stage: Withdrawn}, Facts{Connections: count(0)}, v1alpha1.DrainWithdrawing, false, v1alpha1.ReasonNotConfirmed, 0},
		"not converged":                {withdrawn, Facts{Now: start.Add(9 * time.Second), Connections: count(0)}, v1alpha1.DrainWithdrawing, false, v1alpha1.ReasonConverging, 10},
		"no connections":               {withdrawn, Facts{Now: start.Add(10 * time.Second), Connections: count(0)}, v1alpha1.DrainDrained, true, v1alpha1.ReasonNoConnections, 0},
		"connections":                  {withdrawn, Facts{Now: start.Add(10 * time.Second), Connections: count(2)}, v1alpha1.DrainServing, false, v1alpha1.ReasonConnectionsLeft, 60},
		"connections, for too long":    {withdrawn, Facts{Now: start.Add(60 * time.Second), Connections: count(2)}, v1alpha1.DrainDrained, true, v1alpha1.ReasonTimeLimit, 0},
		"nobody counts":                {withdrawn, Facts{Now: start.Add(59 * time.Second)}, v1alpha1.DrainServing, false, v1alpha1.ReasonConnectionsNotCounted, 60},
		"nobody counts, for long":      {withdrawn, Facts{Now: start.Add(60 * time.Second)}, v1alpha1.DrainDrained, true, v1alpha1.ReasonTimeLimit, 0},
		"the last, whatever the limit": {withdrawn, Facts{Now: start.Add(time.Hour), Kept: 1, KeptFor: "another", Connections: count(0)}, v1alpha1.DrainServing, false, v1alpha1.ReasonLastHolder, 0},
		"FRR can't be told":            {withdrawn, Facts{Now: start.Add(time.Hour), Unwritten: true, Connections: count(0)}, v1alpha1.DrainWithdrawing, false, v1alpha1.ReasonNotConfirmed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test.facts.Limits = limits
			got := test.state.Judge(test.facts)
			var due time.Time
			if test.due > 0 {
				due = start.Add(time.Duration(test.due) * time.Second)
			}
			if got.Stage != test.stage || got.Safe != test.safe || got.Reason != test.reason || !got.Due.Equal(due) || got.Message == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestSafeOnlyWhenItIs lets random things happen: whatever they are, a node is safe
// to shut down only when FRR has withdrawn, nothing is kept, the routers have had
// their time, and there are no connections or they have had theirs.
func TestSafeOnlyWhenItIs(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	safe := 0
	for range 2000 {
		var state State
		withdrawnSince := time.Time{}
		now := start
		for range 40 {
			now = now.Add(time.Duration(random.Intn(20)) * time.Second)
			m := Moment{Now: now, Limits: limits, Announces: random.Intn(4) > 0, OthersKnown: random.Intn(4) > 0, Confirmed: random.Intn(2) == 0}
			if random.Intn(30) > 0 {
				m.Trigger = annotated
			}
			before := state.Stage
			state = state.Next(m)
			if state.Stage != Withdrawn || before != Withdrawn {
				withdrawnSince = time.Time{}
			} else if m.Confirmed && withdrawnSince.IsZero() {
				withdrawnSince = now
			}
			if state.Stage == None {
				continue
			}
			facts := Facts{Now: now, Limits: limits, Kept: random.Intn(2)}
			if random.Intn(2) == 0 {
				facts.Connections = new(int64(random.Intn(2)))
			}
			if !state.Judge(facts).Safe {
				continue
			}
			safe++
			waited := now.Sub(withdrawnSince)
			none := facts.Connections != nil && *facts.Connections == 0
			if withdrawnSince.IsZero() || facts.Kept > 0 || waited < limits.Converge || !none && waited < limits.Connections {
				t.Fatalf("%+v is called safe with %+v, withdrawn since %s", state, facts, withdrawnSince)
			}
		}
	}
	if safe == 0 {
		t.Error("it was never safe")
	}
}

// What a node waits for that still announces is told.
func TestJudgeGraceful(t *testing.T) {
	graceful := State{Stage: Graceful, Since: start, Confirmed: start}
	for want, test := range map[string]struct {
		state State
		facts Facts
		due   time.Time
	}{
		"FRR hasn't confirmed":                 {State{Stage: Graceful, Since: start}, Facts{Now: start, OthersKnown: true}, time.Time{}},
		"FRR hasn't confirmed yet that it":     {graceful, Facts{Now: start, OthersKnown: true, Unwritten: true}, time.Time{}},
		"spec.drain.convergeTime (10s)":        {graceful, Facts{Now: start.Add(9 * time.Second)}, start.Add(10 * time.Second)},
		"the agent can't list Nodes, BGPNodes": {graceful, Facts{Now: start.Add(10 * time.Second)}, time.Time{}},
		"they are withdrawn next":              {graceful, Facts{Now: start.Add(10 * time.Second), OthersKnown: true}, time.Time{}},
	} {
		test.facts.Limits = limits
		got := test.state.Judge(test.facts)
		if got.Safe || got.Stage != v1alpha1.DrainGracefulShutdown || !strings.Contains(got.Message, want) || !got.Due.Equal(test.due) {
			t.Errorf("%+v, want %q", got, want)
		}
	}
}
