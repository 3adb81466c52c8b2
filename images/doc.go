// Package images says what Herald's container images are made of. Package
// archive writes them, `make image-tars` both, and the Dockerfiles beside this
// file make the same with Docker.
//
// The image of Herald has its static programs on an otherwise empty root: no
// shell, no package manager, a user that isn't root. Pods that need root (the
// agent's and the reloader's) ask for it themselves.
//
// The image of FRR is stock FRR of a Debian release with tini, and nothing of
// Herald's: upgrading Herald never changes it. What runs in it besides (the
// reloader, frr-start.sh) is copied from Herald's image when the pod starts.
package images

import (
	"path/filepath"

	"github.com/herald-lb/herald/images/archive"
)

// programsDir is where Herald's programs are in its image.
const programsDir = "/usr/local/bin/"

// nonRoot is the user of Herald's image, who is nobody in particular.
const nonRoot = "65532:65532"

// Herald is Herald's image: the programs in bin, built by `make build`, and
// frr-start.sh from the source tree.
func Herald(ref, version, bin, source string) archive.Image {
	files := archive.Programs{programsDir + "frr-start.sh": filepath.Join(source, "reloader", "frr-start.sh")}
	for _, name := range []string{"herald", "reloader", "kubectl-herald"} {
		files[programsDir+name] = filepath.Join(bin, name)
	}
	return archive.Image{
		Ref: ref, Entrypoint: []string{programsDir + "herald"}, User: nonRoot, Files: files,
		Labels: labels("Herald", "Announces Service addresses over BGP from every node", version, "Apache-2.0"),
	}
}

// FRR is the image of FRR: a root filesystem that test/thirdparty made.
func FRR(ref, release, root string) archive.Image {
	return archive.Image{
		Ref: ref, Entrypoint: []string{"/usr/bin/tini", "--"},
		Labels: labels("FRR for Herald", "Stock FRR of Debian with tini", release, "GPL-2.0-or-later"),
		Files: archive.Root{
			Dir:     root,
			Without: []string{".herald-stamp", "usr/sbin/policy-rc.d"},
			Emptied: []string{"dev", "proc", "sys", "run", "tmp", "root", "boot"},
		},
	}
}

func labels(title, description, version, licenses string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       title,
		"org.opencontainers.image.description": description,
		"org.opencontainers.image.version":     version,
		"org.opencontainers.image.licenses":    licenses,
		"org.opencontainers.image.source":      "https://github.com/herald-lb/herald",
	}
}
