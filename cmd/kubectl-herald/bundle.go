package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/internal/version"
)

// defaultNamespace is where Herald is installed unless told otherwise.
const defaultNamespace = "herald-system"

type bundleFlags struct {
	input     input
	namespace string
	file      string
	logLines  int64
}

func newBundleCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	flags := &bundleFlags{input: input{streams: streams, kube: kube}}
	command := &cobra.Command{
		Use:   "support-bundle [--output FILE]",
		Short: "Collect what helps to find out what is wrong, in one file",
		Long: `Collect in one .tar.gz file what helps to find out what is wrong: Herald's objects,
the Nodes, Services, EndpointSlices and Namespaces that it reads, events, the pods
and logs of Herald, and the configuration that each node should run.

Of Secrets only the names, types and keys are in it, no value; passwords in
configurations are ***. What may not be read is left out and told.

The other commands read it: unpack it and give the directory by -R -f.`,
		Example: `  kubectl herald support-bundle
  tar xf herald-*.tar.gz && kubectl herald explain shop/web -R -f herald-*/objects`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return flags.run(command.Context()) },
	}
	set := command.Flags()
	set.StringVarP(&flags.file, "output", "o", "", "the file; by default herald-TIME.tar.gz here; - is the standard output")
	set.StringVar(&flags.namespace, "herald-namespace", defaultNamespace, "namespace that Herald is installed in")
	set.StringVar(&flags.input.secretsNamespace, "secrets-namespace", "herald-secrets", "namespace of the peers' password Secrets")
	set.Int64Var(&flags.logLines, "log-lines", 5000, "last lines of each container's log")
	return command
}

func (f *bundleFlags) run(ctx context.Context) error {
	cluster, err := f.input.cluster()
	if err != nil {
		return err
	}
	if err := hasHerald(cluster); err != nil {
		return err
	}
	config, err := f.input.kube.ToRESTConfig()
	if err != nil {
		return err
	}
	logs, err := corev1client.NewForConfig(config)
	if err != nil {
		return err
	}
	at := now().UTC()
	name := "herald-" + at.Format("20060102T150405Z")
	out, done, err := f.open(name)
	if err != nil {
		return err
	}
	b := newBundle(out, name, at)
	b.add("version.txt", fmt.Appendf(nil, "kubectl herald %s\n", version.Version))
	b.collect(ctx, cluster, f.input.secretsNamespace)
	b.around(ctx, cluster, f.namespace)
	b.logs(ctx, cluster, logs, f.namespace, f.logLines)
	b.configurations(ctx, cluster)
	for _, text := range b.missing {
		warn(f.input.streams.ErrOut, "%s", text)
	}
	return done(b.close())
}

// open the file. done closes it, and takes a file away that could not be written.
func (f *bundleFlags) open(name string) (out io.Writer, done func(error) error, err error) {
	if f.file == offline.Stdin {
		return f.input.streams.Out, func(err error) error { return err }, nil
	}
	path := f.file
	if path == "" {
		path = name + ".tar.gz"
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: choose another file by --output", err)
	}
	return file, func(err error) error {
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			_ = os.Remove(path)
			return err
		}
		fmt.Fprintln(f.input.streams.Out, path)
		return nil
	}, nil
}

// bundle is the archive that is being written. An error of writing stays.
type bundle struct {
	compressed *gzip.Writer
	archive    *tar.Writer
	root       string
	at         time.Time
	err        error
	// missing says what could not be read.
	missing []string
}

func newBundle(out io.Writer, root string, at time.Time) *bundle {
	compressed := gzip.NewWriter(out)
	return &bundle{compressed: compressed, archive: tar.NewWriter(compressed), root: root, at: at}
}

// add a file.
func (b *bundle) add(path string, content []byte) {
	if b.err != nil {
		return
	}
	b.err = b.archive.WriteHeader(&tar.Header{Name: b.root + "/" + path, Mode: 0o600, Size: int64(len(content)), ModTime: b.at, Format: tar.FormatPAX})
	if b.err == nil {
		_, b.err = b.archive.Write(content)
	}
}

// lacks notes what could not be read.
func (b *bundle) lacks(what string, err error) {
	b.missing = append(b.missing, fmt.Sprintf("%s: left out: %v", what, err))
}

func (b *bundle) close() error {
	b.add("missing.txt", []byte(strings.Join(b.missing, "\n")))
	for _, closer := range []io.Closer{b.archive, b.compressed} {
		if err := closer.Close(); b.err == nil {
			b.err = err
		}
	}
	return b.err
}

// logs of all containers of Herald's pods, those before their last restart too.
func (b *bundle) logs(ctx context.Context, cluster client.Client, pods corev1client.PodsGetter, namespace string, lines int64) {
	var list corev1.PodList
	if err := cluster.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		b.lacks("pods of namespace "+namespace, err)
		return
	}
	for i := range list.Items {
		pod := &list.Items[i]
		for _, state := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			for _, previous := range []bool{true, false} {
				if previous && state.RestartCount == 0 {
					continue
				}
				path := fmt.Sprintf("logs/%s/%s.log", pod.Name, state.Name)
				if previous {
					path = fmt.Sprintf("logs/%s/%s.previous.log", pod.Name, state.Name)
				}
				text, err := pods.Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
					Container: state.Name, Previous: previous, TailLines: &lines, Timestamps: true,
				}).DoRaw(ctx)
				if err != nil {
					b.lacks(path, err)
					continue
				}
				b.add(path, text)
			}
		}
	}
}
