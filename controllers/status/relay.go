package status

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/relay/exchange"
)

// RelayView is what an agent knows of its node's relay.
type RelayView struct {
	// Desired is what it is to do, nil where that isn't known; Hash that of its file.
	// WriteError says why the relay can't know it.
	Desired    *exchange.Desired
	Hash       string
	WriteError string
	// Report is the relay's, nil where there is none; ReportError says why. Fresh says
	// that it is alive, Starting that it is too early to say that it isn't.
	Report      *exchange.Report
	ReportError string
	Fresh       bool
	Starting    bool
}

// alive says whether the report can be believed.
func (v *RelayView) alive() bool { return v != nil && v.Fresh && v.Report != nil }

// nodeRelay is the summary in a BGPNode. Of a relay that doesn't report nothing is
// known.
func nodeRelay(view *RelayView, old *v1alpha1.NodeRelay) *v1alpha1.NodeRelay {
	switch {
	case view == nil:
		return nil
	case view.Starting:
		return old
	case !view.alive():
		return nil
	}
	report := view.Report
	relay := &v1alpha1.NodeRelay{
		Learning: report.Learning, PathMTU: report.PathMTU, Leaving: int32(report.Leaving),
		Relayed: int64(report.Counters.Relayed), Flooded: int64(report.Counters.Flooded),
		Claimed: int64(report.Counters.Claimed), Unclaimed: int64(report.Counters.Unclaimed), Limited: int64(report.Counters.Limited),
		Told: int64(report.Counters.Told), PreservedConnections: int64(report.Preserved),
		PathMTUFlooded: int64(report.Counters.PathMTUFlooded), PathMTUAccepted: int64(report.Counters.PathMTUAccepted),
	}
	for _, n := range report.Owned {
		relay.OwnedConnections += int64(n)
	}
	for _, n := range report.Learned {
		relay.LearnedFlows += int64(n)
	}
	return relay
}

// relayReady says whether the relay does what it is to do. Not known: it is too early
// to say.
func relayReady(view *RelayView) (condition metav1.Condition, known bool) {
	condition = metav1.Condition{Type: v1alpha1.ConditionRelayReady, Status: metav1.ConditionFalse}
	const remedy = ": look at the log of the relay container on this node; what it relayed before it goes on relaying, and announcing is not touched"
	switch {
	case view.WriteError != "":
		condition.Reason, condition.Message = v1alpha1.ReasonRelayNotReporting, view.WriteError
	case view.Starting:
		return condition, false
	case !view.alive() && view.ReportError != "":
		condition.Reason, condition.Message = v1alpha1.ReasonRelayNotReporting, view.ReportError+remedy
	case !view.alive():
		condition.Reason, condition.Message = v1alpha1.ReasonRelayNotReporting, "the relay's last report is older than 10s"+remedy
	case len(view.Report.Problems) > 0:
		condition.Reason = view.Report.Problems[0].Reason
		var texts []string
		for _, problem := range view.Report.Problems {
			texts = append(texts, problem.Message)
		}
		condition.Message = listed(texts, "; ")
	case view.Hash != "" && view.Report.Applied != view.Hash:
		return condition, false
	default:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionTrue, v1alpha1.ReasonReporting, relayDoes(view.Report)
	}
	return condition, true
}

func relayDoes(report *exchange.Report) string {
	var does []string
	if report.Learning {
		does = append(does, "connections of FlowPolicies' Services are preserved")
	}
	if report.PathMTU {
		does = append(does, "ICMP about the path MTU is relayed")
	}
	if len(does) == 0 {
		return "there is nothing to relay"
	}
	return listed(append([]string{strings.Join(does, ", ")}, report.Notes...), "; ")
}
