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
		flows := flowsOf(in.States.Nodes)
		return answer{
			data:  flows,
			print: func(out io.Writer, style style) error { return printFlows(out, style, flows) },
			found: slices.ContainsFunc(flows, func(f nodeFlows) bool { return f.Ready != string(metav1.ConditionTrue) }),
		}, nil
	}
	return command
}

func flowsOf(nodes map[string]*v1alpha1.BGPNode) []nodeFlows {
	flows := []nodeFlows{}
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		f := nodeFlows{Node: name, Relay: nodes[name].Status.Relay, Ready: v1alpha1.ReasonRelayNotReporting}
		if condition := meta.FindStatusCondition(nodes[name].Status.Conditions, v1alpha1.ConditionRelayReady); condition != nil {
			f.Ready, f.Message = condition.Reason, condition.Message
			if condition.Status == metav1.ConditionTrue {
				f.Ready, f.Message = string(metav1.ConditionTrue), ""
			}
		}
		flows = append(flows, f)
	}
	return flows
}

func printFlows(out io.Writer, style style, flows []nodeFlows) error {
	if len(flows) == 0 {
		_, err := fmt.Fprintln(out, "no nodes")
		return err
	}
	header := []string{"NODE", "LEARNING", "OWNED", "LEARNED", "RELAYED", "FLOODED", "CLAIMED", "UNCLAIMED", "READY"}
	if style.wide {
		header = []string{"NODE", "LEARNING", "PATH-MTU", "LEAVING", "OWNED", "LEARNED", "RELAYED", "FLOODED", "CLAIMED", "UNCLAIMED", "LIMITED", "MTU-FLOODED", "MTU-ACCEPTED", "READY"}
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
		row = append(row, n(r.OwnedConnections), n(r.LearnedFlows), n(r.Relayed), n(r.Flooded), n(r.Claimed), n(r.Unclaimed))
		if style.wide {
			row = append(row, n(r.Limited), n(r.PathMTUFlooded), n(r.PathMTUAccepted))
		}
		t.add(append(row, f.Ready)...)
	}
	if err := t.print(out); err != nil {
		return err
	}
	for _, f := range flows {
		if f.Message != "" {
			if _, err := fmt.Fprintf(out, "%s: %s\n", f.Node, printable(f.Message)); err != nil {
				return err
			}
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
