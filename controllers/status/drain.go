package status

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/drain"
)

// DrainVerdict says how far the node's drain is. Of one that doesn't drain it is
// the zero value.
func (v View) DrainVerdict() drain.Verdict {
	if v.Drain.Stage == drain.None {
		return drain.Verdict{}
	}
	facts := drain.Facts{
		Now: v.Now, Limits: v.DrainLimits, Connections: v.Connections, OthersKnown: v.OthersKnown, Unwritten: v.WriteError != "",
	}
	if v.Result != nil {
		facts.Kept = len(v.Result.Kept)
		facts.KeptFor = keptFor(v.Node, v.Result.Waits, v.DrainLimits)
	}
	return v.Drain.Judge(facts)
}

// HasWithdrawn says whether a node has given up its routes, by what it reports.
func HasWithdrawn(status *v1alpha1.DrainStatus) bool {
	return status != nil && status.Stage != v1alpha1.DrainGracefulShutdown
}

func drainStatus(view View) *v1alpha1.DrainStatus {
	if view.Drain.Stage == drain.None {
		return nil
	}
	status := &v1alpha1.DrainStatus{
		Stage: view.DrainVerdict().Stage, Since: *second(&view.Drain.Since),
		Trigger: view.Drain.Trigger, Reason: shorten(view.Drain.Reason, maxText), Connections: view.Connections,
	}
	if kept := view.Result.Kept; len(kept) > 0 {
		status.LastHolderOf = &v1alpha1.HeldServices{Total: int32(len(kept))}
		for _, key := range kept[:min(len(kept), maxIssues)] {
			status.LastHolderOf.Services = append(status.LastHolderOf.Services, key.String())
		}
	}
	return status
}

// drainConditions are Draining, which is True from the first stage until the drain
// is ended, and SafeToShutdown.
func drainConditions(view View) []metav1.Condition {
	draining := metav1.Condition{
		Type: v1alpha1.ConditionDraining, Status: metav1.ConditionFalse,
		Reason: v1alpha1.ReasonNotDraining, Message: "nothing drains the node",
	}
	safe := draining
	safe.Type, safe.Message = v1alpha1.ConditionSafeToShutdown, "the node announces its routes: drain it before it goes (kubectl herald drain)"
	if view.Drain.Stage == drain.None {
		if view.DrainError != "" {
			draining.Message = "the drain can't begin: " + view.DrainError + ": see the agent's exchange directory on the node (is its disk full?)"
			safe.Message = draining.Message
		}
		return []metav1.Condition{draining, safe}
	}
	verdict := view.DrainVerdict()
	draining.Status, draining.Reason, draining.Message = metav1.ConditionTrue, string(verdict.Stage), view.Drain.Trigger
	if view.Drain.Reason != "" {
		draining.Message += ": " + view.Drain.Reason
	}
	if verdict.Safe {
		safe.Status = metav1.ConditionTrue
	}
	safe.Reason, safe.Message = verdict.Reason, verdict.Message
	if view.DrainError != "" {
		safe.Message += "; the drain can't go on, nor be ended: " + view.DrainError + ": see the agent's exchange directory on the node (is its disk full?)"
	}
	return []metav1.Condition{draining, safe}
}
