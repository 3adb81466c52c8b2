package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/herald-lb/herald/images"
	"github.com/herald-lb/herald/images/archive"
	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Images that every cluster has.
const (
	pauseImage = "localhost/pause:1"
	// EchoImage answers HTTP on port 8080 with the name of its pod and node:
	// `echo -pod NAME -node NAME`.
	EchoImage = "localhost/echo:1"
	// FRRImage is the one of `make image-tars`.
	FRRImage = "localhost/frr:dev"
)

func (c *Cluster) imagesDir() string { return filepath.Join(c.Dir(), "images") }

// buildImages writes the images that all nodes have, each into a tar file.
func (c *Cluster) buildImages(more []archive.Image) error {
	defer c.step("images made")()
	programs := filepath.Join(c.Dir(), "programs")
	for _, dir := range []string{c.imagesDir(), programs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := Build(programs, "", "./test/cluster/pause", "./test/lab/echo"); err != nil {
		return err
	}
	pause, echo := filepath.Join(programs, "pause"), filepath.Join(programs, "echo")
	all := append([]archive.Image{
		{Ref: pauseImage, Entrypoint: []string{"/pause"}, Files: archive.Programs{"/pause": pause}},
		{Ref: EchoImage, Entrypoint: []string{"/echo"}, Files: archive.Programs{"/echo": echo}},
	}, more...)
	for _, image := range all {
		if err := archive.WriteFile(filepath.Join(c.imagesDir(), imageFile(image.Ref)), image); err != nil {
			return err
		}
	}
	return nil
}

// imageFile is the name of an image's tar file.
func imageFile(ref string) string {
	return strings.NewReplacer("/", "_", ":", "_").Replace(ref) + ".tar"
}

// Build compiles packages of Herald into dir, as static programs of that version.
func Build(dir, version string, packages ...string) error {
	source, err := binaries.Source()
	if err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-ldflags", "-s -w -X github.com/herald-lb/herald/internal/version.Version=" + version, "-o", dir + "/"}
	cmd := exec.Command("go", append(args, packages...)...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", strings.Join(packages, ", "), err, out)
	}
	return nil
}

// HeraldImage builds Herald from the working tree as that version, into dir, and
// is its image. It is tagged with the version.
func HeraldImage(dir, version string) (archive.Image, error) {
	source, err := binaries.Source()
	if err != nil {
		return archive.Image{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return archive.Image{}, err
	}
	if err := Build(dir, version, "./cmd/herald", "./cmd/kubectl-herald", "./reloader"); err != nil {
		return archive.Image{}, err
	}
	return images.Herald("localhost/herald:"+version, version, dir, source), nil
}

// FRR is the image of the newest FRR.
func FRR() archive.Image {
	return images.FRR(FRRImage, thirdparty.FRRNew, thirdparty.FRRRoot(thirdparty.FRRNew))
}

// Import gives one more image to all nodes that are up.
func (c *Cluster) Import(ctx context.Context, image archive.Image) error {
	name := imageFile(image.Ref)
	if err := archive.WriteFile(filepath.Join(c.imagesDir(), name), image); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range c.nodes {
		if n.Box() != nil {
			g.Go(func() error { return n.importImage(ctx, name) })
		}
	}
	return g.Wait()
}

// importImages gives the node's containerd the images that it doesn't have from
// an earlier boot.
func (n *Node) importImages(ctx context.Context) error {
	files, err := os.ReadDir(n.cluster.imagesDir())
	if err != nil {
		return err
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".tar") {
			continue // one that is being written
		}
		if err := n.importImage(ctx, file.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) importImage(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, wait.BringUp)
	defer cancel()
	done := filepath.Join(n.site.Dir, "imported-"+file)
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	if _, err := n.box.Run(ctx, "ctr", "--namespace=k8s.io", "images", "import", filepath.Join(imagesDir, file)); err != nil {
		return err
	}
	return os.WriteFile(done, nil, 0o644)
}
