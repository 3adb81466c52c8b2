package status

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
)

// ApplySnippet writes a FRRSnippet's status and says whether that changed anything.
func ApplySnippet(snippet *v1alpha1.FRRSnippet, fleet *Fleet) bool {
	nodes := fleet.snippetNodes(snippet)
	status := &snippet.Status
	changed := status.NodesSelected != int32(nodes.selected) || status.NodesAccepted != int32(len(nodes.accepted))
	status.NodesSelected, status.NodesAccepted = int32(nodes.selected), int32(len(nodes.accepted))
	accepted := nodes.verdict()
	if issues := fleet.globalIssues(kindSnippet, snippet.Name); len(issues) > 0 {
		accepted = no(issues[0].Reason, issueTexts(issues))
	}
	return set(&status.Conditions, v1alpha1.ConditionAccepted, snippet.Generation, accepted) || changed
}

// snippetNodes are the nodes that a snippet selects, by what became of it there.
type snippetNodes struct {
	selected                    int
	accepted, refused, untested []string
	// causes of refusals, and why it can't be tried.
	causes, delays []compile.Issue
}

func (f *Fleet) snippetNodes(object *v1alpha1.FRRSnippet) snippetNodes {
	var nodes snippetNodes
	for _, policy := range f.Policies {
		static := issuesOf(policy, kindSnippet, object.Name)
		wanted := slices.ContainsFunc(policy.Snippets, func(s compile.Snippet) bool { return s.Name == object.Name })
		if !wanted && len(static) == 0 {
			continue
		}
		nodes.selected++
		switch {
		case !wanted:
			nodes.refuse(policy.Node, static)
		default:
			nodes.add(policy.Node, object, f.Reports[policy.Node])
		}
	}
	return nodes
}

// add takes what a node says; what it says of an older generation doesn't count.
func (n *snippetNodes) add(node string, object *v1alpha1.FRRSnippet, report NodeReport) {
	state := v1alpha1.NodeSnippetPending
	for _, s := range report.Snippets {
		if s.Name == object.Name && s.Generation == object.Generation {
			state = s.State
		}
	}
	var told []compile.Issue
	for _, issue := range report.Issues {
		if issue.Kind == kindSnippet && issue.Name == object.Name {
			told = append(told, compile.Issue{Reason: issue.Reason, Message: issue.Message})
		}
	}
	switch state {
	case v1alpha1.NodeSnippetAccepted:
		n.accepted = append(n.accepted, node)
	case v1alpha1.NodeSnippetRefused:
		n.refuse(node, told)
	case v1alpha1.NodeSnippetPending:
		n.untested = append(n.untested, node)
		n.delays = add(n.delays, slices.DeleteFunc(told, func(i compile.Issue) bool { return i.Reason != v1alpha1.ReasonSnippetPending }))
	}
}

func (n *snippetNodes) refuse(node string, causes []compile.Issue) {
	n.refused = append(n.refused, node)
	n.causes = add(n.causes, causes)
}

// add appends what isn't there yet: nodes mostly say the same.
func add(to, more []compile.Issue) []compile.Issue {
	for _, issue := range more {
		if !slices.Contains(to, issue) {
			to = append(to, issue)
		}
	}
	return to
}

func (n *snippetNodes) verdict() verdict {
	switch {
	case n.selected == 0:
		return yes(v1alpha1.ReasonAccepted, "selects no node: nothing was tried")
	case len(n.refused) > 0 && len(n.accepted) > 0:
		return yes(v1alpha1.ReasonPartiallyAccepted, fmt.Sprintf("refused on %s: %s", listed(n.refused, ", "), issueTexts(n.causes)))
	case len(n.refused) > 0:
		reason := v1alpha1.ReasonSnippetRefused
		if len(n.causes) > 0 {
			reason = n.causes[0].Reason
		}
		return no(reason, fmt.Sprintf("refused on %s: %s", listed(n.refused, ", "), issueTexts(n.causes)))
	case len(n.untested) > 0 && len(n.delays) > 0:
		return verdict{metav1.ConditionUnknown, v1alpha1.ReasonSnippetPending, fmt.Sprintf("not tried on %s: %s", listed(n.untested, ", "), issueTexts(n.delays))}
	case len(n.untested) > 0:
		return verdict{metav1.ConditionUnknown, v1alpha1.ReasonSnippetPending, "not tried yet on " + listed(n.untested, ", ")}
	default:
		return yes(v1alpha1.ReasonAccepted, "in force on every node that it selects")
	}
}
