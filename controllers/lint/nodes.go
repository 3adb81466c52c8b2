package lint

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/compile"
)

// byNode gathers what the nodes say, so that what several of them say alike is
// told once.
type byNode struct {
	// global issues are those of no node; every node has them too.
	global map[compile.Issue]bool
	groups map[compile.Issue]*Finding
	// withheld by Service: on how many nodes, and the reason of the first one.
	withheld map[types.NamespacedName]*refusal
	// peers that some node has; named are those that an issue is about.
	peers, named map[string]bool
}

type refusal struct {
	nodes int
	why   compile.Why
}

func newByNode(global []compile.Issue) *byNode {
	b := &byNode{
		global: map[compile.Issue]bool{}, groups: map[compile.Issue]*Finding{}, withheld: map[types.NamespacedName]*refusal{},
		peers: map[string]bool{}, named: map[string]bool{},
	}
	for _, issue := range global {
		b.global[issue] = true
		b.name(issue)
	}
	return b
}

func (b *byNode) name(issue compile.Issue) {
	if issue.Object.Kind == "BGPPeer" {
		b.named[issue.Object.Name] = true
	}
}

func (b *byNode) add(node string, result *compile.Result) {
	for _, peer := range result.Origins.Peers {
		b.peers[peer] = true
	}
	for _, issue := range result.Issues {
		b.name(issue)
		if b.global[issue] {
			continue
		}
		alike := issue
		alike.Message = strings.ReplaceAll(issue.Message, strconv.Quote(node), "this node")
		group := b.groups[alike]
		if group == nil {
			finding := issueFinding(issue)
			group = &finding
			b.groups[alike] = group
		}
		group.Nodes = append(group.Nodes, node)
	}
	for _, withheld := range result.Withheld {
		if b.withheld[withheld.Service] == nil {
			b.withheld[withheld.Service] = &refusal{why: withheld.Why}
		}
		b.withheld[withheld.Service].nodes++
	}
}

// findings of all the nodes.
func (b *byNode) findings(nodes int) []Finding {
	var findings []Finding
	for _, group := range b.groups {
		slices.Sort(group.Nodes)
		findings = append(findings, *group)
	}
	for service, refused := range b.withheld {
		if refused.nodes < nodes {
			continue
		}
		ref := compile.ObjectRef{Kind: "Service", Namespace: service.Namespace, Name: service.Name}
		findings = append(findings, about(ref, Note, ReasonNotAnnounced, "no node announces it ("+string(refused.why)+"): "+refused.why.OnAll()))
	}
	return findings
}
