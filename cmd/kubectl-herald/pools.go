package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
)

func newPoolsCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	q := newQuestion(streams, kube)
	q.watched = []client.ObjectList{&v1alpha1.IPAddressPoolList{}}
	q.ask = func(_ context.Context, in explain.Input) (answer, error) {
		pools := append([]*v1alpha1.IPAddressPool{}, in.Objects.Pools...)
		slices.SortFunc(pools, func(a, b *v1alpha1.IPAddressPool) int { return cmp.Compare(a.Name, b.Name) })
		for _, pool := range pools {
			pool.ManagedFields = nil
			pool.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("IPAddressPool"))
		}
		return answer{
			data:  pools,
			print: func(out io.Writer, style style) error { return printPools(out, style, pools) },
			found: slices.ContainsFunc(pools, func(p *v1alpha1.IPAddressPool) bool { return !isAccepted(p.Status.Conditions) }),
		}, nil
	}
	return q.command(&cobra.Command{
		Use:   "pools",
		Short: "Show the address pools and how full they are",
		Long: `Show the IPAddressPools and how full they are, a line for each family.

The exit code is 1 if a pool, or a part of one, is refused.`,
		Args: noArguments,
	})
}

// isAccepted: nobody has said otherwise.
func isAccepted(conditions []metav1.Condition) bool {
	return !meta.IsStatusConditionFalse(conditions, v1alpha1.ConditionAccepted)
}

func printPools(out io.Writer, style style, pools []*v1alpha1.IPAddressPool) error {
	if len(pools) == 0 {
		_, err := fmt.Fprintln(out, "no pools")
		return err
	}
	header := []string{"NAME", "FAMILY", "TOTAL", "ASSIGNED", "FREE", "AUTO", "PRIORITY"}
	if style.wide {
		header = append(header, "ADDRESSES")
	}
	t := style.table(append(header, "STATE")...)
	for _, pool := range pools {
		for _, family := range familiesOf(&pool.Status) {
			row := []string{pool.Name, family.name, family.Total, family.Assigned, family.Free, autoText(pool), priorityText(pool)}
			if style.wide {
				var blocks []string
				for _, block := range pool.Spec.Addresses {
					blocks = append(blocks, string(block))
				}
				row = append(row, strings.Join(blocks, ","))
			}
			t.add(append(row, poolState(pool))...)
		}
	}
	return t.print(out)
}

type poolFamily struct {
	name string
	v1alpha1.AddressCount
}

// familiesOf a pool; a line without counts where there is none.
func familiesOf(status *v1alpha1.IPAddressPoolStatus) []poolFamily {
	var families []poolFamily
	if status.IPv4 != nil {
		families = append(families, poolFamily{"IPv4", *status.IPv4})
	}
	if status.IPv6 != nil {
		families = append(families, poolFamily{"IPv6", *status.IPv6})
	}
	if len(families) == 0 {
		families = append(families, poolFamily{none, v1alpha1.AddressCount{Total: none, Assigned: none, Free: none}})
	}
	return families
}

func autoText(pool *v1alpha1.IPAddressPool) string {
	if auto := pool.Spec.AutoAssign; auto != nil && !*auto {
		return "no"
	}
	return "yes"
}

func priorityText(pool *v1alpha1.IPAddressPool) string {
	if pool.Spec.ServiceAllocation == nil || pool.Spec.ServiceAllocation.Priority == 0 {
		return none
	}
	return strconv.Itoa(int(pool.Spec.ServiceAllocation.Priority))
}

func poolState(pool *v1alpha1.IPAddressPool) string {
	condition := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionAccepted)
	switch {
	case condition == nil:
		return "not looked at: does the manager run?"
	case condition.Status == metav1.ConditionTrue:
		return condition.Reason
	}
	return condition.Reason + ": " + condition.Message
}
