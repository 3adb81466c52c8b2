package status

import (
	"net/netip"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/relay/exchange"
)

func relayView() *RelayView {
	return &RelayView{Fresh: true, Hash: "h", Desired: &exchange.Desired{}, Report: &exchange.Report{
		Applied: "h", Learning: true, Counters: exchange.Counters{Relayed: 7},
		Owned: map[netip.Addr]int{netip.MustParseAddr("203.0.113.7"): 2, netip.MustParseAddr("203.0.113.8"): 3}, Preserved: 3, Learned: map[string]int{"b": 4},
	}}
}

func TestRelayOfANode(t *testing.T) {
	rpFilter := exchange.Problem{Reason: exchange.ReasonRPFilter, Message: "rp_filter is 1: set it to 2", Learning: true}
	tests := map[string]struct {
		edit func(*RelayView)
		want string
		told bool
	}{
		"all is well":                {func(*RelayView) {}, "True Reporting connections of FlowPolicies' Services are preserved", true},
		"not as good as it could be": {func(v *RelayView) { v.Report.Notes = []string{"no nft_log: load it"} }, "True Reporting connections of FlowPolicies' Services are preserved; no nft_log: load it", true},
		"dead":                       {func(v *RelayView) { v.Fresh = false }, "False RelayNotReporting the relay's last report is older than 10s", false},
		"never there":                {func(v *RelayView) { v.Fresh, v.Report, v.ReportError = false, nil, "no file" }, "False RelayNotReporting no file: look at the log", false},
		"a problem":                  {func(v *RelayView) { v.Report.Problems = []exchange.Problem{rpFilter} }, "False ReversePathFilter rp_filter is 1: set it to 2", true},
		"a wish nobody can do":       {func(v *RelayView) { v.WriteError = "no space left" }, "False RelayNotReporting no space left", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			view := goodView()
			view.Relay = relayView()
			test.edit(view.Relay)
			next := Node(view, v1alpha1.BGPNodeStatus{}, 1)
			check(t, next.Conditions, v1alpha1.ConditionRelayReady, test.want)
			if (next.Relay != nil) != test.told {
				t.Errorf("%+v", next.Relay)
			}
			if again := Node(view, next, 1); CompareNode(next, again) != ChangeNone {
				t.Error("said twice it differs")
			}
		})
	}
}

func TestRelayCountersAreNoTransition(t *testing.T) {
	view := goodView()
	view.Relay = relayView()
	before := Node(view, v1alpha1.BGPNodeStatus{}, 1)
	if before.Relay.OwnedConnections != 5 || before.Relay.PreservedConnections != 3 || before.Relay.LearnedFlows != 4 || before.Relay.Relayed != 7 {
		t.Errorf("%+v", before.Relay)
	}
	view.Relay.Report.Counters.Relayed++
	if change := CompareNode(before, Node(view, before, 1)); change != ChangeCounters {
		t.Error(change)
	}
	view.Relay.Report.Learning = false
	if change := CompareNode(before, Node(view, before, 1)); change != ChangeTransition {
		t.Error(change)
	}
	view.Relay.Starting, view.Relay.Fresh = true, false
	if change := CompareNode(before, Node(view, before, 1)); change != ChangeNone {
		t.Error("a relay that is just being started is no news:", change)
	}
	view.Relay = nil
	if next := Node(view, before, 1); next.Relay != nil || meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionRelayReady) != nil {
		t.Errorf("%+v", next)
	}
}

func TestFlowPolicyOnNodes(t *testing.T) {
	good := relayReport{learning: true, ready: true, reason: v1alpha1.ReasonReporting}
	filtered := relayReport{reason: exchange.ReasonRPFilter, message: "set rp_filter to 2"}
	issue := func(reason string) *compile.Policy {
		return &compile.Policy{Issues: []compile.Issue{{Object: compile.ObjectRef{Kind: "FlowPolicy", Name: "keep"}, Reason: reason, Message: "spec is wrong"}}}
	}
	tests := map[string]struct {
		mode    v1alpha1.FlowMode
		global  *compile.Policy
		reports map[string]relayReport
		want    string
	}{
		"everywhere":   {"", nil, map[string]relayReport{"a": good, "b": good}, "True Learning every node preserves"},
		"not on some":  {"", nil, map[string]relayReport{"a": good, "b": filtered, "c": filtered}, "False ReversePathFilter 2 of 3 nodes don't preserve connections: on b, c: set rp_filter to 2"},
		"silent":       {"", nil, map[string]relayReport{"a": {}}, "False RelayNotReporting 1 of 1 nodes"},
		"not yet":      {"", nil, map[string]relayReport{"a": {ready: true}}, "False Pending 1 of 1 nodes"},
		"no node":      {"", nil, nil, "Unknown AgentNotReporting"},
		"off":          {v1alpha1.FlowModeOff, nil, map[string]relayReport{"a": good}, "True Off"},
		"not accepted": {"", issue(v1alpha1.ReasonInvalidSelector), map[string]relayReport{"a": good}, "False NotAccepted"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			policy := &v1alpha1.FlowPolicy{Spec: v1alpha1.FlowPolicySpec{Mode: test.mode}}
			policy.Name, policy.Generation = "keep", 1
			fleet := &Fleet{Global: &compile.Policy{}, Reports: map[string]NodeReport{}}
			if test.global != nil {
				fleet.Global = test.global
			}
			for node, relay := range test.reports {
				fleet.Reports[node] = NodeReport{Relay: relay}
			}
			if !ApplyFlowPolicy(policy, fleet) || ApplyFlowPolicy(policy, fleet) {
				t.Error("said twice it differs")
			}
			check(t, policy.Status.Conditions, v1alpha1.ConditionReady, test.want)
			if int(policy.Status.Nodes) != len(test.reports) {
				t.Errorf("%+v", policy.Status)
			}
		})
	}
}
