package status

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/snippet"
)

// A node says of each snippet what the reloader says of exactly this text, and
// nothing of one that it has seen in another form only.
func TestNodeSnippets(t *testing.T) {
	lines := []string{"ip route 10.9.0.0/24 192.0.2.9"}
	hash := snippet.Snippet{Lines: lines}.Hash()
	for name, c := range map[string]struct {
		report []report.Snippet
		state  v1alpha1.NodeSnippetState
		issue  string
	}{
		"accepted":         {[]report.Snippet{{Name: "a", Hash: hash, State: report.SnippetAccepted}}, v1alpha1.NodeSnippetAccepted, ""},
		"refused":          {[]report.Snippet{{Name: "a", Hash: hash, State: report.SnippetRefused, Line: 1, Text: "ip route", Error: "FRR: no"}}, v1alpha1.NodeSnippetRefused, `SnippetRefused spec.config: line 1 "ip route": FRR: no`},
		"as a whole":       {[]report.Snippet{{Name: "a", Hash: hash, State: report.SnippetRefused, Error: "it would remove x"}}, v1alpha1.NodeSnippetRefused, "SnippetRefused spec.config: it would remove x"},
		"pending":          {[]report.Snippet{{Name: "a", Hash: hash, State: report.SnippetPending}}, v1alpha1.NodeSnippetPending, ""},
		"can't be tried":   {[]report.Snippet{{Name: "a", Hash: hash, State: report.SnippetPending, Error: "no namespace"}}, v1alpha1.NodeSnippetPending, "SnippetPending it could not be tried, and is again in a minute: no namespace"},
		"of another text":  {[]report.Snippet{{Name: "a", Hash: "other", State: report.SnippetRefused, Error: "no"}}, v1alpha1.NodeSnippetPending, ""},
		"of another":       {[]report.Snippet{{Name: "b", Hash: hash, State: report.SnippetRefused, Error: "no"}}, v1alpha1.NodeSnippetPending, ""},
		"not reported yet": {nil, v1alpha1.NodeSnippetPending, ""},
	} {
		view := goodView()
		view.Result.Snippets = []compile.Snippet{{Name: "a", Generation: 7, Lines: lines}}
		view.Report.Snippets = c.report
		status := Node(view, v1alpha1.BGPNodeStatus{}, 1)
		if diff := cmp.Diff([]v1alpha1.NodeSnippet{{Name: "a", Generation: 7, State: c.state}}, status.Snippets); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		issue := ""
		for _, i := range status.Issues {
			issue += i.Reason + " " + i.Message
		}
		if issue != c.issue {
			t.Errorf("%s: issue %q, want %q", name, issue, c.issue)
		}
		if before := Node(goodView(), v1alpha1.BGPNodeStatus{}, 1); CompareNode(before, status) != ChangeTransition {
			t.Errorf("%s: is not told at once", name)
		}
	}
}

// nodeSays is a node's report about the snippet a of generation 2.
func nodeSays(state v1alpha1.NodeSnippetState, generation int64, reason string) NodeReport {
	r := NodeReport{Snippets: []v1alpha1.NodeSnippet{{Name: "a", Generation: generation, State: state}}}
	if reason != "" {
		r.Issues = []v1alpha1.NodeIssue{{Kind: kindSnippet, Name: "a", Reason: reason, Message: "FRR: no"}}
	}
	return r
}

func TestSnippetStatus(t *testing.T) {
	const accepted, refused, pending = v1alpha1.NodeSnippetAccepted, v1alpha1.NodeSnippetRefused, v1alpha1.NodeSnippetPending
	static := []compile.Issue{{Object: compile.ObjectRef{Kind: kindSnippet, Name: "a"}, Reason: v1alpha1.ReasonInvalidSnippet, Message: "line 1"}}
	for name, c := range map[string]struct {
		global          []compile.Issue
		reports         map[string]NodeReport
		static          map[string]bool // nodes that refuse it without FRR
		selects         []string
		want            string
		nodes, accepted int32
	}{
		"no node":          {want: "True Accepted selects no node", nodes: 0},
		"everywhere":       {selects: []string{"n1", "n2"}, reports: map[string]NodeReport{"n1": nodeSays(accepted, 2, ""), "n2": nodeSays(accepted, 2, "")}, want: "True Accepted in force on every node", nodes: 2, accepted: 2},
		"nowhere":          {selects: []string{"n1", "n2"}, reports: map[string]NodeReport{"n1": nodeSays(refused, 2, "SnippetRefused"), "n2": nodeSays(refused, 2, "SnippetRefused")}, want: "False SnippetRefused refused on n1, n2: FRR: no", nodes: 2},
		"on one":           {selects: []string{"n1", "n2"}, reports: map[string]NodeReport{"n1": nodeSays(refused, 2, "SnippetRefused"), "n2": nodeSays(accepted, 2, "")}, want: "True PartiallyAccepted refused on n1: FRR: no", nodes: 2, accepted: 1},
		"tried on one":     {selects: []string{"n1", "n2"}, reports: map[string]NodeReport{"n1": nodeSays(pending, 2, ""), "n2": nodeSays(accepted, 2, "")}, want: "Unknown SnippetPending not tried yet on n1", nodes: 2, accepted: 1},
		"can't be tried":   {selects: []string{"n1"}, reports: map[string]NodeReport{"n1": nodeSays(pending, 2, "SnippetPending")}, want: "Unknown SnippetPending not tried on n1: FRR: no", nodes: 1},
		"edited since":     {selects: []string{"n1"}, reports: map[string]NodeReport{"n1": nodeSays(refused, 1, "SnippetRefused")}, want: "Unknown SnippetPending not tried yet on n1", nodes: 1},
		"never heard of":   {selects: []string{"n1"}, want: "Unknown SnippetPending not tried yet on n1", nodes: 1},
		"wrong everywhere": {selects: nil, global: static, static: map[string]bool{"n1": true}, want: "False InvalidSnippet line 1", nodes: 1},
		"wrong on one":     {selects: []string{"n2"}, static: map[string]bool{"n1": true}, reports: map[string]NodeReport{"n2": nodeSays(accepted, 2, "")}, want: "True PartiallyAccepted refused on n1: line 1", nodes: 2, accepted: 1},
	} {
		fleet := &Fleet{Global: &compile.Policy{Issues: c.global}, Reports: c.reports}
		for node := range c.static {
			fleet.Policies = append(fleet.Policies, &compile.Policy{Node: node, Issues: static})
		}
		for _, node := range c.selects {
			fleet.Policies = append(fleet.Policies, &compile.Policy{Node: node, Snippets: []compile.Snippet{{Name: "a", Generation: 2}}})
		}
		object := &v1alpha1.FRRSnippet{ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 2}}
		if !ApplySnippet(object, fleet) || ApplySnippet(object, fleet) {
			t.Errorf("%s: not changed once", name)
		}
		object.Status.Conditions[0].ObservedGeneration--
		check(t, object.Status.Conditions, v1alpha1.ConditionAccepted, c.want)
		if object.Status.NodesSelected != c.nodes || object.Status.NodesAccepted != c.accepted {
			t.Errorf("%s: %d nodes, %d accepted", name, object.Status.NodesSelected, object.Status.NodesAccepted)
		}
	}
}
