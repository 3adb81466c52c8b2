package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var root = filepath.Join("..", "..")

// Every link of docs/ leads somewhere: to a page, to a heading of it, to a file of
// docs/ or of the repository. And every page can be reached from the home page.
func TestNoLinkIsDead(t *testing.T) {
	s, err := read(filepath.Join(root, "docs"))
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, p := range s.pages {
		if p.title == "" {
			t.Errorf("%s has no title", p.name)
		}
		for _, l := range p.links {
			links++
			if why := s.dead(p, l.to); why != "" {
				t.Errorf("%s: [%s](%s): %s", p.name, l.text, l.to, why)
			}
		}
	}
	if len(s.pages) < 25 || links < 100 {
		t.Errorf("only %d pages and %d links were read", len(s.pages), links)
	}
	reached := map[string]bool{}
	s.reach(home, reached)
	for name := range s.pages {
		if !reached[name] {
			t.Errorf("%s: no way leads there from docs/README.md", name)
		}
	}
}

// dead says why a link leads nowhere; "" if it leads somewhere.
func (s *site) dead(p *page, to string) string {
	if isExternal(to) {
		return "" // not asked: a test must not need the world
	}
	name, anchor := p.resolve(to)
	if strings.HasPrefix(name, "../") {
		if _, err := os.Stat(filepath.Join(root, "docs", name)); err != nil {
			return "there is no such file in the repository"
		}
		return ""
	}
	linked := s.pages[name]
	switch {
	case linked == nil && s.files[name] == nil:
		return "there is no such page"
	case anchor != "" && (linked == nil || !linked.anchors[anchor]):
		return "there is no such heading"
	}
	return ""
}

func (s *site) reach(name string, reached map[string]bool) {
	if reached[name] || s.pages[name] == nil {
		return
	}
	reached[name] = true
	for _, l := range s.pages[name].links {
		if !isExternal(l.to) {
			next, _ := s.pages[name].resolve(l.to)
			s.reach(next, reached)
		}
	}
}

func TestDeadLinksAreFound(t *testing.T) {
	s := &site{pages: map[string]*page{}, files: map[string][]byte{"a.svg": nil}}
	s.files["a.svg"] = []byte{}
	s.pages["b.md"] = parse("b.md", []byte("# One `two`, three\n\n## Again\n\n## Again\n"))
	p := parse("kinds/c.md", nil)
	for to, want := range map[string]string{
		"../b.md": "", "../b.md#one-two-three": "", "../b.md#again-1": "", "../a.svg": "", "https://example.com/": "",
		"../../README.md": "", "../../nothing.md": "there is no such file in the repository",
		"b.md": "there is no such page", "../b.md#again-2": "there is no such heading", "#x": "there is no such page",
	} {
		if got := s.dead(p, to); got != want {
			t.Errorf("%s: %q, want %q", to, got, want)
		}
	}
}

var href = regexp.MustCompile(`(?:href|src)="([^"#]+)(?:#[^"]*)?"`)

// The pages that are made are whole, and what they link to is made too.
func TestTheSiteIsWhole(t *testing.T) {
	out := t.TempDir()
	if err := build(filepath.Join(root, "docs"), out); err != nil {
		t.Fatal(err)
	}
	checked := 0
	err := filepath.WalkDir(out, func(file string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".html") {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := wellFormed(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, found := range href.FindAllSubmatch(data, -1) {
			to := string(found[1])
			if isExternal(to) {
				continue
			}
			checked++
			if _, err := os.Stat(path.Join(filepath.Dir(file), to)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		return nil
	})
	if err != nil || checked < 500 {
		t.Errorf("%d links, %v", checked, err)
	}
}

// wellFormed reads a page as HTML in the strict form that this program writes.
func wellFormed(data []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(data))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
