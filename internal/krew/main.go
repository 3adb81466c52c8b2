// Command krew makes of kubectl-herald's programs what kubectl's plugin manager
// installs: an archive for each platform, and the plugin's manifest with their
// checksums, as krew's index wants it. `make krew` runs this.
//
// The programs lie in DIR/OS-ARCH/, the archives and herald.yaml are written to DIR.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	var r release
	flag.StringVar(&r.dir, "dir", "dist/krew", "directory of the programs, and for what is made of them")
	flag.StringVar(&r.version, "version", "", "of the release, as v1.2.3")
	flag.StringVar(&r.url, "url", "https://github.com/herald-lb/herald/releases/download", "under which the release's files will be, in a directory named by the version")
	flag.StringVar(&r.licence, "licence", "LICENSE", "file that each archive has beside the program")
	check := flag.Bool("check", false, "only look whether a release can have that version")
	flag.Parse()
	do := r.write
	if *check {
		do = r.check
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "krew:", err)
		os.Exit(1)
	}
}
