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

func newRoutesCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	q := newQuestion(streams, kube)
	q.watched = append(q.watched, decisive()...)
	var node, service string
	command := q.command(&cobra.Command{
		Use:   "routes [--node NODE] [--service NAME]",
		Short: "Show what each node announces to whom",
		Long: `Show the prefixes that each node announces, to which router, with which
attributes. It is what the nodes' agents decide by the same objects; whether the
router is told is what they report of the session.

The exit code is 1 if a route that is shown is not announced.`,
		Example: `  kubectl herald routes --node n1
  kubectl herald routes --service shop/web -o wide`,
		Args: noArguments,
	})
	command.Flags().StringVar(&node, "node", "", "routes of this node only")
	command.Flags().StringVar(&service, "service", "", "routes of this Service only: NAME, or NAMESPACE/NAME")
	q.ask = func(_ context.Context, in explain.Input) (answer, error) {
		list, err := explain.Routes(in, node)
		if err != nil {
			return answer{}, err
		}
		if service != "" {
			namespace, name := q.input.serviceName(service)
			list.Routes = slices.DeleteFunc(list.Routes, func(r explain.Route) bool { return !slices.Contains(r.Services, namespace+"/"+name) })
		}
		return answer{
			data: list,
			print: func(out io.Writer, style style) error {
				if err := printRoutes(out, style, list.Routes); err != nil {
					return err
				}
				return printUnnamed(out, style, list.Unnamed)
			},
			found: slices.ContainsFunc(list.Routes, func(r explain.Route) bool { return r.State != explain.Announced }),
		}, nil
	}
	return command
}

// serviceName reads NAME, NAMESPACE/NAME, service/NAME and svc/NAME.
func (i *input) serviceName(text string) (namespace, name string) {
	before, after, both := strings.Cut(text, "/")
	switch {
	case !both:
		return cmp.Or(i.namespace(), "default"), text
	case before == "service" || before == "svc" || before == "services":
		return i.serviceName(after)
	default:
		return before, after
	}
}

func printRoutes(out io.Writer, style style, routes []explain.Route) error {
	if len(routes) == 0 {
		_, err := fmt.Fprintln(out, "no routes")
		return err
	}
	header := []string{"NODE", "PREFIX", "PEER", "SESSION", "STATE", "ATTRIBUTES"}
	if style.wide {
		header = []string{"NODE", "PREFIX", "PEER", "ADDRESS", "VRF", "SESSION", "STATE", "SERVICES", "ATTRIBUTES"}
	}
	t := style.table(header...)
	for i := range routes {
		r := &routes[i]
		if style.wide {
			t.add(r.Node, r.Prefix, r.Peer, cmp.Or(r.Address, none), cmp.Or(r.VRF, none), r.Session, string(r.State), strings.Join(r.Services, ","), attributesText(r.Attributes))
		} else {
			t.add(r.Node, r.Prefix, r.Peer, r.Session, string(r.State), attributesText(r.Attributes))
		}
	}
	return t.print(out)
}

// printUnnamed says what the table doesn't.
func printUnnamed(out io.Writer, style style, unnamed []explain.Unnamed) error {
	tell := func(format string, args ...any) error {
		for i, line := range wrap(printable(fmt.Sprintf(format, args...)), max(style.width-2, 0)) {
			if i > 0 {
				line = "  " + line
			}
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
		return nil
	}
	for _, more := range unnamed {
		if more.Kept > 0 {
			if err := tell("%s drains, and still announces %s more than BGPNode %s names, as no other node can (status.drain.lastHolderOf): their routes are not shown",
				more.Node, count(more.Kept, "Service"), more.Node); err != nil {
				return err
			}
		}
		if more.HeldBack > 0 {
			if err := tell("%s holds back %s more than BGPNode %s names, until its dataplane serves them (status.heldBack): their routes are shown as if they were announced",
				more.Node, count(more.HeldBack, "Service"), more.Node); err != nil {
				return err
			}
		}
	}
	return nil
}

func attributesText(a explain.Attributes) string {
	var parts []string
	add := func(format string, value any) { parts = append(parts, fmt.Sprintf(format, value)) }
	if len(a.Communities) > 0 {
		add("communities %s", strings.Join(a.Communities, " "))
	}
	if len(a.LargeCommunities) > 0 {
		add("large-communities %s", strings.Join(a.LargeCommunities, " "))
	}
	if a.LocalPref != nil {
		add("local-pref %d", *a.LocalPref)
	}
	if a.MED != nil {
		add("med %d", *a.MED)
	}
	if a.Prepend > 0 {
		add("prepend ×%d", a.Prepend)
	}
	if a.NextHop != "" {
		add("next-hop %s", a.NextHop)
	}
	if a.Bandwidth > 0 {
		add("bandwidth %d Mbit/s", a.Bandwidth)
	}
	return cmp.Or(strings.Join(parts, ", "), none)
}
