package offline

import (
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
)

// Stdin as a file name stands for the standard input.
const Stdin = "-"

// ReadFiles reads manifests as kubectl does: files, directories, URLs and, as
// "-", the standard input; YAML or JSON, many documents to a file, Lists.
func ReadFiles(options resource.FilenameOptions, stdin io.Reader) ([]Manifest, error) {
	builder := resource.NewLocalBuilder().Unstructured().ContinueOnError().Flatten()
	var names []string
	for _, name := range options.Filenames {
		if name == Stdin {
			builder = builder.Stream(stdin, "STDIN")
		} else {
			names = append(names, name)
		}
	}
	options.Filenames = names
	infos, err := builder.FilenameParam(false, &options).Do().Infos()
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	manifests := make([]Manifest, 0, len(infos))
	for _, info := range infos {
		if object, ok := info.Object.(*unstructured.Unstructured); ok {
			manifests = append(manifests, Manifest{Source: info.Source, Object: object})
		}
	}
	return manifests, nil
}
