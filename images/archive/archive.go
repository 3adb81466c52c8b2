// Package archive writes container images as docker-archive tar files, which
// `docker load`, `podman load`, `ctr images import` and skopeo read, without a
// daemon and without a registry.
//
// Input: an Image (its configuration and the files of its only layer). Output:
// the tar file. The same files give the same bytes: entries are sorted, and what
// is made here has fixed times.
package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Epoch is the time of everything that is made here.
var Epoch = time.Unix(0, 0).UTC()

// Image is an image of one layer.
type Image struct {
	// Ref is its name and tag, "localhost/herald:1".
	Ref string
	// Entrypoint, Env ("KEY=value"), User ("65532:65532", root if empty) and Labels
	// are what a container has by default.
	Entrypoint []string
	Env        []string
	User       string
	Labels     map[string]string
	// Files of the layer.
	Files Files
}

// Files are what a layer holds.
type Files interface {
	// write writes all entries, sorted by path.
	write(w *tar.Writer) error
}

// The parts of an image's configuration that are used here, as the OCI image
// specification names them.
type (
	configFile struct {
		Architecture string    `json:"architecture"`
		OS           string    `json:"os"`
		Created      time.Time `json:"created"`
		Config       config    `json:"config"`
		RootFS       rootFS    `json:"rootfs"`
		History      []history `json:"history"`
	}
	config struct {
		Entrypoint []string          `json:"Entrypoint,omitempty"`
		Env        []string          `json:"Env,omitempty"`
		User       string            `json:"User,omitempty"`
		WorkingDir string            `json:"WorkingDir"`
		Labels     map[string]string `json:"Labels,omitempty"`
	}
	rootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	history struct {
		Created   time.Time `json:"created"`
		CreatedBy string    `json:"created_by"`
	}
	manifest struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
)

// path is the PATH of every image, if its Env has none.
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// WriteFile writes images into one file; it appears only when it is complete.
func WriteFile(name string, images ...Image) error {
	out, err := os.CreateTemp(filepath.Dir(name), ".image-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }()
	if err := write(out, images); err != nil {
		_ = out.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := out.Chmod(0o644); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), name)
}

func write(out io.Writer, images []Image) error {
	w := tar.NewWriter(out)
	var manifests []manifest
	written := map[string]bool{}
	for i := range images {
		m, err := writeImage(w, &images[i], written)
		if err != nil {
			return fmt.Errorf("image %s: %w", images[i].Ref, err)
		}
		manifests = append(manifests, m)
	}
	text, err := json.Marshal(manifests)
	if err != nil {
		return err
	}
	if err := entry(w, "manifest.json", bytes.NewReader(text), int64(len(text))); err != nil {
		return err
	}
	return w.Close()
}

// writeImage writes a layer and its configuration, but for those that another
// image of the file has.
func writeImage(w *tar.Writer, image *Image, written map[string]bool) (manifest, error) {
	layer, err := os.CreateTemp("", "herald-layer-*")
	if err != nil {
		return manifest{}, err
	}
	defer func() { _ = os.Remove(layer.Name()) }()
	defer func() { _ = layer.Close() }()
	digest, size, err := writeLayer(layer, image.Files)
	if err != nil {
		return manifest{}, err
	}
	text, err := json.Marshal(image.config(digest))
	if err != nil {
		return manifest{}, err
	}
	m := manifest{Config: sum(text) + ".json", RepoTags: []string{image.Ref}, Layers: []string{digest + "/layer.tar"}}
	if !written[m.Config] {
		written[m.Config] = true
		if err := entry(w, m.Config, bytes.NewReader(text), int64(len(text))); err != nil {
			return manifest{}, err
		}
	}
	if written[m.Layers[0]] {
		return m, nil
	}
	written[m.Layers[0]] = true
	if _, err := layer.Seek(0, io.SeekStart); err != nil {
		return manifest{}, err
	}
	return m, entry(w, m.Layers[0], layer, size)
}

func writeLayer(out io.Writer, files Files) (digest string, size int64, err error) {
	hash := sha256.New()
	count := &counter{}
	w := tar.NewWriter(io.MultiWriter(out, hash, count))
	if err := files.write(w); err != nil {
		return "", 0, err
	}
	if err := w.Close(); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(hash.Sum(nil)), count.n, nil
}

func (i *Image) config(digest string) configFile {
	return configFile{
		Architecture: runtime.GOARCH, OS: "linux", Created: Epoch,
		Config: config{
			Entrypoint: i.Entrypoint, Env: append([]string{path}, i.Env...), User: i.User, WorkingDir: "/", Labels: i.Labels,
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{"sha256:" + digest}},
		History: []history{{Created: Epoch, CreatedBy: "herald image-tars"}},
	}
}

func entry(w *tar.Writer, name string, from io.Reader, size int64) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: Epoch, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := io.Copy(w, from)
	return err
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

// counter counts what is written to it.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
