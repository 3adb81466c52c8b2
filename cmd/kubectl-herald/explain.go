package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/herald-lb/herald/controllers/explain"
)

func newExplainCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	q := newQuestion(streams, kube)
	q.watched = append(q.watched, decisive()...)
	var service string
	q.ask = func(_ context.Context, in explain.Input) (answer, error) {
		namespace, name := q.input.serviceName(service)
		explanation, err := explain.Service(in, namespace, name)
		if err != nil {
			return answer{}, err
		}
		return answer{
			data:  explanation,
			print: func(out io.Writer, style style) error { return printExplanation(out, style, explanation) },
			found: explanation.State != explain.Announced,
		}, nil
	}
	return q.command(&cobra.Command{
		Use:   "explain service/NAME",
		Short: "Say for each node to whom it announces a Service, or why not",
		Long: `Say for each node to which routers it announces a Service and with which
attributes, or the first reason why not, with the remedy.

It is decided from the objects by the same rules that the nodes follow, and then
compared with what their agents report.

The exit code is 1 if no node announces it.`,
		Example: `  kubectl herald explain service/web -n shop
  kubectl herald explain shop/web -o yaml`,
		Args: func(_ *cobra.Command, arguments []string) error {
			if len(arguments) != 1 {
				return usageError{fmt.Errorf("name one Service: explain service/NAME")}
			}
			service = arguments[0]
			return nil
		},
	})
}

func printExplanation(out io.Writer, style style, e *explain.Explanation) error {
	fmt.Fprintf(out, "Service %s/%s\n", e.Namespace, e.Name)
	line := func(what, text string) {
		if text == "" {
			return
		}
		for i, part := range wrap(printable(text), max(style.width-11, 0)) {
			if i > 0 {
				what = ""
			}
			fmt.Fprintf(out, "  %-9s%s\n", what, part)
		}
	}
	line("address", cmp.Or(strings.Join(e.Addresses, ", "), "none"))
	line("pool", strings.Join(e.Pools, ", "))
	line("policy", e.Policy)
	announcing := 0
	for i := range e.Nodes {
		if e.Nodes[i].State == explain.Announced {
			announcing++
		}
	}
	switch {
	case len(e.Nodes) == 0:
		line("state", fmt.Sprintf("%s, %s: %s", e.State, e.Reason, e.Message))
		return nil
	case e.State == explain.Announced:
		line("state", fmt.Sprintf("Announced by %d of %s", announcing, count(len(e.Nodes), "node")))
	default:
		line("state", fmt.Sprintf("%s, %s: %s", e.State, e.Reason, e.Message))
	}
	fmt.Fprintln(out)
	if err := explainedNodes(style, e).print(out); err != nil {
		return err
	}
	return printNotes(out, style, e.Nodes)
}

// explainedNodes has a line for each route, or for each node without one.
func explainedNodes(style style, e *explain.Explanation) *table {
	t := style.table("NODE", "PREFIX", "PEER", "STATE", "ATTRIBUTES, OR WHY NOT")
	for i := range e.Nodes {
		node := &e.Nodes[i]
		for j := range node.Routes {
			r := &node.Routes[j]
			text := attributesText(r.Attributes)
			if r.State != explain.Announced {
				text = r.Reason + ": " + r.Message
			}
			t.add(node.Name, r.Prefix, r.Peer, string(r.State), text)
		}
		if len(node.Routes) == 0 {
			text := node.Reason
			if node.Message != "" && node.Verdict != e.Verdict {
				text += ": " + node.Message
			}
			t.add(node.Name, none, none, string(node.State), text)
		}
	}
	return t
}

// printNotes are what nodes refuse of peers and advertisements, each once.
func printNotes(out io.Writer, style style, nodes []explain.Node) error {
	var notes []string
	on := map[string][]string{}
	for i := range nodes {
		for _, text := range nodes[i].Notes {
			if on[text] == nil {
				notes = append(notes, text)
			}
			on[text] = append(on[text], nodes[i].Name)
		}
	}
	if len(notes) == 0 {
		return nil
	}
	slices.Sort(notes)
	fmt.Fprintln(out, "\nWhat nodes refuse of peers and advertisements, wholly or in part:")
	t := style.table("NODES", "OBJECT AND REASON")
	for _, text := range notes {
		t.add(nodesText(on[text]), text)
	}
	return t.print(out)
}
