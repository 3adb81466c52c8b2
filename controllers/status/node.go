package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/report"
)

const (
	maxIssues = 64
	// In bytes: of an issue's message or a reset's reason, and of FRR's error.
	maxText  = 1024
	maxError = 4096
)

// Node is the status that a BGPNode should have, given the one it has.
func Node(view View, old v1alpha1.BGPNodeStatus, generation int64) v1alpha1.BGPNodeStatus {
	status := *old.DeepCopy()
	if view.Result != nil {
		status.DesiredHash = view.DesiredHash
		snippets, issues := nodeSnippets(view)
		status.Snippets = snippets
		status.Issues, status.IssuesLeftOut = nodeIssues(slices.Concat(Issues(view), issues))
		status.Routes = CountRoutes(view.Result.Config)
		status.HeldBack = heldBack(view)
		status.Drain = drainStatus(view)
	}
	if view.Report != nil {
		status.AppliedHash = view.Report.AppliedHash
		status.FRRVersion = view.Report.FRR.Version
		status.LastApply = lastApply(view.Report.LastApply, old.LastApply)
	}
	set := func(condition metav1.Condition) {
		condition.ObservedGeneration = generation
		condition.LastTransitionTime = metav1.NewTime(view.Now.Truncate(time.Second))
		condition.Message = shorten(condition.Message, maxMessage)
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	set(ready(view))
	for _, condition := range drainConditions(view) {
		set(condition)
	}
	status.Relay = nodeRelay(view.Relay, old.Relay)
	if view.Relay == nil {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionRelayReady)
	} else if condition, known := relayReady(view.Relay); known {
		set(condition)
	}
	if condition, known := programmed(view); known {
		set(condition)
	} else if meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgrammed) == nil {
		set(pending())
	}
	return status
}

// heldBack are the Services that closed gates hold back.
func heldBack(view View) *v1alpha1.HeldBack {
	if view.Result == nil || !view.HoldingBack {
		return nil
	}
	held := &v1alpha1.HeldBack{}
	for _, withheld := range view.Result.Withheld {
		if withheld.Why != compile.WhyGateClosed {
			continue
		}
		if held.Total++; len(held.Services) < maxIssues {
			held.Services = append(held.Services, withheld.Service.String())
		}
	}
	if held.Total == 0 {
		return nil
	}
	return held
}

// CountRoutes counts the prefixes that a configuration announces, in each VRF.
func CountRoutes(config frrtemplates.Config) *v1alpha1.RouteCount {
	count := &v1alpha1.RouteCount{}
	for _, router := range config.Routers {
		for _, family := range router.Families {
			if family.Family == frrtemplates.IPv4 {
				count.IPv4 += int64(len(family.Networks))
			} else {
				count.IPv6 += int64(len(family.Networks))
			}
		}
	}
	return count
}

func lastApply(apply *report.Apply, old *v1alpha1.ApplyStatus) *v1alpha1.ApplyStatus {
	if apply == nil {
		return old
	}
	status := &v1alpha1.ApplyStatus{
		Method:               strings.Join(apply.Steps, "+"),
		DurationMilliseconds: apply.Duration.Milliseconds(),
		Outcome:              v1alpha1.ApplyApplied,
		Error:                shorten(apply.Error, maxError),
		Time:                 second(&apply.Time),
	}
	if apply.Error != "" {
		status.Outcome = v1alpha1.ApplyFailed
	}
	return status
}

// ready says whether agent, reloader and FRR are alive. That the agent is needs
// no word: it writes this.
func ready(view View) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	switch {
	case !view.Fresh || view.Report == nil:
		condition.Reason = v1alpha1.ReasonReloaderNotReady
		condition.Message = silentReloader(view)
	case view.Report.FRR.Unsupported:
		condition.Reason = v1alpha1.ReasonFRRUnsupported
		condition.Message = fmt.Sprintf("FRR %s is not a version that Herald knows: use the FRR image of this release. %s",
			view.Report.FRR.Version, view.Report.FRR.Error)
	case view.Report.FRR.Error != "":
		condition.Reason = v1alpha1.ReasonFRRNotRunning
		condition.Message = view.Report.FRR.Error
	case view.Report.FRR.Version == "":
		condition.Reason = v1alpha1.ReasonFRRNotRunning
		condition.Message = "bgpd does not answer on its vty socket: look at the log of the FRR container on this node"
	case len(silentDaemons(view.Report)) > 0:
		condition.Reason = v1alpha1.ReasonFRRNotRunning
		condition.Message = strings.Join(silentDaemons(view.Report), ", ") + ": no answer on the vty socket: look at the log of the FRR container on this node"
	default:
		condition.Status = metav1.ConditionTrue
		condition.Reason = v1alpha1.ReasonReporting
		condition.Message = "agent, reloader and FRR answer"
	}
	condition.Message = strings.TrimSpace(condition.Message)
	return condition
}

func silentDaemons(seen *report.Report) []string {
	var silent []string
	for name, answers := range seen.FRR.Daemons {
		if !answers {
			silent = append(silent, name)
		}
	}
	slices.Sort(silent)
	return silent
}

func silentReloader(view View) string {
	const remedy = "look at the log of the reloader container on this node; what FRR announced before stays"
	if view.ReportError != "" {
		return view.ReportError + ": " + remedy
	}
	if view.Report == nil {
		return "the reloader has not reported yet: " + remedy
	}
	return fmt.Sprintf("the reloader's last report is older than %s: %s", report.MaxAge, remedy)
}

// programmed says whether FRR runs what the agent wants. Not known: an apply is
// under way, and the condition stays as it is for the moment.
func programmed(view View) (condition metav1.Condition, known bool) {
	condition = metav1.Condition{Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionFalse}
	fail := func(message string) (metav1.Condition, bool) {
		condition.Reason, condition.Message = v1alpha1.ReasonApplyFailed, message
		return condition, true
	}
	switch {
	case view.WriteError != "":
		return fail(view.WriteError)
	case !view.Fresh || view.Report == nil:
		condition.Status, condition.Reason = metav1.ConditionUnknown, v1alpha1.ReasonReloaderNotReady
		condition.Message = silentReloader(view)
		return condition, true
	case view.Report.FileError != "":
		return fail(view.Report.FileError)
	case view.DesiredHash == view.Report.AppliedHash:
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonApplied
		condition.Message = "FRR runs the wanted configuration"
		return condition, true
	case view.Report.AttemptedHash == view.DesiredHash && view.Report.LastApply != nil && view.Report.LastApply.Error != "":
		return fail(view.Report.LastApply.Error)
	case view.Now.Sub(view.DesiredSince) >= PendingGrace:
		return pending(), true
	}
	return condition, false
}

func pending() metav1.Condition {
	return metav1.Condition{
		Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonPending,
		Message: "the wanted configuration is not applied yet",
	}
}

// CompareNode says how urgent it is to write the new status.
func CompareNode(old, next v1alpha1.BGPNodeStatus) Change {
	if equality.Semantic.DeepEqual(old, next) {
		return ChangeNone
	}
	if equality.Semantic.DeepEqual(urgentOfNode(old), urgentOfNode(next)) {
		return ChangeCounters
	}
	return ChangeTransition
}

// urgentOfNode leaves out counts, hashes and the timings of successes.
func urgentOfNode(status v1alpha1.BGPNodeStatus) v1alpha1.BGPNodeStatus {
	status.DesiredHash, status.AppliedHash, status.Routes, status.IssuesLeftOut = "", "", nil, nil
	if status.HeldBack != nil {
		status.HeldBack = &v1alpha1.HeldBack{} // that there are any is a transition
	}
	if status.Drain != nil {
		status.Drain = status.Drain.DeepCopy()
		if left := status.Drain.Connections; left != nil && *left > 0 {
			*left = 1 // that there are any is a transition
		}
	}
	if relay := status.Relay; relay != nil {
		// That anything leaves is a transition too.
		status.Relay = &v1alpha1.NodeRelay{Learning: relay.Learning, PathMTU: relay.PathMTU, Leaving: min(relay.Leaving, 1)}
	}
	if status.LastApply == nil || status.LastApply.Outcome == v1alpha1.ApplyApplied {
		status.LastApply = nil
		return status
	}
	// A failure that is tried again and again is one transition.
	status.LastApply = &v1alpha1.ApplyStatus{Outcome: v1alpha1.ApplyFailed, Error: status.LastApply.Error}
	return status
}

// second is a time as the API stores it.
func second(t *time.Time) *metav1.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	truncated := metav1.NewTime(t.Truncate(time.Second))
	return &truncated
}
