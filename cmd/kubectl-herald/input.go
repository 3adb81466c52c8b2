package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/internal/cluster"
)

// input is where a command reads objects from: manifests, the cluster, or
// manifests over what the cluster has.
type input struct {
	streams          genericiooptions.IOStreams
	kube             *genericclioptions.ConfigFlags
	files            resource.FilenameOptions
	live             bool
	secretsNamespace string
	annotations      status.Annotations
}

func (i *input) addFlags(set *pflag.FlagSet) {
	set.StringSliceVarP(&i.files.Filenames, "filename", "f", nil, "file, directory or URL of manifests, - for the standard input; without it the cluster is read")
	set.BoolVarP(&i.files.Recursive, "recursive", "R", false, "look into the directories in a directory of -f too")
	set.BoolVar(&i.live, "live", false, "read the cluster too, as it would be if the manifests of -f were applied")
	set.BoolVar(&i.annotations.MetalLB, "metallb-annotations", false, "read MetalLB's annotations of Services too, as the manager does with this flag")
	set.StringVar(&i.secretsNamespace, "secrets-namespace", v1alpha1.DefaultSecretsNamespace, "namespace of the peers' password Secrets")
}

// fromCluster says whether the cluster is read.
func (i *input) fromCluster() bool { return i.live || len(i.files.Filenames) == 0 }

// manifests are those of -f.
func (i *input) manifests() ([]offline.Manifest, error) {
	if len(i.files.Filenames) == 0 {
		if i.files.Recursive {
			return nil, usageError{fmt.Errorf("-R goes with -f")}
		}
		return nil, nil
	}
	return offline.ReadFiles(i.files, i.streams.In)
}

// cluster is a client for reading.
func (i *input) cluster() (client.Client, error) {
	config, err := i.kube.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w: give manifests by -f, or say by --kubeconfig or KUBECONFIG which cluster to read", err)
	}
	scheme, err := cluster.NewScheme()
	if err != nil {
		return nil, err
	}
	reader, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", config.Host, err)
	}
	return reader, nil
}

// objects of the cluster, nil where it isn't read; secretsKnown says whether
// Secrets may be.
func (i *input) objects(ctx context.Context) (objects *offline.Objects, secretsKnown bool, err error) {
	if !i.fromCluster() {
		return nil, false, nil
	}
	reader, err := i.cluster()
	if err != nil {
		return nil, false, err
	}
	if len(i.files.Filenames) == 0 { // with --live, manifests may be tried before the installation
		if err := hasHerald(reader); err != nil {
			return nil, false, fmt.Errorf("%w, or give manifests by -f", err)
		}
	}
	objects, secretsKnown, err = offline.FromCluster(ctx, reader, i.secretsNamespace)
	if forbidden(err) {
		return nil, false, fmt.Errorf("%w, or give manifests by -f", notAllowed(err))
	}
	if err != nil {
		return nil, false, fmt.Errorf("%w: give manifests by -f, or say by --kubeconfig or --context which cluster to read", err)
	}
	return objects, secretsKnown, nil
}

// namespace of objects that name none.
func (i *input) namespace() string { return *i.kube.Namespace }

func note(out io.Writer, format string, arguments ...any) {
	fmt.Fprintf(out, "note: "+format+"\n", arguments...)
}

func warn(out io.Writer, format string, arguments ...any) {
	fmt.Fprintf(out, "warning: "+format+"\n", arguments...)
}
