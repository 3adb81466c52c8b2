package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// summary is what status prints as JSON.
type summary struct {
	Nodes    nodeCounts    `json:"nodes"`
	Sessions sessionCounts `json:"sessions"`
	Services serviceCounts `json:"services"`
	Pools    []poolSummary `json:"pools"`
	Problems []problem     `json:"problems"`
}

type nodeCounts struct {
	// Total are the Nodes of the cluster; Reporting those with a BGPNode.
	Total      int      `json:"total"`
	Reporting  int      `json:"reporting"`
	Ready      int      `json:"ready"`
	Programmed int      `json:"programmed"`
	FRR        []string `json:"frrVersions"`
	// Draining are those that drain, each with how far it is.
	Draining []drainingNode `json:"draining,omitempty"`
}

type drainingNode struct {
	Name  string              `json:"name"`
	Stage v1alpha1.DrainStage `json:"stage"`
	// Safe to shut down.
	Safe bool `json:"safeToShutdown"`
	// Progress in words.
	Progress string `json:"progress"`
}

type sessionCounts struct {
	Total       int `json:"total"`
	Established int `json:"established"`
}

type serviceCounts struct {
	// Total are the Services that are Herald's to announce.
	Total     int `json:"total"`
	Allocated int `json:"allocated"`
	Announced int `json:"announced"`
}

type poolSummary struct {
	Name   string                 `json:"name"`
	IPv4   *v1alpha1.AddressCount `json:"ipv4,omitempty"`
	IPv6   *v1alpha1.AddressCount `json:"ipv6,omitempty"`
	Reason string                 `json:"reason,omitempty"`
}

type problem struct {
	Object  string `json:"object"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func newStatusCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	q := newQuestion(streams, kube)
	q.watched = append(q.watched,
		&v1alpha1.HeraldList{}, &v1alpha1.IPAddressPoolList{}, &v1alpha1.BGPPeerList{}, &v1alpha1.BGPAdvertisementList{},
		&v1alpha1.CommunityList{}, &v1alpha1.BFDProfileList{}, &v1alpha1.FRRSnippetList{}, &v1alpha1.FlowPolicyList{}, &corev1.ServiceList{})
	q.ask = func(_ context.Context, in explain.Input) (answer, error) {
		s := summaryOf(in)
		return answer{
			data:  s,
			print: func(out io.Writer, style style) error { return printSummary(out, style, s) },
			found: len(s.Problems) > 0,
		}, nil
	}
	return q.command(&cobra.Command{
		Use:   "status",
		Short: "Show the state of Herald in the cluster, and what is wrong",
		Long: `Show how many nodes, sessions, Services and addresses there are, and everything
that is wrong: nodes that don't report or don't run what they should, sessions that
are down, objects that are refused, Services without an address or a route.

The exit code is 1 if anything is wrong.`,
		Args: noArguments,
	})
}

func summaryOf(in explain.Input) *summary {
	s := &summary{Pools: []poolSummary{}, Problems: []problem{}}
	s.addNodes(in)
	s.addSessions(in.States)
	s.addServices(in.Objects.Services, in.Objects.Settings())
	for _, pool := range in.Objects.Pools {
		condition := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionAccepted)
		entry := poolSummary{Name: pool.Name, IPv4: pool.Status.IPv4, IPv6: pool.Status.IPv6}
		if condition != nil {
			entry.Reason = condition.Reason
		}
		s.Pools = append(s.Pools, entry)
	}
	slices.SortFunc(s.Pools, func(a, b poolSummary) int { return cmp.Compare(a.Name, b.Name) })
	s.addRefused(in.Objects)
	return s
}

func (s *summary) problem(object, reason, message string) {
	s.Problems = append(s.Problems, problem{Object: object, Reason: reason, Message: message})
}

func (s *summary) has(object, reason string) bool {
	return slices.ContainsFunc(s.Problems, func(p problem) bool { return p.Object == object && p.Reason == reason })
}

func (s *summary) addNodes(in explain.Input) {
	versions := map[string]bool{}
	names, leftOut := in.Objects.NodeNames(), in.Objects.LeftOut()
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool { return in.States.Nodes[name] == nil && leftOut[name] != "" })
	s.Nodes.Total = len(names)
	for _, name := range names {
		node := in.States.Nodes[name]
		if node == nil {
			s.problem("Node/"+name, explain.ReasonNotReported, "no agent has reported of this node: does a herald-agent pod run on it?")
			continue
		}
		s.Nodes.Reporting++
		if node.Status.FRRVersion != "" {
			versions[node.Status.FRRVersion] = true
		}
		if drain := node.Status.Drain; drain != nil {
			safe := meta.IsStatusConditionTrue(node.Status.Conditions, v1alpha1.ConditionSafeToShutdown)
			s.Nodes.Draining = append(s.Nodes.Draining, drainingNode{Name: name, Stage: drain.Stage, Safe: safe, Progress: progress(node)})
		}
		if s.check(node, v1alpha1.ConditionReady) {
			s.Nodes.Ready++
		}
		if s.check(node, v1alpha1.ConditionProgrammed) {
			s.Nodes.Programmed++
		}
	}
	s.Nodes.FRR = slices.Sorted(maps.Keys(versions))
}

// check says whether a node's condition is True, and what is wrong if not.
func (s *summary) check(node *v1alpha1.BGPNode, kind string) bool {
	condition := meta.FindStatusCondition(node.Status.Conditions, kind)
	if condition == nil {
		return false
	}
	if object := "BGPNode/" + node.Name; condition.Status != metav1.ConditionTrue && !s.has(object, condition.Reason) {
		s.problem(object, condition.Reason, condition.Message)
	}
	return condition.Status == metav1.ConditionTrue
}

func (s *summary) addSessions(states *offline.States) {
	for _, session := range sessionsOf(states, func(*v1alpha1.BGPSession) bool { return true }) {
		s.Sessions.Total++
		if isUp(session) {
			s.Sessions.Established++
			continue
		}
		if session.Status.State == v1alpha1.SessionUnknown {
			continue // its node is among the problems
		}
		message := fmt.Sprintf("node %s with peer %s at %s: %s for %s", session.Spec.Node, session.Spec.Peer, session.Status.Address, session.Status.State, age(session.Status.Since))
		if reset := session.Status.LastReset; reset != nil {
			message += ", last: " + reset.Reason
		}
		s.problem("BGPSession/"+session.Name, explain.ReasonSessionDown, message)
	}
}

func (s *summary) addServices(services []*corev1.Service, settings *snapshot.Settings) {
	for _, service := range services {
		if !settings.IsHeralds(service) {
			continue
		}
		s.Services.Total++
		allocated := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionAllocated)
		announced := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionAnnounced)
		object := "Service/" + service.Namespace + "/" + service.Name
		if allocated != nil && allocated.Status == metav1.ConditionTrue {
			s.Services.Allocated++
		} else if allocated != nil {
			s.problem(object, allocated.Reason, allocated.Message)
			continue
		}
		if announced != nil && announced.Status == metav1.ConditionTrue {
			s.Services.Announced++
		} else if announced != nil {
			s.problem(object, announced.Reason, announced.Message)
		}
	}
}

// addRefused adds what is refused, wholly or in part, of the objects that
// operators write.
func (s *summary) addRefused(o *offline.Objects) {
	add := func(kind, name string, conditions []metav1.Condition) {
		condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionAccepted)
		if condition != nil && condition.Status == metav1.ConditionFalse {
			s.problem(kind+"/"+name, condition.Reason, condition.Message)
		}
	}
	before := len(s.Problems)
	for _, object := range o.Pools {
		add("IPAddressPool", object.Name, object.Status.Conditions)
	}
	for _, object := range o.Peers {
		add("BGPPeer", object.Name, object.Status.Conditions)
	}
	for _, object := range o.Advertisements {
		add("BGPAdvertisement", object.Name, object.Status.Conditions)
	}
	for _, object := range o.Profiles {
		add("BFDProfile", object.Name, object.Status.Conditions)
	}
	for _, object := range o.Communities {
		add("Community", object.Name, object.Status.Conditions)
	}
	for _, object := range o.Snippets {
		add("FRRSnippet", object.Name, object.Status.Conditions)
	}
	for _, object := range o.FlowPolicies {
		add("FlowPolicy", object.Name, object.Status.Conditions)
	}
	for _, object := range o.Heralds {
		add("Herald", object.Name, object.Status.Conditions)
		ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
		// What is wrong on nodes is said of each.
		if ready != nil && ready.Status == metav1.ConditionFalse && ready.Reason != v1alpha1.ReasonNodesNotReady {
			s.problem("Herald/"+object.Name, ready.Reason, ready.Message)
		}
	}
	slices.SortFunc(s.Problems[before:], func(a, b problem) int { return cmp.Compare(a.Object, b.Object) })
}

func printSummary(out io.Writer, style style, s *summary) error {
	line := func(what, format string, args ...any) {
		fmt.Fprintf(out, "%-10s"+format+"\n", append([]any{what}, args...)...)
	}
	versions := ""
	for _, version := range s.Nodes.FRR {
		versions += ", FRR " + version
	}
	line("Nodes", "%d, %d ready, %d programmed%s", s.Nodes.Total, s.Nodes.Ready, s.Nodes.Programmed, versions)
	for i, node := range s.Nodes.Draining {
		what := "Draining"
		if i > 0 {
			what = ""
		}
		for j, text := range wrap(node.Name+": "+node.Progress, max(style.width-10, 0)) {
			if j > 0 {
				what, text = "", "  "+text
			}
			line(what, "%s", text)
		}
	}
	line("Sessions", "%d, %d Established", s.Sessions.Total, s.Sessions.Established)
	line("Services", "%d, %d with their addresses, %d announced", s.Services.Total, s.Services.Allocated, s.Services.Announced)
	for i, pool := range s.Pools {
		what := "Pools"
		if i > 0 {
			what = ""
		}
		text := pool.Name
		for _, family := range familiesOf(&v1alpha1.IPAddressPoolStatus{IPv4: pool.IPv4, IPv6: pool.IPv6}) {
			if family.name != none {
				text += fmt.Sprintf(", %s: %s of %s assigned", family.name, family.Assigned, family.Total)
			}
		}
		line(what, "%s", printable(text))
	}
	if len(s.Problems) == 0 {
		_, err := fmt.Fprintln(out, "\nNothing is wrong.")
		return err
	}
	fmt.Fprintf(out, "\n%s:\n", count(len(s.Problems), "problem"))
	t := style.table("OBJECT", "REASON", "MESSAGE")
	for _, p := range s.Problems {
		t.add(p.Object, p.Reason, p.Message)
	}
	return t.print(out)
}
