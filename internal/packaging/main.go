// Command packaging makes of the manifests in config/ what other ways of installing
// need: the templates of the Helm chart, and the OLM bundle. config/ is the one
// place where anything is decided; `make packages` runs this.
//
//	kustomize build config/default | packaging -chart charts/herald -bundle bundle
//
// With -same FILE it says instead whether the manifests on its standard input hold
// the same objects as those in the file, but for -but KIND/NAME,…: what `helm
// template` makes of the chart's default values is what kustomize makes of
// config/default.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	var chart, bundle, root, same, but string
	flag.StringVar(&chart, "chart", "", "directory of the Helm chart")
	flag.StringVar(&bundle, "bundle", "", "directory of the OLM bundle")
	flag.StringVar(&root, "root", ".", "root of the source tree")
	flag.StringVar(&same, "same", "", "file of manifests to compare with")
	flag.StringVar(&but, "but", "", "objects to leave out of the comparison: KIND/NAME,...")
	flag.Parse()
	if err := run(chart, bundle, root, same, strings.Split(but, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

func run(chart, bundle, root, same string, but []string) error {
	objects, err := readObjects(os.Stdin)
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	if same != "" {
		return compare(objects, same, but)
	}
	if chart != "" {
		if err := writeChart(objects, chart, root); err != nil {
			return fmt.Errorf("chart: %w", err)
		}
	}
	if bundle != "" {
		if err := writeBundle(objects, bundle, root); err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
	}
	return nil
}
