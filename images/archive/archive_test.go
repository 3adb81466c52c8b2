package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// contents reads a tar file: its names in order, and each one's header and text.
func contents(t *testing.T, in io.Reader) (names []string, headers map[string]*tar.Header, texts map[string][]byte) {
	t.Helper()
	headers, texts = map[string]*tar.Header{}, map[string][]byte{}
	for r := tar.NewReader(in); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, headers, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		headers[header.Name] = header
		if texts[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func file(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// programs makes an image of two files, written at the time given.
func programs(t *testing.T, at time.Time) Image {
	t.Helper()
	dir := t.TempDir()
	binary := file(t, filepath.Join(dir, "b"), "binary", 0o755)
	text := file(t, filepath.Join(dir, "t"), "text", 0o600)
	for _, name := range []string{binary, text} {
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return Image{
		Ref: "localhost/herald:1", Entrypoint: []string{"/usr/local/bin/herald"}, User: "65532:65532",
		Labels: map[string]string{"b": "2", "a": "1"},
		Files:  Programs{"/usr/local/bin/herald": binary, "/usr/share/x/text": text},
	}
}

func TestSameFilesSameBytes(t *testing.T) {
	var first, second bytes.Buffer
	for out, at := range map[*bytes.Buffer]time.Time{&first: time.Unix(1, 0), &second: time.Unix(1e9, 5)} {
		if err := write(out, []Image{programs(t, at)}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same programs, made at another time in another directory, gave another image")
	}
}

func TestImageIsWhatItsManifestSays(t *testing.T) {
	name := filepath.Join(t.TempDir(), "herald.tar")
	if err := WriteFile(name, programs(t, time.Unix(1, 0))); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	_, _, texts := contents(t, in)
	var manifests []manifest
	if err := json.Unmarshal(texts["manifest.json"], &manifests); err != nil || len(manifests) != 1 {
		t.Fatalf("manifest.json: %v: %s", err, texts["manifest.json"])
	}
	m := manifests[0]
	if got := fmt.Sprint(m.RepoTags); got != "[localhost/herald:1]" {
		t.Errorf("tags %s", got)
	}
	if sum(texts[m.Config])+".json" != m.Config {
		t.Errorf("%s isn't named by its contents", m.Config)
	}
	var c configFile
	if err := json.Unmarshal(texts[m.Config], &c); err != nil {
		t.Fatal(err)
	}
	if want := "sha256:" + sum(texts[m.Layers[0]]); c.RootFS.DiffIDs[0] != want {
		t.Errorf("the layer is %s, the configuration says %s", want, c.RootFS.DiffIDs[0])
	}
	if c.Config.User != "65532:65532" || c.Config.Labels["a"] != "1" || c.Config.Entrypoint[0] != "/usr/local/bin/herald" || c.OS != "linux" {
		t.Errorf("configuration %+v", c)
	}
	names, headers, layer := contents(t, bytes.NewReader(texts[m.Layers[0]]))
	if got, want := strings.Join(names, " "), "tmp/ usr/ usr/local/ usr/local/bin/ usr/share/ usr/share/x/ usr/local/bin/herald usr/share/x/text"; got != want {
		t.Errorf("layer %s\nwant  %s", got, want)
	}
	if h := headers["usr/local/bin/herald"]; h.Mode != 0o755 || h.Uid != 0 || string(layer[h.Name]) != "binary" {
		t.Errorf("herald: %+v", h)
	}
	if h := headers["usr/share/x/text"]; h.Mode != 0o644 {
		t.Errorf("text: everybody must be able to read it: %o", h.Mode)
	}
}

func TestRootKeepsLinksModesAndTimes(t *testing.T) {
	dir := t.TempDir()
	at := time.Unix(1e9, 5e8)
	tool := file(t, filepath.Join(dir, "usr/bin/tool"), "tool", 0o755)
	if err := os.Chmod(tool, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(tool, at, at); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(tool, filepath.Join(dir, "usr/bin/zweiter")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("usr/bin", filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	file(t, filepath.Join(dir, "proc/1"), "host", 0o644)
	file(t, filepath.Join(dir, "stamp"), "host", 0o644)
	root := Root{Dir: dir, Without: []string{"stamp"}, Emptied: []string{"proc"}}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if _, _, err := writeLayer(out, root); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same root gave another layer")
	}
	names, headers, _ := contents(t, &first)
	if got, want := strings.Join(names, " "), "bin proc/ usr/ usr/bin/ usr/bin/tool usr/bin/zweiter"; got != want {
		t.Errorf("layer %s\nwant  %s", got, want)
	}
	if h := headers["bin"]; h.Typeflag != tar.TypeSymlink || h.Linkname != "usr/bin" {
		t.Errorf("bin: %+v", h)
	}
	if h := headers["usr/bin/tool"]; h.FileInfo().Mode()&os.ModeSetuid == 0 || !h.ModTime.Equal(at.Truncate(time.Second)) {
		t.Errorf("tool: %+v", h)
	}
	if h := headers["usr/bin/zweiter"]; h.Typeflag != tar.TypeLink || h.Linkname != "usr/bin/tool" {
		t.Errorf("zweiter: %+v", h)
	}
}

func TestMissingFileLeavesNoImage(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.tar")
	err := WriteFile(name, Image{Ref: "x:1", Files: Programs{"/x": "/no/such/file"}})
	if err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Errorf("error %v doesn't name the file", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), "*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
