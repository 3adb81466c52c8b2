package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/controllers/offline"
)

// answer to a question about a cluster.
type answer struct {
	// data is what -o json and -o yaml print.
	data any
	// print it for people.
	print func(out io.Writer, style style) error
	// found: something is wrong, the exit code is 1.
	found bool
}

// style of what is printed for people.
type style struct {
	wide   bool
	width  int
	colour func(string) string
}

// table in this style.
func (s style) table(header ...string) *table {
	return &table{header: header, width: s.width, colour: s.colour}
}

// question is what the commands about a cluster have in common: where they read
// and how they print.
type question struct {
	input  input
	output string
	watch  bool
	// watched are the lists of objects whose changes --watch follows.
	watched []client.ObjectList
	ask     func(context.Context, explain.Input) (answer, error)
}

func newQuestion(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *question {
	return &question{
		input:   input{streams: streams, kube: kube},
		watched: []client.ObjectList{&v1alpha1.BGPNodeList{}, &v1alpha1.BGPSessionList{}},
	}
}

// decisive are the objects that decide what nodes announce, but for Nodes, whose heartbeats
// would have the whole cluster read again and again.
func decisive() []client.ObjectList {
	return []client.ObjectList{
		&v1alpha1.HeraldList{}, &v1alpha1.IPAddressPoolList{}, &v1alpha1.BGPPeerList{}, &v1alpha1.BGPAdvertisementList{},
		&v1alpha1.CommunityList{}, &v1alpha1.FlowPolicyList{}, &corev1.ServiceList{}, &discoveryv1.EndpointSliceList{},
	}
}

// command completes a command with the common flags.
func (q *question) command(command *cobra.Command) *cobra.Command {
	set := command.Flags()
	set.StringSliceVarP(&q.input.files.Filenames, "filename", "f", nil, "file or directory of objects to read in place of the cluster: those of a support bundle")
	set.BoolVarP(&q.input.files.Recursive, "recursive", "R", false, "look into the directories in a directory of -f too")
	set.StringVarP(&q.output, "output", "o", "", "wide, json or yaml")
	set.BoolVarP(&q.watch, "watch", "w", false, "print again whenever something changes, until interrupted")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"wide", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	command.RunE = func(command *cobra.Command, _ []string) error {
		return q.run(command.Context())
	}
	return command
}

func (q *question) run(ctx context.Context) error {
	if !slices.Contains([]string{"", "wide", "json", "yaml"}, q.output) {
		return usageError{fmt.Errorf("-o %s: use wide, json or yaml", q.output)}
	}
	if q.watch && len(q.input.files.Filenames) > 0 {
		return usageError{fmt.Errorf("--watch needs a cluster: leave -f out")}
	}
	if q.watch {
		return q.follow(ctx)
	}
	in, err := q.read(ctx)
	if err != nil {
		return err
	}
	found, err := q.tell(ctx, in, q.input.streams.Out)
	if err == nil && found {
		err = errFound
	}
	return err
}

func (q *question) tell(ctx context.Context, in explain.Input, out io.Writer) (found bool, err error) {
	a, err := q.ask(ctx, in)
	if err != nil {
		return false, err
	}
	switch q.output {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return a.found, encoder.Encode(a.data)
	case "yaml":
		text, err := yaml.Marshal(a.data)
		if err == nil {
			_, err = out.Write(text)
		}
		return a.found, err
	}
	s := style{wide: q.output == "wide", width: lineWidth, colour: colourFor(q.input.streams.Out)}
	if s.wide {
		s.width = 0
	}
	return a.found, a.print(out, s)
}

// read the cluster, or what -f gives in its place.
func (q *question) read(ctx context.Context) (explain.Input, error) {
	if len(q.input.files.Filenames) > 0 {
		return q.readFiles()
	}
	cluster, err := q.input.cluster()
	if err != nil {
		return explain.Input{}, err
	}
	if err := hasHerald(cluster); err != nil {
		return explain.Input{}, err
	}
	// Passwords are not needed, and not read.
	objects, _, err := offline.FromCluster(ctx, cluster, "")
	if err != nil {
		return explain.Input{}, notAllowed(err)
	}
	states, err := offline.StatesFromCluster(ctx, cluster)
	return explain.Input{Objects: objects, States: states}, notAllowed(err)
}

func (q *question) readFiles() (explain.Input, error) {
	manifests, err := q.input.manifests()
	if err != nil {
		return explain.Input{}, err
	}
	reader := offline.Reader{Namespace: q.input.namespace()}
	objects, problems := reader.Read(manifests)
	states, more := reader.ReadStates(manifests)
	for _, problem := range append(problems, more...) {
		warn(q.input.streams.ErrOut, "%s: %s: %s", problem.Source, refText(problem.Object), problem.Message)
	}
	return explain.Input{Objects: objects, States: states}, nil
}

// hasHerald says what to do where the API server knows no Herald.
func hasHerald(cluster client.Client) error {
	_, err := cluster.RESTMapper().RESTMapping(schema.GroupKind{Group: v1alpha1.GroupName, Kind: "BGPNode"}, v1alpha1.GroupVersion.Version)
	if meta.IsNoMatchError(err) {
		return fmt.Errorf("this cluster has no CRDs of Herald (%s): install Herald, or say by --context which cluster to read", v1alpha1.GroupVersion)
	}
	if err != nil {
		return fmt.Errorf("%w: say by --kubeconfig or --context which cluster to read", err)
	}
	return nil
}

// forbidden says whether the API server doesn't let this user do it.
func forbidden(err error) bool { return err != nil && strings.Contains(err.Error(), "forbidden") }

// notAllowed adds the remedy to what the API server says.
func notAllowed(err error) error {
	if forbidden(err) {
		return fmt.Errorf("%w: ask for a binding to the ClusterRole herald-viewer", err)
	}
	return err
}

const (
	// settle is how long changes are collected before the answer is printed anew.
	settle = 300 * time.Millisecond
	// clear is what a terminal clears its screen by.
	clear = "\x1b[H\x1b[2J"
)

// follow prints the answer whenever it changes, until the context ends.
func (q *question) follow(ctx context.Context) error {
	config, err := q.input.kube.ToRESTConfig()
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	cluster, err := q.input.cluster()
	if err == nil {
		err = hasHerald(cluster)
	}
	if err != nil {
		return err
	}
	changes, err := changesOf(ctx, config, q.watched)
	if err != nil {
		return notAllowed(err)
	}
	out, last := q.input.streams.Out, ""
	for {
		in, err := q.read(ctx)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if _, err := q.tell(ctx, in, &text); err != nil {
			return err
		}
		if text.String() != last {
			last = text.String()
			if colourFor(out) != nil {
				fmt.Fprint(out, clear)
			}
			if _, err := io.WriteString(out, last); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
		}
		select { // a burst is one change
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
	}
}

// forward tells of a watch's events, without ever waiting.
func forward(ctx context.Context, from watch.Interface, to chan<- struct{}) {
	defer from.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, more := <-from.ResultChan():
			select {
			case to <- struct{}{}:
			default:
			}
			if !more {
				return
			}
		}
	}
}
