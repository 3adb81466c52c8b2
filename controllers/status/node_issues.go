package status

import (
	"cmp"
	"slices"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
)

// nodeIssues are those that there is room for, what matters most first, and counts of the
// others by reason. Others than people read them: whoever drains asks whether a node's
// relay is pending, the manager which nodes refuse an object.
func nodeIssues(issues []compile.Issue) (told []v1alpha1.NodeIssue, leftOut []v1alpha1.IssueCount) {
	issues = slices.Clone(issues)
	slices.SortStableFunc(issues, func(a, b compile.Issue) int { return cmp.Compare(rankOf(a), rankOf(b)) })
	for _, issue := range issues {
		if len(told) == maxIssues {
			leftOut = counted(leftOut, issue.Reason)
			continue
		}
		told = append(told, v1alpha1.NodeIssue{
			Kind: issue.Object.Kind, Namespace: issue.Object.Namespace, Name: issue.Object.Name,
			Reason: issue.Reason, Message: shorten(issue.Message, maxText),
		})
	}
	slices.SortFunc(leftOut, func(a, b v1alpha1.IssueCount) int { return strings.Compare(a.Reason, b.Reason) })
	return told, leftOut
}

// idle reasons are those of objects that are in force: something about them does nothing.
var idle = []string{v1alpha1.ReasonOverruled, v1alpha1.ReasonNoEffect, v1alpha1.ReasonSnippetPending}

// rankOf an issue, the lowest first: the node as a whole, objects that are refused, others,
// and single Services, of which there may be thousands.
func rankOf(issue compile.Issue) int {
	switch {
	case issue.Object.Kind == "Node":
		return 0
	case issue.Object.Kind == "Service" && issue.Reason == v1alpha1.ReasonGateRefused:
		return 3
	case issue.Object.Kind == "Service":
		return 4
	case slices.Contains(idle, issue.Reason):
		return 2
	default:
		return 1
	}
}

func counted(counts []v1alpha1.IssueCount, reason string) []v1alpha1.IssueCount {
	at := slices.IndexFunc(counts, func(c v1alpha1.IssueCount) bool { return c.Reason == reason })
	if at < 0 {
		return append(counts, v1alpha1.IssueCount{Reason: reason, Count: 1})
	}
	counts[at].Count++
	return counts
}
