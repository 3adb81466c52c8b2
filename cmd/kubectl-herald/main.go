// Command kubectl-herald is a plugin of kubectl ("kubectl herald"): what Herald
// makes of manifests or of a cluster. It only reads, but for drain and undrain, which
// annotate a Node.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-lb/herald/internal/version"
)

// Exit codes.
const (
	exitProblems = 1 // something was found, or could not be done
	exitUsage    = 2 // the command line is wrong
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errFound ends a command that has printed what it found.
var errFound = errors.New("problems were found")

func main() {
	log.SetLogger(logr.Discard()) // libraries' logs: what goes wrong comes back as errors
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second one kills
	os.Exit(run(ctx, os.Args[1:], genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}))
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, arguments []string, streams genericiooptions.IOStreams) int {
	root := newRoot(streams)
	root.SetArgs(arguments)
	err := root.ExecuteContext(ctx)
	usage := usageError{}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFound):
		return exitProblems
	case errors.As(err, &usage):
		fmt.Fprintf(streams.ErrOut, "kubectl herald: %v\nSee 'kubectl herald --help'.\n", err)
		return exitUsage
	default:
		fmt.Fprintf(streams.ErrOut, "kubectl herald: %v\n", err)
		return exitProblems
	}
}

func newRoot(streams genericiooptions.IOStreams) *cobra.Command {
	root := &cobra.Command{
		Use:           "kubectl-herald",
		Short:         "What Herald makes of manifests, or of a cluster",
		Version:       version.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl herald"},
		Args:          noSuchCommand,
		RunE:          func(root *cobra.Command, _ []string) error { return root.Help() },
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	kube := genericclioptions.NewConfigFlags(true)
	kube.AddFlags(root.PersistentFlags())
	for _, command := range []func(genericiooptions.IOStreams, *genericclioptions.ConfigFlags) *cobra.Command{
		newStatusCommand, newSessionsCommand, newRoutesCommand, newExplainCommand, newPoolsCommand, newFlowsCommand, newImpactCommand,
		newRenderCommand, newLintCommand, newMigrateCommand, newBundleCommand, newDrainCommand, newUndrainCommand,
	} {
		root.AddCommand(command(streams, kube))
	}
	return root
}

// noSuchCommand refuses an unknown command as a mistake of usage, with those that look
// like it.
func noSuchCommand(root *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", arguments[0])
	if like := root.SuggestionsFor(arguments[0]); len(like) > 0 {
		text += ": did you mean " + strings.Join(like, " or ") + "?"
	}
	return usageError{errors.New(text)}
}

// noArguments refuses arguments as a mistake of usage.
func noArguments(_ *cobra.Command, arguments []string) error {
	if len(arguments) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q: manifests are given by -f", arguments[0])}
	}
	return nil
}
