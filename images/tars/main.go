// Command tars writes Herald's images as tar files, without Docker: herald.tar
// from the programs in bin/, frr.tar from the FRR root of `make thirdparty`.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/herald-lb/herald/images"
	"github.com/herald-lb/herald/images/archive"
	"github.com/herald-lb/herald/test/thirdparty"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "image-tars:", err)
		os.Exit(1)
	}
}

func run() error {
	herald := flag.String("herald", "localhost/herald:dev", "name and tag of Herald's image")
	frr := flag.String("frr", "localhost/frr:"+thirdparty.FRRNew, "name and tag of FRR's image")
	version := flag.String("version", "dev", "version that Herald's image is labelled with")
	bin := flag.String("bin", "bin", "directory of Herald's programs")
	out := flag.String("out", "dist", "directory of the tar files")
	flag.Parse()
	root := thirdparty.FRRRoot(thirdparty.FRRNew)
	if missing := thirdparty.Missing(root); missing != "" {
		return fmt.Errorf("%s", missing)
	}
	if err := os.MkdirAll(*out, 0o750); err != nil {
		return err
	}
	for name, image := range map[string]archive.Image{
		"herald.tar": images.Herald(*herald, *version, *bin, "."),
		"frr.tar":    images.FRR(*frr, thirdparty.FRRNew, root),
	} {
		file := filepath.Join(*out, name)
		if err := archive.WriteFile(file, image); err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", file, image.Ref)
	}
	return nil
}
