package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// drainTimeout is how long --wait waits by default: the default time limits of a
// drain, and a while more.
const drainTimeout = 10 * time.Minute

// drainer is what drain and undrain have in common.
type drainer struct {
	input   input
	node    string
	reason  string
	wait    bool
	timeout time.Duration
}

func newDrainCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	d := &drainer{input: input{streams: streams, kube: kube}}
	command := d.command(&cobra.Command{
		Use:   "drain NODE",
		Short: "Let a node give up its routes, so that it can be shut down",
		Long: `Annotate a Node with herald-lb.io/drain. Its agent tells the routers to prefer other
nodes (GRACEFUL_SHUTDOWN), withdraws the node's routes once they have had time to, and
goes on serving the connections that the node has. Sessions stay up. Pods aren't moved:
that is for kubectl drain.

With --wait it prints how far the drain is, and ends when the node is safe to shut down.

The exit code is 1 if the node isn't safe to shut down within --timeout, or can't be
annotated.`,
		Example: `  kubectl herald drain n3 --reason "new disks" --wait
  kubectl drain n3 --ignore-daemonsets`,
	}, d.drain)
	command.Flags().StringVar(&d.reason, "reason", "", "why, in words: stands in the node's annotation and in the status of its BGPNode")
	return command
}

func newUndrainCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	d := &drainer{input: input{streams: streams, kube: kube}}
	return d.command(&cobra.Command{
		Use:   "undrain NODE",
		Short: "Let a node announce again",
		Long: `Remove the annotation herald-lb.io/drain of a Node, whatever stage its drain is in: its
agent announces the node's routes again, as they were.

With --wait it ends when the node doesn't drain any more. The exit code is 1 if that is
not within --timeout (something else may drain it), or if the annotation can't be removed.`,
		Example: `  kubectl herald undrain n3`,
	}, d.undrain)
}

func (d *drainer) command(command *cobra.Command, run func(context.Context, client.Client) error) *cobra.Command {
	set := command.Flags()
	set.BoolVar(&d.wait, "wait", false, "print each stage, and end with the last one")
	set.DurationVar(&d.timeout, "timeout", drainTimeout, "how long --wait waits")
	command.Args = func(_ *cobra.Command, arguments []string) error {
		if len(arguments) != 1 {
			return usageError{errors.New("name one Node")}
		}
		d.node = arguments[0]
		return nil
	}
	command.RunE = func(command *cobra.Command, _ []string) error {
		cluster, err := d.input.cluster()
		if err == nil {
			err = hasHerald(cluster)
		}
		if err != nil {
			return err
		}
		return run(command.Context(), cluster)
	}
	return command
}

func (d *drainer) drain(ctx context.Context, cluster client.Client) error {
	node, err := d.get(ctx, cluster)
	if err != nil {
		return err
	}
	reason := d.reason
	if already := node.Annotations[v1alpha1.AnnotationDrain]; reason == "" && already != "" && already != "false" {
		reason = already
	}
	if reason == "" || reason == "false" {
		reason = "true"
	}
	if err := d.annotate(ctx, cluster, node, &reason); err != nil {
		return err
	}
	fmt.Fprintf(d.input.streams.Out, "node %s: annotated with %s\n", d.node, v1alpha1.AnnotationDrain)
	if !d.wait {
		return nil
	}
	return d.follow(ctx, cluster, func(reported *v1alpha1.BGPNode) bool {
		return meta.IsStatusConditionTrue(reported.Status.Conditions, v1alpha1.ConditionSafeToShutdown)
	})
}

func (d *drainer) undrain(ctx context.Context, cluster client.Client) error {
	node, err := d.get(ctx, cluster)
	if err != nil {
		return err
	}
	if _, drained := node.Annotations[v1alpha1.AnnotationDrain]; !drained {
		fmt.Fprintf(d.input.streams.Out, "node %s: has no annotation %s\n", d.node, v1alpha1.AnnotationDrain)
	} else if err := d.annotate(ctx, cluster, node, nil); err != nil {
		return err
	} else {
		fmt.Fprintf(d.input.streams.Out, "node %s: annotation %s removed\n", d.node, v1alpha1.AnnotationDrain)
	}
	if !d.wait {
		return nil
	}
	return d.follow(ctx, cluster, func(reported *v1alpha1.BGPNode) bool {
		return meta.IsStatusConditionFalse(reported.Status.Conditions, v1alpha1.ConditionDraining)
	})
}

func (d *drainer) get(ctx context.Context, cluster client.Client) (*corev1.Node, error) {
	node := &corev1.Node{}
	err := cluster.Get(ctx, client.ObjectKey{Name: d.node}, node)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no Node %q: kubectl get nodes lists them", d.node)
	}
	return node, d.notAllowed(err)
}

// annotate the Node, or take the annotation away (nil). Nothing else is written.
func (d *drainer) annotate(ctx context.Context, cluster client.Client, node *corev1.Node, value *string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]*string{v1alpha1.AnnotationDrain: value}}})
	if err != nil {
		return err
	}
	return d.notAllowed(cluster.Patch(ctx, node, client.RawPatch(types.MergePatchType, patch)))
}

func (d *drainer) notAllowed(err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w: it takes the verbs get and patch on nodes (docs/drain.md)", err)
	}
	return err
}

// follow prints what the BGPNode says of the drain, each time that it says something
// else, until it is done.
func (d *drainer) follow(ctx context.Context, cluster client.Client, done func(*v1alpha1.BGPNode) bool) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	config, err := d.input.kube.ToRESTConfig()
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	changes, err := changesOf(ctx, config, []client.ObjectList{&v1alpha1.BGPNodeList{}})
	if err != nil {
		return notAllowed(err)
	}
	last := ""
	for {
		reported := &v1alpha1.BGPNode{}
		err := cluster.Get(ctx, client.ObjectKey{Name: d.node}, reported)
		if err != nil && ctx.Err() == nil {
			if apierrors.IsNotFound(err) {
				return fmt.Errorf("no agent has reported of node %s: does a herald-agent pod run on it?", d.node)
			}
			return notAllowed(err)
		}
		if now := progress(reported); err == nil && now != last {
			last = now
			fmt.Fprintf(d.input.streams.Out, "node %s: %s\n", d.node, now)
		}
		if err == nil && done(reported) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("node %s: not done within %s; the drain goes on: %s", d.node, d.timeout, last)
		case <-changes:
		}
	}
}

// progress is one line: the stage, and what SafeToShutdown says.
func progress(reported *v1alpha1.BGPNode) string {
	draining := meta.FindStatusCondition(reported.Status.Conditions, v1alpha1.ConditionDraining)
	safe := meta.FindStatusCondition(reported.Status.Conditions, v1alpha1.ConditionSafeToShutdown)
	switch {
	case draining == nil || safe == nil:
		return "its agent hasn't said yet whether it drains: it may be of a version before"
	case reported.Status.Drain == nil:
		return draining.Reason + ": " + printable(draining.Message)
	}
	text := draining.Reason + ": " + printable(safe.Message)
	if left := reported.Status.Drain.Connections; left != nil {
		text += fmt.Sprintf(" (%s)", count(int(*left), "connection"))
	}
	if held := reported.Status.Drain.LastHolderOf; held != nil {
		text += fmt.Sprintf(" (%s: %s)", count(int(held.Total), "Service"), printable(fmt.Sprint(atMost(held.Services))))
	}
	return text
}

func atMost(names []string) []string {
	const few = 5
	if len(names) > few {
		return append(slices.Clone(names[:few]), "…")
	}
	return names
}
