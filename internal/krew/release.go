package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// manifestFile is named as the plugin: krew asks for that.
const manifestFile = "herald.yaml"

// semver as krew wants it, with a leading v.
var semver = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// release of the plugin.
type release struct {
	dir, version, url, licence string
}

// plugin is krew's manifest, krew.googlecontainertools.github.com/v1alpha2.
type plugin struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Spec       spec     `json:"spec"`
}

type metadata struct {
	Name string `json:"name"`
}

type spec struct {
	Version          string     `json:"version"`
	Homepage         string     `json:"homepage"`
	ShortDescription string     `json:"shortDescription"`
	Description      string     `json:"description"`
	Platforms        []platform `json:"platforms"`
}

type platform struct {
	Selector selector `json:"selector"`
	URI      string   `json:"uri"`
	SHA256   string   `json:"sha256"`
	Bin      string   `json:"bin"`
}

type selector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

// check what can be known before the programs are built, which takes minutes.
func (r release) check() error {
	if !semver.MatchString(r.version) {
		return fmt.Errorf("version %q: krew takes semantic versions with a v: give make VERSION=v1.2.3", r.version)
	}
	return nil
}

// write makes the archives and the manifest.
func (r release) write() error {
	if err := r.check(); err != nil {
		return err
	}
	programs, err := filepath.Glob(filepath.Join(r.dir, "*-*", "kubectl-herald*"))
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return fmt.Errorf("%s: no OS-ARCH/kubectl-herald", r.dir)
	}
	p := plugin{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin",
		Metadata: metadata{Name: "herald"},
		Spec: spec{
			Version: r.version, Homepage: "https://github.com/herald-lb/herald",
			ShortDescription: "BGP sessions and routes of Herald, and why not",
			Description: `Shows what Herald, a load balancer by BGP for bare-metal clusters, announces to
which routers, and explains why a Service isn't announced. Prints and checks a
node's FRR configuration without a cluster, and turns MetalLB's configuration
into Herald's. It only reads, but for drain and undrain, which annotate a Node.
`,
		},
	}
	for _, program := range programs {
		made, err := r.platform(program)
		if err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
		p.Spec.Platforms = append(p.Spec.Platforms, made)
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, manifestFile), text, 0o600)
}

// platform archives a program.
func (r release) platform(program string) (platform, error) {
	name := filepath.Base(program)
	goos, arch, _ := strings.Cut(filepath.Base(filepath.Dir(program)), "-")
	data, err := archive(program, r.licence)
	if err != nil {
		return platform{}, err
	}
	file := fmt.Sprintf("kubectl-herald_%s_%s_%s.tar.gz", r.version, goos, arch)
	sum := sha256.Sum256(data)
	return platform{
		Selector: selector{MatchLabels: map[string]string{"os": goos, "arch": arch}},
		URI:      r.url + "/" + r.version + "/" + file,
		SHA256:   hex.EncodeToString(sum[:]),
		Bin:      name,
	}, os.WriteFile(filepath.Join(r.dir, file), data, 0o600)
}

// archive of files, by their names alone; the same files give the same bytes.
func archive(files ...string) ([]byte, error) {
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	entries := tar.NewWriter(compressed)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		header := tar.Header{Name: filepath.Base(file), Mode: 0o755, Size: int64(len(data)), ModTime: time.Unix(0, 0)}
		if err := entries.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := entries.Write(data); err != nil {
			return nil, err
		}
	}
	if err := entries.Close(); err != nil {
		return nil, err
	}
	err := compressed.Close()
	return out.Bytes(), err
}
