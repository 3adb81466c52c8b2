package archive

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Programs are executables (or other files) by their absolute path in the image,
// with the file of this machine that each is copied from. They belong to root
// and lie in an otherwise empty root.
type Programs map[string]string

func (p Programs) write(w *tar.Writer) error {
	for _, dir := range p.directories() {
		header := &tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: Epoch, Format: tar.FormatPAX}
		if dir == "tmp" {
			header.Mode = 0o1777
		}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
	}
	for _, target := range sortedKeys(p) {
		if err := writeProgram(w, strings.TrimPrefix(target, "/"), p[target]); err != nil {
			return err
		}
	}
	return nil
}

// directories are all directories above the programs, parents first.
func (p Programs) directories() []string {
	seen := map[string]string{"tmp": ""}
	for target := range p {
		for dir := filepath.Dir(target); dir != "/"; dir = filepath.Dir(dir) {
			seen[strings.TrimPrefix(dir, "/")] = ""
		}
	}
	return sortedKeys(seen)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func writeProgram(w *tar.Writer, target, source string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if st.Mode()&0o100 != 0 {
		mode = 0o755
	}
	if err := w.WriteHeader(&tar.Header{Name: target, Mode: mode, Size: st.Size(), ModTime: Epoch, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return err
}

// Root is a root filesystem on this machine, with its owners, modes, links and
// times (Python's caches know their sources by them).
type Root struct {
	Dir string
	// Without are paths below Dir, without the leading slash, that are left out.
	Without []string
	// Emptied are directories whose contents are left out.
	Emptied []string
}

func (r Root) write(w *tar.Writer) error {
	links := map[inode]string{}
	return filepath.WalkDir(r.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.Dir, path)
		if err != nil || name == "." {
			return err
		}
		if slices.Contains(r.Without, name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if err := writeEntry(w, path, name, links); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if d.IsDir() && slices.Contains(r.Emptied, name) {
			return fs.SkipDir
		}
		return nil
	})
}

// inode tells files that have several names.
type inode struct{ device, number uint64 }

func writeEntry(w *tar.Writer, path, name string, links map[inode]string) error {
	st, err := os.Lstat(path)
	if err != nil || st.Mode()&os.ModeSocket != 0 {
		return err
	}
	target := ""
	if st.Mode()&os.ModeSymlink != 0 {
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(st, target)
	if err != nil {
		return err
	}
	header.Name = name
	if st.IsDir() {
		header.Name += "/"
	}
	// Names of owners are this machine's; of times only whole seconds last.
	header.Uname, header.Gname = "", ""
	header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
	header.ModTime = st.ModTime().Truncate(time.Second)
	header.Format = tar.FormatPAX
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && st.Mode().IsRegular() && sys.Nlink > 1 {
		id := inode{sys.Dev, sys.Ino}
		if first, ok := links[id]; ok {
			header.Typeflag, header.Linkname, header.Size = tar.TypeLink, first, 0
			return w.WriteHeader(header)
		}
		links[id] = name
	}
	if err := w.WriteHeader(header); err != nil || !st.Mode().IsRegular() {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	_, err = io.Copy(w, in)
	return err
}
