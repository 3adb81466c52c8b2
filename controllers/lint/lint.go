package lint

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/status"
)

// Input is what is looked at.
type Input struct {
	Manifests []offline.Manifest
	// Cluster's objects that the manifests would be applied over; nil for none.
	Cluster *offline.Objects
	Reader  offline.Reader
	// Assume is what the manifests don't say.
	Assume offline.Assumptions
	// Annotations of Services that the manager reads.
	Annotations status.Annotations
}

// Report is what was found.
type Report struct {
	// Findings in a fixed order: by object, then errors first.
	Findings []Finding
	// Notes say what was assumed, and what could not be looked at.
	Notes []string
}

// Lint looks at everything. The error is the program's own.
func Lint(ctx context.Context, input Input) (*Report, error) {
	// 1. What the API server would refuse.
	refused, err := checkManifests(ctx, input.Manifests)
	if err != nil {
		return nil, err
	}
	objects, problems := input.Reader.Read(input.Manifests)
	findings := append(slices.Clone(refused), unsaid(problemFindings(problems), refused)...)
	findings = append(findings, secretsElsewhere(objects, &input.Assume)...)
	sources := map[compile.ObjectRef]string{}
	for _, manifest := range input.Manifests {
		sources[offline.RefOf(input.Reader.Complete(manifest))] = manifest.Source
	}
	if input.Cluster != nil {
		objects = objects.Over(input.Cluster)
	}
	// 2. What the manager would not give.
	for _, pending := range objects.Allocate(input.Annotations) {
		ref := compile.ObjectRef{Kind: "Service", Namespace: pending.Service.Namespace, Name: pending.Service.Name}
		findings = append(findings, about(ref, Error, pending.Reason, pending.Message))
	}
	// 3. What the nodes would refuse.
	world := offline.NewWorld(objects, input.Assume)
	onNodes, notes := checkNodes(world)
	findings = append(findings, withoutRepeats(onNodes, refused)...)
	// 4. What the nodes say already.
	findings = append(findings, relays(objects)...)
	for i := range findings {
		if f := &findings[i]; f.Source == "" {
			f.Source = sources[f.ref()]
		}
	}
	sortFindings(findings)
	return &Report{Findings: findings, Notes: append(world.Notes, notes...)}, nil
}

// unsaid leaves out that an object can't be read where the API server says why.
func unsaid(found, refused []Finding) []Finding {
	return slices.DeleteFunc(found, func(f Finding) bool {
		return f.Reason == ReasonUnreadable && slices.ContainsFunc(refused, func(r Finding) bool { return f.ref() == r.ref() })
	})
}

// withoutRepeats leaves out what the API server says already of the same field.
func withoutRepeats(found, refused []Finding) []Finding {
	return slices.DeleteFunc(found, func(f Finding) bool {
		return slices.ContainsFunc(refused, func(r Finding) bool { return f.Field != "" && f.Field == r.Field && f.ref() == r.ref() })
	})
}

// secretsElsewhere are Secrets that peers name, in a namespace where Herald
// doesn't read them. They show that the manifests are meant to have the Secrets.
func secretsElsewhere(objects *offline.Objects, assume *offline.Assumptions) []Finding {
	namespace := assume.SecretsNamespace
	if namespace == "" {
		namespace = v1alpha1.DefaultSecretsNamespace
	}
	var findings []Finding
	for _, secret := range objects.Secrets {
		named := slices.ContainsFunc(objects.Peers, func(p *v1alpha1.BGPPeer) bool {
			return p.Spec.PasswordSecret != nil && p.Spec.PasswordSecret.Name == secret.Name
		})
		there := slices.ContainsFunc(objects.Secrets, func(s *corev1.Secret) bool { return s.Name == secret.Name && s.Namespace == namespace })
		if !named || there || secret.Namespace == namespace {
			continue
		}
		assume.SecretsKnown = true
		ref := compile.ObjectRef{Kind: "Secret", Namespace: secret.Namespace, Name: secret.Name}
		findings = append(findings, about(ref, Error, ReasonOtherNamespace, fmt.Sprintf(
			"metadata.namespace: a BGPPeer names this Secret, but Herald reads only those in namespace %s: put it there", namespace)))
	}
	return findings
}

// checkNodes asks compile for every node, and says what the Nodes' absence
// keeps it from seeing.
func checkNodes(world *offline.World) (findings []Finding, notes []string) {
	nodes := world.Nodes()
	global := compile.Compile(world.NoNode())
	for _, issue := range global.Issues {
		findings = append(findings, issueFinding(issue))
	}
	if len(nodes) == 0 {
		notes = append(notes, "no Node is given: only what holds on any node is checked; add them (kubectl get nodes -o yaml) or use --live to have every node's configuration checked")
		return appendNew(findings, anyNode(world)), notes
	}
	perNode := newByNode(global.Issues)
	for _, node := range nodes {
		result, err := world.Compile(node)
		if err != nil {
			continue // it is one of the world's own nodes
		}
		perNode.add(node, result)
	}
	findings = append(findings, perNode.findings(len(nodes))...)
	return append(findings, unselected(world, perNode)...), notes
}

// notOnAnyNode are reasons that depend on values that only a real node has.
var notOnAnyNode = []string{
	v1alpha1.ReasonNoNextHop, v1alpha1.ReasonNodeValueMissing, v1alpha1.ReasonNodeValueInvalid,
}

// anyNode is what a node without labels would refuse: what selects all nodes
// meets there.
func anyNode(world *offline.World) []Finding {
	var findings []Finding
	for _, issue := range compile.Compile(world.AnyNode()).Issues {
		if !slices.Contains(notOnAnyNode, issue.Reason) {
			findings = append(findings, issueFinding(issue))
		}
	}
	return findings
}

func appendNew(findings, more []Finding) []Finding {
	for _, finding := range more {
		if !slices.ContainsFunc(findings, func(f Finding) bool {
			return f.ref() == finding.ref() && f.Reason == finding.Reason && f.Message == finding.Message
		}) {
			findings = append(findings, finding)
		}
	}
	return findings
}

func issueFinding(issue compile.Issue) Finding {
	level := Error
	if compile.IsNote(issue.Reason) {
		level = Note
	}
	return about(issue.Object, level, issue.Reason, issue.Message)
}

// unselected are the peers that no node has, although nothing refuses them.
func unselected(world *offline.World, nodes *byNode) []Finding {
	var findings []Finding
	for _, peer := range world.Peers() {
		if nodes.peers[peer] || nodes.named[peer] {
			continue
		}
		ref := compile.ObjectRef{Kind: "BGPPeer", Name: peer}
		findings = append(findings, about(ref, Note, ReasonNoNode, fmt.Sprintf(
			"spec.nodeSelectors match none of the Nodes (%s): correct them, or label the nodes", strings.Join(atMost(world.Nodes(), 5), ", "))))
	}
	return findings
}

func atMost(names []string, n int) []string {
	if len(names) > n {
		return append(slices.Clone(names[:n]), fmt.Sprintf("and %d more", len(names)-n))
	}
	return names
}
