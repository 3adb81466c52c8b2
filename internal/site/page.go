package main

import (
	"bytes"
	"fmt"
	"html"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	renderer "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
)

// repository is where what pages link to outside of docs/ is shown.
const repository = "https://github.com/herald-lb/herald/blob/main/"

// home is the page that all begins with, and whose list is the navigation.
const home = "README.md"

// markdown as GitHub reads it. Raw HTML: the API reference breaks lines in tables.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
	goldmark.WithRendererOptions(renderer.WithUnsafe()),
)

// site is all of docs/ by path.
type site struct {
	pages map[string]*page
	files map[string][]byte
}

type page struct {
	name, title string
	source      []byte
	tree        ast.Node
	// anchors that links may name, links in their order.
	anchors map[string]bool
	links   []link
}

type link struct{ text, to string }

func parse(name string, source []byte) *page {
	p := &page{name: name, source: source, anchors: map[string]bool{}}
	context := parser.NewContext(parser.WithIDs(&ids{used: p.anchors}))
	p.tree = markdown.Parser().Parse(text.NewReader(source), parser.WithContext(context))
	_ = ast.Walk(p.tree, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch node := node.(type) {
		case *ast.Heading:
			if p.title == "" {
				p.title = plain(node, source)
			}
		case *ast.Link:
			p.links = append(p.links, link{plain(node, source), string(node.Destination)})
			node.Destination = []byte(p.rewrite(string(node.Destination)))
		case *ast.Image:
			p.links = append(p.links, link{plain(node, source), string(node.Destination)})
		}
		return ast.WalkContinue, nil
	})
	return p
}

// plain is the text of a node without its form.
func plain(node ast.Node, source []byte) string {
	var out strings.Builder
	_ = ast.Walk(node, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, is := n.(*ast.Text); is && entering {
			out.Write(t.Segment.Value(source))
			if t.SoftLineBreak() {
				out.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return out.String()
}

// resolve says which path of docs/ a link is to, and which heading there; ".." begins
// a path outside of docs/.
func (p *page) resolve(to string) (name, anchor string) {
	to, anchor, _ = strings.Cut(to, "#")
	if to == "" {
		return p.name, anchor
	}
	name = path.Join(path.Dir(p.name), to)
	if strings.HasSuffix(to, "/") {
		name = path.Join(name, "README.md")
	}
	return name, anchor
}

func isExternal(to string) bool {
	return strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "mailto:")
}

// rewrite is a link as the site has it.
func (p *page) rewrite(to string) string {
	if isExternal(to) || strings.HasPrefix(to, "#") {
		return to
	}
	name, anchor := p.resolve(to)
	if anchor != "" {
		anchor = "#" + anchor
	}
	if outside, is := strings.CutPrefix(name, "../"); is {
		return repository + outside + anchor
	}
	return p.up() + target(name) + anchor
}

// up leads from the page to the site's root.
func (p *page) up() string { return strings.Repeat("../", strings.Count(p.name, "/")) }

func (p *page) target() string { return target(p.name) }

// target is where a path of docs/ is on the site.
func target(name string) string {
	if path.Base(name) == "README.md" {
		return path.Join(path.Dir(name), "index.html")
	}
	if base, is := strings.CutSuffix(name, ".md"); is {
		return base + ".html"
	}
	return name
}

// listing is a page that lists others, the newest name last.
func (s *site) listing(dir string, names []string) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s\n\n", strings.ToUpper(dir[:1])+dir[1:])
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&out, "- [%s](%s)\n", s.pages[name].title, path.Base(name))
	}
	return out.Bytes()
}

// html is the whole page.
func (s *site) html(p *page) ([]byte, error) {
	var body bytes.Buffer
	if err := markdown.Renderer().Render(&body, p.source, p.tree); err != nil {
		return nil, err
	}
	var nav strings.Builder
	for _, l := range s.pages[home].links {
		name, _ := s.pages[home].resolve(l.to)
		class := ""
		if name == p.name {
			class = ` class="here" aria-current="page"`
		}
		fmt.Fprintf(&nav, "<li><a href=\"%s%s\"%s>%s</a></li>\n", p.up(), target(name), class, html.EscapeString(l.text))
	}
	return fmt.Appendf(nil, frame, html.EscapeString(p.title), style, p.up(), nav.String(), body.String()), nil
}

// ids are GitHub's: its readers follow the same links.
type ids struct{ used map[string]bool }

// Generate implements parser.IDs.
func (i *ids) Generate(value []byte, _ ast.NodeKind) []byte {
	var out strings.Builder
	for _, r := range strings.ToLower(string(value)) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			out.WriteRune(r)
		case r == ' ':
			out.WriteByte('-')
		}
	}
	id := out.String()
	for n := 1; i.used[id]; n++ {
		id = fmt.Sprintf("%s-%d", out.String(), n)
	}
	i.used[id] = true
	return []byte(id)
}

// Put implements parser.IDs.
func (i *ids) Put(value []byte) { i.used[string(value)] = true }
