// Package binaries builds Herald's own programs for the lab from the working
// tree: what the tests run is what the tree says.
package binaries

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/herald-lb/herald/internal/version"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Names of the programs.
const (
	Herald   = "herald"
	Reloader = "reloader"
	Echo     = "echo"
	Plugin   = "kubectl-herald"
)

var packages = map[string]string{
	Herald:   "./cmd/herald",
	Reloader: "./reloader",
	Echo:     "./test/lab/echo",
	Plugin:   "./cmd/kubectl-herald",
}

var (
	once     sync.Once
	buildErr error
)

// Source is the root of the working tree, where go.mod is.
func Source() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	text, err := os.ReadFile(mod)
	if err != nil || !strings.HasPrefix(string(text), "module github.com/herald-lb/herald\n") {
		return "", fmt.Errorf("the lab builds Herald from source: run it inside a checkout of Herald (GOMOD is %q)", mod)
	}
	return filepath.Dir(mod), nil
}

// Build makes the programs that Install hands out. On a machine that has built
// nothing yet it takes minutes, which no deadline of a lab should hold.
func Build() error { return install("") }

// Install puts all programs into dir, building them first where this process
// hasn't yet. They run in any root filesystem (static).
func Install(dir string) error { return install(dir) }

func install(dir string) error {
	source, err := Source()
	if err != nil {
		return err
	}
	cache := filepath.Join(thirdparty.CacheDir(), "lab", strings.ReplaceAll(strings.Trim(source, "/"), "/", "-"))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	// Several test binaries may start labs at once.
	unlock, err := lock(filepath.Join(cache, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	once.Do(func() { buildErr = build(source, cache, version.Version) })
	if buildErr != nil || dir == "" {
		return buildErr
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name := range packages {
		if err := linkOrCopy(filepath.Join(cache, name), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("installing %s: %w", name, err)
		}
	}
	return nil
}

// Upgrade puts programs of another version into dir, in the place of those that are
// there: what runs goes on with the old ones.
func Upgrade(dir, version string) error {
	source, err := Source()
	if err != nil {
		return err
	}
	next := filepath.Join(dir, version)
	if err := os.MkdirAll(next, 0o755); err != nil {
		return err
	}
	if err := build(source, next, version); err != nil {
		return err
	}
	for name := range packages {
		if err := os.Rename(filepath.Join(next, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func lock(file string) (unlock func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// build compiles all programs in one go, so that the packages which they share
// are loaded once. The linker makes new files: running ones stay as they are.
func build(source, dir, as string) error {
	args := []string{
		"build", "-trimpath", "-ldflags",
		"-X github.com/herald-lb/herald/internal/version.Version=" + as, "-o", dir + "/",
	}
	for _, pkg := range packages {
		args = append(args, pkg)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building Herald for the lab: %w\n%s", err, out)
	}
	return nil
}

func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
