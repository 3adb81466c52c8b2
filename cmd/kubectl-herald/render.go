package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
)

type renderFlags struct {
	input         input
	node          string
	assumeReady   bool
	showPasswords bool
}

func newRenderCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	flags := &renderFlags{input: input{streams: streams, kube: kube}}
	command := &cobra.Command{
		Use:   "render [-f FILE]... [--node NODE]",
		Short: "Print the FRR configuration that a node gets",
		Long: `Print the FRR configuration (frr.conf) that a node gets from manifests, or from
the cluster where no -f is given.

It is what the node's agent would make: Services without an address get one as
from the manager, of the IPAddressPools in the manifests. What is refused, and
what isn't announced, is told on stderr; so is what had to be assumed.`,
		Example: `  kubectl herald render -f site/ --node n1
  kustomize build site | kubectl herald render -f - --node n1
  kubectl herald render --node n1                  # from the cluster
  kubectl herald render -f new.yaml --live --node n1 # as if new.yaml were applied`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return flags.run(command.Context()) },
	}
	set := command.Flags()
	flags.input.addFlags(set)
	set.StringVar(&flags.node, "node", "", "name of the node; not needed where there is only one")
	set.BoolVar(&flags.assumeReady, "assume-ready", true, "take it that a Service without any EndpointSlice has ready endpoints on every node")
	set.BoolVar(&flags.showPasswords, "show-passwords", false, "print the sessions' passwords instead of ***")
	return command
}

func (f *renderFlags) run(ctx context.Context) error {
	// 1. What there is.
	out, errOut := f.input.streams.Out, f.input.streams.ErrOut
	manifests, err := f.input.manifests()
	if err != nil {
		return err
	}
	objects, problems := offline.Reader{Namespace: f.input.namespace()}.Read(manifests)
	for _, problem := range problems {
		warn(errOut, "%s: %s: %s", problem.Source, refText(problem.Object), problem.Message)
	}
	cluster, secretsKnown, err := f.input.objects(ctx)
	if err != nil {
		return err
	}
	if cluster != nil {
		objects = objects.Over(cluster)
	}
	// 2. Addresses, as the manager gives them; in a cluster it has.
	if len(manifests) > 0 {
		for _, pending := range objects.Allocate(f.input.annotations) {
			warn(errOut, "Service/%s %s: %s", pending.Service, pending.Reason, pending.Message)
		}
	}
	// 3. The node's configuration, as its agent makes it.
	world := offline.NewWorld(objects, offline.Assumptions{
		SecretsNamespace: f.input.secretsNamespace, Ready: f.assumeReady, SecretsKnown: secretsKnown,
	})
	if f.node == "" {
		if f.node, err = onlyNode(world.Nodes()); err != nil {
			return err
		}
	}
	result, err := world.Compile(f.node)
	if err != nil {
		return err
	}
	tell(errOut, world, result)
	text, err := offline.Render(result, f.showPasswords)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

// tell says what the configuration lacks, and what it rests on.
func tell(errOut io.Writer, world *offline.World, result *compile.Result) {
	for _, text := range world.Notes {
		note(errOut, "%s", text)
	}
	for _, issue := range result.Issues {
		say := warn
		if compile.IsNote(issue.Reason) {
			say = note
		}
		say(errOut, "%s %s: %s", refText(issue.Object), issue.Reason, issue.Message)
	}
	for _, withheld := range result.Withheld {
		warn(errOut, "Service/%s is not announced: %s", withheld.Service, withheld.Why)
	}
}

func onlyNode(names []string) (string, error) {
	switch len(names) {
	case 0:
		return "", usageError{fmt.Errorf("there is no Node: what a node announces depends on its labels and addresses; add its Node object (kubectl get node NAME -o yaml)")}
	case 1:
		return names[0], nil
	default:
		return "", usageError{fmt.Errorf("there are several Nodes: choose one by --node: %s", strings.Join(names, ", "))}
	}
}

func refText(ref compile.ObjectRef) string {
	if ref.Namespace != "" {
		return printable(ref.Kind + "/" + ref.Namespace + "/" + ref.Name)
	}
	return printable(ref.Kind + "/" + ref.Name)
}
