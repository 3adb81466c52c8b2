package status

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
)

// Fleet is what all nodes should do, by compile, and what they report. It is for
// reading only.
type Fleet struct {
	// Global is the policy of no node: its issues are those that an object has on
	// every node and before there is any.
	Global *compile.Policy
	// Policies of the nodes, by name.
	Policies []*compile.Policy
	// Reports by node; a node without a BGPNode has none.
	Reports map[string]NodeReport
	// NoHerald: there is no Herald object, so that agents tell relays to do nothing.
	NoHerald bool
	// Established sessions; other sessions may be absent.
	Established map[SessionKey]bool
}

// SessionKey names the session of a node with a peer.
type SessionKey struct {
	Node, Peer string
}

// NodeReport is what matters of a BGPNode.
type NodeReport struct {
	// Programmed: FRR runs what the agent wants.
	Programmed bool
	// Issues that the node alone can know (a peer's Secret), and others.
	Issues []v1alpha1.NodeIssue
	// Snippets that the node has, with what FRR says of them.
	Snippets []v1alpha1.NodeSnippet
	// Withdrawn: it has given up its routes, but for those of Kept, and Unnamed more.
	Withdrawn bool
	Kept      []string
	Unnamed   int
	// Relay is what the node's relay does.
	Relay relayReport
}

// ReportOf is what matters of a BGPNode.
func ReportOf(node *v1alpha1.BGPNode) NodeReport {
	report := NodeReport{
		Programmed: meta.IsStatusConditionTrue(node.Status.Conditions, v1alpha1.ConditionProgrammed),
		Issues:     node.Status.Issues,
		Snippets:   node.Status.Snippets,
		Withdrawn:  HasWithdrawn(node.Status.Drain),
		Relay:      relayReportOf(node),
	}
	if report.Withdrawn && node.Status.Drain.LastHolderOf != nil {
		held := node.Status.Drain.LastHolderOf
		report.Kept, report.Unnamed = held.Services, int(held.Total)-len(held.Services)
	}
	return report
}

// announces says whether a node that should, by compile, announces a Service: it
// doesn't drain, or it must keep it.
func (r NodeReport) announces(service types.NamespacedName) bool {
	return !r.Withdrawn || slices.Contains(r.Kept, service.String())
}

// Equal says whether two reports say the same.
func (r NodeReport) Equal(other NodeReport) bool {
	return r.Programmed == other.Programmed && slices.Equal(r.Issues, other.Issues) && r.Relay == other.Relay &&
		slices.Equal(r.Snippets, other.Snippets) && r.Withdrawn == other.Withdrawn && slices.Equal(r.Kept, other.Kept) && r.Unnamed == other.Unnamed
}

// complaint is one cause why an object is refused, and where.
type complaint struct {
	reason, message string
	// nodes that refuse it, sorted.
	nodes []string
}

func (c complaint) isNote() bool { return compile.IsNote(c.reason) }

// globalIssues of an object: the same on all nodes.
func (f *Fleet) globalIssues(kind, name string) []compile.Issue {
	return issuesOf(f.Global, kind, name)
}

func issuesOf(policy *compile.Policy, kind, name string) []compile.Issue {
	var found []compile.Issue
	for _, issue := range policy.Issues {
		if issue.Object.Kind == kind && issue.Object.Name == name {
			found = append(found, issue)
		}
	}
	return found
}

// complaints about an object by the nodes, those of most nodes first. What
// compile says here and what the node itself reports counts once.
func (f *Fleet) complaints(kind, name string) []complaint {
	type cause struct{ reason, message string }
	nodes := map[cause][]string{}
	for _, policy := range f.Policies {
		seen := map[cause]bool{}
		add := func(c cause) {
			if !seen[c] {
				seen[c] = true
				nodes[c] = append(nodes[c], policy.Node)
			}
		}
		for _, issue := range issuesOf(policy, kind, name) {
			add(cause{issue.Reason, issue.Message})
		}
		for _, issue := range f.Reports[policy.Node].Issues {
			if issue.Kind == kind && issue.Name == name {
				add(cause{issue.Reason, issue.Message})
			}
		}
	}
	all := make([]complaint, 0, len(nodes))
	for c, where := range nodes {
		all = append(all, complaint{reason: c.reason, message: c.message, nodes: where})
	}
	slices.SortFunc(all, func(a, b complaint) int {
		return cmp.Or(cmp.Compare(len(b.nodes), len(a.nodes)), cmp.Compare(a.reason, b.reason), cmp.Compare(a.message, b.message))
	})
	return all
}

// refusing are the nodes of the complaints, sorted.
func refusing(complaints []complaint) []string {
	var nodes []string
	for _, c := range complaints {
		nodes = append(nodes, c.nodes...)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// texts of complaints: the first few.
func texts(complaints []complaint) string {
	all := make([]string, 0, len(complaints))
	for _, c := range complaints {
		all = append(all, c.message)
	}
	return listed(all, "; ")
}

func issueTexts(issues []compile.Issue) string {
	all := make([]string, 0, len(issues))
	for _, issue := range issues {
		all = append(all, issue.Message)
	}
	return listed(all, "; ")
}
