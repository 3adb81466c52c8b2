package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/herald-lb/herald/controllers/migrate"
	"github.com/herald-lb/herald/controllers/offline"
)

type migrateFlags struct {
	input  input
	atOnce bool
}

func newMigrateCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	flags := &migrateFlags{input: input{streams: streams, kube: kube}}
	command := &cobra.Command{
		Use:   "migrate [-f FILE]...",
		Short: "Turn the configuration of MetalLB and frr-k8s into Herald's",
		Long: `Turn objects of MetalLB (metallb.io) and frr-k8s (frrk8s.metallb.io), of manifests
or of the cluster where no -f is given, into Herald's.

Prints YAML to apply. Comments in it, and stderr, say what has no equivalent and
why, what to change on Services, and how to change over node by node. Passwords
that stand in the input stand in the output.`,
		Example: `  kubectl herald migrate > herald.yaml         # from the cluster
  kubectl herald migrate -f metallb.yaml | kubectl herald lint -f -`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return flags.run(command.Context()) },
	}
	set := command.Flags()
	flags.input.addFlags(set)
	set.BoolVar(&flags.atOnce, "at-once", false, "leave out the node label that lets nodes be moved one by one")
	return command
}

func (f *migrateFlags) run(ctx context.Context) error {
	manifests, err := f.input.manifests()
	if err != nil {
		return err
	}
	if f.input.fromCluster() {
		reader, err := f.input.cluster()
		if err != nil {
			return err
		}
		found, err := migrate.FromCluster(ctx, reader)
		if err != nil {
			return err
		}
		manifests = append(found, manifests...)
	}
	plan, err := migrate.Make(manifests, migrate.Options{
		SecretsNamespace: f.input.secretsNamespace, AtOnce: f.atOnce, Annotations: f.input.annotations, Reader: offline.Reader{Namespace: f.input.namespace()},
	})
	if err != nil {
		return err
	}
	for _, remark := range plan.Remarks {
		warn(f.input.streams.ErrOut, "%s", printable(fmt.Sprintf("%s: %s", refText(remark.Object), remark.Message)))
	}
	if len(plan.Outputs) == 0 {
		return errors.New("there is nothing of MetalLB or frr-k8s to migrate")
	}
	return plan.Write(f.input.streams.Out)
}
