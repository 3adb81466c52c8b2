package status

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
)

// However many Services a node has something to say about, what it says of itself and of
// objects that it refuses is told, always in the same order; the rest is counted.
func TestWhatMattersIsToldFirst(t *testing.T) {
	issue := func(kind, name, reason string) compile.Issue {
		return compile.Issue{Object: compile.ObjectRef{Kind: kind, Name: name}, Reason: reason}
	}
	var issues []compile.Issue
	for i := range 100 {
		issues = append(issues, issue("Service", fmt.Sprintf("late-%03d", i), v1alpha1.ReasonGateTimedOut))
	}
	for i := range 50 {
		issues = append(issues, issue("Service", fmt.Sprintf("held-%03d", i), v1alpha1.ReasonGateRefused))
	}
	for i := range 12 {
		issues = append(issues, issue("BGPAdvertisement", fmt.Sprintf("old-%03d", i), v1alpha1.ReasonOverruled))
	}
	issues = append(issues,
		issue("BGPPeer", "tor-a", v1alpha1.ReasonSecretNotFound),
		issue("Node", "node-a", v1alpha1.ReasonGateTimedOut),
		issue("Node", "node-a", v1alpha1.ReasonRelayPending),
	)
	slices.SortFunc(issues, compile.CompareIssues)
	told, leftOut := nodeIssues(issues)
	want := []string{"Node GateTimedOut", "Node RelayPending", "BGPPeer SecretNotFound"}
	want = append(want, slices.Repeat([]string{"BGPAdvertisement Overruled"}, 12)...)
	want = append(want, slices.Repeat([]string{"Service GateRefused"}, maxIssues-15)...)
	var got []string
	for _, i := range told {
		got = append(got, i.Kind+" "+i.Reason)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	counts := []v1alpha1.IssueCount{{Reason: v1alpha1.ReasonGateRefused, Count: 1}, {Reason: v1alpha1.ReasonGateTimedOut, Count: 100}}
	if diff := cmp.Diff(counts, leftOut); diff != "" {
		t.Error(diff)
	}
	for range 10 {
		shuffled := slices.Clone(issues)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		slices.SortFunc(shuffled, compile.CompareIssues)
		again, _ := nodeIssues(shuffled)
		if diff := cmp.Diff(told, again); diff != "" {
			t.Fatal(diff)
		}
	}
	if told, leftOut := nodeIssues(issues[:maxIssues]); len(told) != maxIssues || leftOut != nil {
		t.Errorf("%d told, %v left out", len(told), leftOut)
	}
}

// How many are left out is a count: it doesn't hurry.
func TestLeftOutIsACount(t *testing.T) {
	status := v1alpha1.BGPNodeStatus{IssuesLeftOut: []v1alpha1.IssueCount{{Reason: "GateTimedOut", Count: 3}}}
	next := *status.DeepCopy()
	next.IssuesLeftOut[0].Count = 4
	if got := CompareNode(status, next); got != ChangeCounters {
		t.Errorf("%v", got)
	}
}
