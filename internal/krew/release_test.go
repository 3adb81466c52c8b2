package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestManifest checks krew's documented rules, since krew itself checks them only when
// a manifest is sent to its index: sha256 of what lies under uri, bin in the archive, a
// platform once, a version with v, a short description of at most 50 characters.
func TestManifest(t *testing.T) {
	r := release{dir: t.TempDir(), version: "v1.2.3", url: "https://example.com/releases", licence: filepath.Join(t.TempDir(), "LICENSE")}
	must(t, os.WriteFile(r.licence, []byte("licence"), 0o644))
	want := map[string]string{"linux-amd64": "kubectl-herald", "darwin-arm64": "kubectl-herald", "windows-amd64": "kubectl-herald.exe"}
	for platform, name := range want {
		must(t, os.MkdirAll(filepath.Join(r.dir, platform), 0o755))
		must(t, os.WriteFile(filepath.Join(r.dir, platform, name), []byte("program of "+platform), 0o755))
	}
	must(t, r.write())

	var p plugin
	text, err := os.ReadFile(filepath.Join(r.dir, manifestFile))
	must(t, err)
	must(t, yaml.UnmarshalStrict(text, &p))
	if p.Metadata.Name+".yaml" != manifestFile || p.Spec.Version != r.version {
		t.Errorf("%+v", p)
	}
	if n := len(p.Spec.ShortDescription); n == 0 || n > 50 || strings.HasSuffix(p.Spec.ShortDescription, ".") {
		t.Errorf("short description of %d characters", n)
	}
	got := map[string]string{}
	for _, platform := range p.Spec.Platforms {
		labels := platform.Selector.MatchLabels
		name := labels["os"] + "-" + labels["arch"]
		got[name] = platform.Bin
		if !strings.HasPrefix(platform.URI, r.url+"/"+r.version+"/") {
			t.Errorf("%s: %s", name, platform.URI)
		}
		data, err := os.ReadFile(filepath.Join(r.dir, path.Base(platform.URI)))
		must(t, err)
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != platform.SHA256 {
			t.Errorf("%s: another checksum", name)
		}
		if diff := cmp.Diff(map[string]string{platform.Bin: "program of " + name, "LICENSE": "licence"}, contents(t, data)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	for name, r := range map[string]release{
		"no version":       {dir: t.TempDir(), version: "", licence: "LICENSE"},
		"version of git":   {dir: t.TempDir(), version: "ac465c0-dirty", licence: "LICENSE"},
		"without programs": {dir: t.TempDir(), version: "v1.2.3", licence: "LICENSE"},
	} {
		if err := r.write(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func contents(t *testing.T, data []byte) map[string]string {
	t.Helper()
	compressed, err := gzip.NewReader(bytes.NewReader(data))
	must(t, err)
	all := map[string]string{}
	for entries := tar.NewReader(compressed); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		text, err := io.ReadAll(entries)
		must(t, err)
		all[header.Name] = string(text)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A version that krew wouldn't take is refused before the programs are built.
func TestVersionIsCheckedFirst(t *testing.T) {
	if err := (release{version: "v1.2.3"}).check(); err != nil {
		t.Error(err)
	}
	if err := (release{version: "ac465c0-dirty"}).check(); err == nil || !strings.Contains(err.Error(), "VERSION=v1.2.3") {
		t.Errorf("a version of git: %v", err)
	}
}
