package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/test/thirdparty"
)

// TestInstalled builds the real program for this platform, and installs it as krew
// does: by the manifest, its checksum, the archive and a link that kubectl finds.
func TestInstalled(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds kubectl-herald")
	}
	const version = "v1.2.3"
	platform := runtime.GOOS + "-" + runtime.GOARCH
	r := release{dir: t.TempDir(), version: version, url: "https://example.com/releases", licence: "../../LICENSE"}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w -X github.com/herald-lb/herald/internal/version.Version="+version,
		"-o", filepath.Join(r.dir, platform, "kubectl-herald"), "../../cmd/kubectl-herald")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	must(t, r.write())

	var p plugin
	text, err := os.ReadFile(filepath.Join(r.dir, manifestFile))
	must(t, err)
	must(t, yaml.UnmarshalStrict(text, &p))
	if len(p.Spec.Platforms) != 1 {
		t.Fatalf("%+v", p.Spec.Platforms)
	}
	mine := p.Spec.Platforms[0]
	archived, err := os.ReadFile(filepath.Join(r.dir, path.Base(mine.URI)))
	must(t, err)
	if sum := sha256.Sum256(archived); hex.EncodeToString(sum[:]) != mine.SHA256 {
		t.Fatal("another checksum: krew wouldn't install it")
	}
	store, bin := t.TempDir(), t.TempDir()
	for name, content := range contents(t, archived) {
		must(t, os.WriteFile(filepath.Join(store, name), []byte(content), 0o755))
	}
	// krew names the link as kubectl looks for the plugin.
	must(t, os.Symlink(filepath.Join(store, mine.Bin), filepath.Join(bin, "kubectl-"+p.Metadata.Name)))
	if text, err := os.ReadFile(filepath.Join(store, "LICENSE")); err != nil || !strings.Contains(string(text), "Apache License") {
		t.Errorf("no licence in the archive: %v", err)
	}

	thirdparty.Need(t, thirdparty.Binary("kubectl"))
	kubectl := exec.CommandContext(t.Context(), thirdparty.Binary("kubectl"), p.Metadata.Name, "--version")
	kubectl.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := kubectl.CombinedOutput()
	if err != nil || !strings.Contains(string(out), version) {
		t.Errorf("kubectl %s --version: %v\n%s", p.Metadata.Name, err, out)
	}
}
