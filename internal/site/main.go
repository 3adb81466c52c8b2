package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

func main() {
	docs := flag.String("docs", "docs", "directory of the Markdown")
	out := flag.String("out", "dist/site", "directory for the site")
	flag.Parse()
	if err := build(*docs, *out); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

// build makes the site anew.
func build(docs, out string) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	s, err := read(docs)
	if err != nil {
		return err
	}
	for name, data := range s.files {
		if err := write(filepath.Join(out, name), data); err != nil {
			return err
		}
	}
	for _, p := range s.pages {
		html, err := s.html(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := write(filepath.Join(out, p.target()), html); err != nil {
			return err
		}
	}
	return nil
}

// read takes in all of docs: pages, and files that pages show.
func read(docs string) (*site, error) {
	s := &site{pages: map[string]*page{}, files: map[string][]byte{}}
	err := fs.WalkDir(os.DirFS(docs), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".md") {
			s.pages[name] = parse(name, data)
		} else {
			s.files[name] = data
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.addIndexes()
	return s, nil
}

// addIndexes gives each directory without a README.md a page that lists it.
func (s *site) addIndexes() {
	lists := map[string][]string{}
	for name := range s.pages {
		if dir := path.Dir(name); dir != "." {
			lists[dir] = append(lists[dir], name)
		}
	}
	for dir, names := range lists {
		if index := path.Join(dir, "README.md"); s.pages[index] == nil {
			s.pages[index] = parse(index, s.listing(dir, names))
		}
	}
}

func write(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
