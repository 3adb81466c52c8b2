package status

import (
	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/snippet"
)

// nodeSnippets say what became of the node's snippets, and what is to be said of
// those that FRR doesn't take. The report may be about a text of before.
func nodeSnippets(view View) ([]v1alpha1.NodeSnippet, []compile.Issue) {
	var states []v1alpha1.NodeSnippet
	var issues []compile.Issue
	for _, wanted := range view.Result.Snippets {
		state := v1alpha1.NodeSnippet{Name: wanted.Name, Generation: wanted.Generation, State: v1alpha1.NodeSnippetPending}
		issue := compile.Issue{Object: compile.ObjectRef{Kind: kindSnippet, Name: wanted.Name}}
		switch found := reported(view.Report, wanted); {
		case found.State == report.SnippetAccepted:
			state.State = v1alpha1.NodeSnippetAccepted
		case found.State == report.SnippetRefused:
			state.State = v1alpha1.NodeSnippetRefused
			problem := snippet.Problem{Line: found.Line, Text: found.Text, Why: found.Error}
			issue.Reason, issue.Message = v1alpha1.ReasonSnippetRefused, "spec.config: "+problem.Error()
		case found.Error != "":
			issue.Reason = v1alpha1.ReasonSnippetPending
			issue.Message = "it could not be tried, and is again in a minute: " + found.Error
		}
		states = append(states, state)
		if issue.Reason != "" {
			issues = append(issues, issue)
		}
	}
	return states, issues
}

// reported is what the reloader says of exactly this text.
func reported(seen *report.Report, wanted compile.Snippet) report.Snippet {
	if seen != nil {
		hash := snippet.Snippet{Name: wanted.Name, Lines: wanted.Lines}.Hash()
		for _, s := range seen.Snippets {
			if s.Name == wanted.Name && s.Hash == hash {
				return s
			}
		}
	}
	return report.Snippet{}
}
