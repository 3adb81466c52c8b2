package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/controllers/status"
)

// nodeFlows is what a node's relay does.
type nodeFlows struct {
	Node string `json:"node"`
	// Relay is absent where it doesn't report.
	Relay *v1alpha1.NodeRelay `json:"relay,omitempty"`
	// Ready is "True", or the reason why not, Message its cause and remedy.
	Ready   string `json:"ready"`
	Message string `json:"message,omitempty"`
}

func newFlowsCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	q := newQuestion(streams, kube)
	q.watched = append(q.watched, &v1alpha1.HeraldList{}, &v1alpha1.FlowPolicyList{})
	command := q.command(&cobra.Command{
		Use:   "flows",
		Short: "Show what each node does for displaced connections",
		Long: `Show what each node's relay does for connections that routers have moved to
another node: how many the node owns and has learned the owner of, and packets
since its rules were made. Numbers are at most a minute old.

The exit code is 1 if a node's relay doesn't do what it is to do.`,
		Example: "  kubectl herald flows\n  kubectl herald flows -o wide --watch",
		Args:    noArguments,
	})
	q.ask = func(_ context.Context, in explain.Input) (answer, error) {
		flows := flowsOf(in)
		return answer{
			data:  flows,
			print: func(out io.Writer, style style) error { return printFlows(out, style, flows) },
			found: slices.ContainsFunc(flows, func(f nodeFlows) bool { return f.Ready != string(metav1.ConditionTrue) }),
		}, nil
	}
	return command
}

func flowsOf(in explain.Input) []nodeFlows {
	flows, nodes, idle := []nodeFlows{}, in.States.Nodes, lacksHerald(in)
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		f := nodeFlows{Node: name, Relay: nodes[name].Status.Relay, Ready: v1alpha1.ReasonRelayNotReporting}
		if condition := meta.FindStatusCondition(nodes[name].Status.Conditions, v1alpha1.ConditionRelayReady); condition != nil {
			f.Ready, f.Message = condition.Reason, condition.Message
			if condition.Status == metav1.ConditionTrue {
				f.Ready, f.Message = string(metav1.ConditionTrue), ""
			}
		}
		if idle && f.Ready == string(metav1.ConditionTrue) {
			f.Ready, f.Message = v1alpha1.ReasonNoHerald, status.NoHeraldMessage
		}
		flows = append(flows, f)
	}
	return flows
}

// lacksHerald says whether there is a FlowPolicy that has no effect, as there is no Herald
// object.
func lacksHerald(in explain.Input) bool {
	return in.Objects.Settings() == nil && slices.ContainsFunc(in.Objects.FlowPolicies, func(p *v1alpha1.FlowPolicy) bool {
		return p.Spec.Mode != v1alpha1.FlowModeOff
	})
}

func printFlows(out io.Writer, style style, flows []nodeFlows) error {
	if len(flows) == 0 {
		_, err := fmt.Fprintln(out, "no nodes")
		return err
	}
	header := []string{"NODE", "LEARNING", "OWNED", "LEARNED", "RELAYED", "FLOODED", "CLAIMED", "UNCLAIMED", "READY"}
	if style.wide {
		header = []string{"NODE", "LEARNING", "PATH-MTU", "LEAVING", "OWNED", "PRESERVED", "LEARNED", "RELAYED", "FLOODED", "CLAIMED", "UNCLAIMED", "TOLD", "LIMITED", "MTU-FLOODED", "MTU-ACCEPTED", "READY"}
	}
	t := style.table(header...)
	for _, f := range flows {
		r := cmp.Or(f.Relay, &v1alpha1.NodeRelay{})
		n := func(count int64) string {
			if f.Relay == nil {
				return none
			}
			return strconv.FormatInt(count, 10)
		}
		row := []string{f.Node, onOff(f.Relay, r.Learning)}
		if style.wide {
			row = append(row, onOff(f.Relay, r.PathMTU), n(int64(r.Leaving)))
		}
		row = append(row, n(r.OwnedConnections))
		if style.wide {
			row = append(row, n(r.PreservedConnections))
		}
		row = append(row, n(r.LearnedFlows), n(r.Relayed), n(r.Flooded), n(r.Claimed), n(r.Unclaimed))
		if style.wide {
			row = append(row, n(r.Told), n(r.Limited), n(r.PathMTUFlooded), n(r.PathMTUAccepted))
		}
		t.add(append(row, f.Ready)...)
	}
	if err := t.print(out); err != nil {
		return err
	}
	said := false
	for _, f := range flows {
		line := f.Node + ": " + printable(f.Message) + "\n"
		switch {
		case f.Message == "", f.Ready == v1alpha1.ReasonNoHerald && said:
			continue
		case f.Ready == v1alpha1.ReasonNoHerald: // the same on all nodes
			line, said = f.Message+"\n", true
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return nil
}

func onOff(known *v1alpha1.NodeRelay, is bool) string {
	switch {
	case known == nil:
		return none
	case is:
		return "yes"
	default:
		return "no"
	}
}
