package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/controllers/impact"
)

// forecast of a change, for one kind of router.
type forecast struct {
	Hash impact.Hash `json:"hash"`
	// Connections that the nodes have now, BrokenWithout those of them that break
	// without flow preservation, BrokenWith with it, where no node dies, and
	// BrokenByCrash with it, where the node that goes dies. Preservation is that of the
	// FlowPolicies that there are: connections that none selects break as without.
	Connections   int64  `json:"connections"`
	BrokenWithout int64  `json:"brokenWithoutPreservation"`
	BrokenWith    *int64 `json:"brokenWithPreservation,omitempty"`
	BrokenByCrash *int64 `json:"brokenByCrashWithPreservation,omitempty"`
	// NotLearning are the nodes that preserve nothing now. While there is one, what
	// breaks with preservation isn't told: it depends on who gets what from whom.
	NotLearning []string `json:"notLearning,omitempty"`
}

func newImpactCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	q := newQuestion(streams, kube)
	q.watched = append(q.watched, &v1alpha1.HeraldList{}, &v1alpha1.FlowPolicyList{})
	var remove, hash string
	var add int
	command := q.command(&cobra.Command{
		Use:   "impact (--remove NODE | --add N) [--hash modulo|threshold|resilient]",
		Short: "Say how many connections a change of the nodes would break",
		Long: `Say how many of the present connections a change of the set of nodes would break,
without flow preservation and with it, by the connections that each node owns and by
how routers hash. Numbers are what is to be expected, for Services that all nodes
announce, and at most a minute old. docs/flow-preservation.md has the formulas.`,
		Example: "  kubectl herald impact --remove n3\n  kubectl herald impact --add 2 --hash threshold",
		Args:    noArguments,
	})
	command.Flags().StringVar(&remove, "remove", "", "this node goes")
	command.Flags().IntVar(&add, "add", 0, "so many nodes come")
	command.Flags().StringVar(&hash, "hash", "", "how the routers hash: modulo, threshold (Linux, RFC 2992) or resilient; without it all three are told")
	q.ask = func(_ context.Context, in explain.Input) (answer, error) {
		forecasts, err := forecastsOf(in.States.Nodes, remove, add, hash)
		if err != nil {
			return answer{}, err
		}
		return answer{
			data:  forecasts,
			print: func(out io.Writer, style style) error { return printForecasts(out, style, forecasts) },
		}, nil
	}
	return command
}

func forecastsOf(nodes map[string]*v1alpha1.BGPNode, remove string, add int, hash string) ([]forecast, error) {
	names := slices.Sorted(maps.Keys(nodes))
	change := impact.Change{Add: add, Remove: slices.Index(names, remove)}
	switch {
	case (remove == "") == (add == 0) || add < 0:
		return nil, usageError{errors.New("say either --remove NODE or --add N")}
	case remove != "" && change.Remove < 0:
		return nil, usageError{fmt.Errorf("--remove %s: there is no such BGPNode, only %s", remove, strings.Join(names, ", "))}
	case hash != "" && !slices.Contains(impact.Hashes, impact.Hash(hash)):
		return nil, usageError{fmt.Errorf("--hash %s: use modulo, threshold or resilient", hash)}
	}
	var connections, preserved, others []int64
	var notLearning []string
	var all int64
	for _, name := range names {
		relay := nodes[name].Status.Relay
		if relay == nil {
			return nil, fmt.Errorf("node %s doesn't say how many connections it has, as its relay doesn't report: see kubectl herald flows", name)
		}
		connections = append(connections, relay.OwnedConnections)
		preserved = append(preserved, relay.PreservedConnections)
		others = append(others, max(0, relay.OwnedConnections-relay.PreservedConnections))
		all += relay.OwnedConnections
		if !relay.Learning || !meta.IsStatusConditionTrue(nodes[name].Status.Conditions, v1alpha1.ConditionRelayReady) {
			notLearning = append(notLearning, name)
		}
	}
	var forecasts []forecast
	for _, kind := range impact.Hashes {
		if hash != "" && kind != impact.Hash(hash) {
			continue
		}
		f := forecast{Hash: kind, Connections: all, BrokenWithout: impact.Broken(kind, connections, change), NotLearning: notLearning}
		if len(notLearning) == 0 {
			with := impact.Broken(kind, others, change)
			f.BrokenWith = &with
			if remove != "" {
				crash := with + preserved[change.Remove]
				f.BrokenByCrash = &crash
			}
		}
		forecasts = append(forecasts, f)
	}
	return forecasts, nil
}

func printForecasts(out io.Writer, style style, forecasts []forecast) error {
	t := style.table("ROUTERS' HASH", "CONNECTIONS", "BROKEN WITHOUT", "WITH PRESERVATION", "IF IT CRASHES")
	for _, f := range forecasts {
		t.add(string(f.Hash), strconv.FormatInt(f.Connections, 10), fmt.Sprintf("%d (%d%%)", f.BrokenWithout, percent(f.BrokenWithout, f.Connections)),
			orNone(f.BrokenWith), orNone(f.BrokenByCrash))
	}
	if err := t.print(out); err != nil || len(forecasts[0].NotLearning) == 0 {
		return err
	}
	_, err := fmt.Fprintf(out, "%s: preserves no connections, or not as it should, so nothing is said of preservation; kubectl herald flows tells why\n",
		strings.Join(forecasts[0].NotLearning, ", "))
	return err
}

func orNone(count *int64) string {
	if count == nil {
		return none
	}
	return strconv.FormatInt(*count, 10)
}

func percent(part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return (part*100 + whole/2) / whole
}
