package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/controllers/lint"
	"github.com/herald-lb/herald/controllers/offline"
)

type lintFlags struct {
	input  input
	output string
	strict bool
}

// lintFormats of -o.
var lintFormats = map[string]func(io.Writer, *lint.Report) error{
	"": printTable, "table": printTable, "json": printJSON, "yaml": printYAML,
}

func newLintCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	flags := &lintFlags{input: input{streams: streams, kube: kube}}
	command := &cobra.Command{
		Use:   "lint [-f FILE]...",
		Short: "Say what is wrong with manifests before they are applied",
		Long: `Say what is wrong with manifests, or with a cluster's objects where no -f is
given: what the API server would refuse, Services that would stay without an
address, and what the nodes would refuse, each with its remedy.

The exit code is 1 if there is an error (with --strict: or a note), 2 if the
command line is wrong.`,
		Example: `  kubectl herald lint -f site/
  kubectl herald lint -f new.yaml --live   # as if new.yaml were applied
  kubectl herald lint -f site/ -o json`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return flags.run(command.Context()) },
	}
	set := command.Flags()
	flags.input.addFlags(set)
	set.StringVarP(&flags.output, "output", "o", "", "table (the default), json or yaml")
	set.BoolVar(&flags.strict, "strict", false, "notes count as errors")
	return command
}

func (f *lintFlags) run(ctx context.Context) error {
	printReport := lintFormats[f.output]
	if printReport == nil {
		return usageError{fmt.Errorf("-o %s: use table, json or yaml", f.output)}
	}
	input, err := f.read(ctx)
	if err != nil {
		return err
	}
	report, err := lint.Lint(ctx, input)
	if err != nil {
		return err
	}
	slices.Sort(report.Notes)
	for _, text := range report.Notes {
		note(f.input.streams.ErrOut, "%s", text)
	}
	if err := printReport(f.input.streams.Out, report); err != nil {
		return err
	}
	if lint.HasErrors(report.Findings) || f.strict && len(report.Findings) > 0 {
		return errFound
	}
	return nil
}

func (f *lintFlags) read(ctx context.Context) (lint.Input, error) {
	manifests, err := f.input.manifests()
	if err != nil {
		return lint.Input{}, err
	}
	cluster, secretsKnown, err := f.input.objects(ctx)
	return lint.Input{
		Manifests: manifests, Cluster: cluster, Reader: offline.Reader{Namespace: f.input.namespace()},
		Assume:      offline.Assumptions{SecretsNamespace: f.input.secretsNamespace, Ready: true, SecretsKnown: secretsKnown},
		Annotations: f.input.annotations,
	}, err
}

func printTable(out io.Writer, report *lint.Report) error {
	if len(report.Findings) == 0 {
		_, err := fmt.Fprintln(out, "nothing is wrong")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LEVEL\tOBJECT\tREASON\tNODES\tMESSAGE")
	for _, f := range report.Findings {
		object := f.Kind + "/" + f.Name
		if f.Namespace != "" {
			object = f.Kind + "/" + f.Namespace + "/" + f.Name
		}
		message := f.Message
		if f.Field != "" && !strings.HasPrefix(message, f.Field) {
			message = f.Field + ": " + message
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.Level, printable(object), f.Reason, printable(nodesText(f.Nodes)), printable(message))
	}
	return table.Flush()
}

// printable keeps what users wrote from breaking the table, or the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

func nodesText(nodes []string) string {
	const most = 3
	if len(nodes) > most {
		return fmt.Sprintf("%s,+%d", strings.Join(nodes[:most], ","), len(nodes)-most)
	}
	return strings.Join(nodes, ",")
}

// report is what -o json and -o yaml print.
type report struct {
	Findings []lint.Finding `json:"findings"`
}

func printJSON(out io.Writer, found *lint.Report) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(report{Findings: append([]lint.Finding{}, found.Findings...)})
}

func printYAML(out io.Writer, found *lint.Report) error {
	text, err := yaml.Marshal(report{Findings: append([]lint.Finding{}, found.Findings...)})
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}
