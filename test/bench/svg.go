package main

import (
	"fmt"
	"strings"
)

// Colours that can be read on white and on dark: no background is drawn, and what
// prefers-color-scheme says is not what the page around an image does.
const (
	textColour   = "#77777f"
	lineColour   = "#9a9aa3"
	targetColour = "#d0453c"
)

// colours of series.
var colours = []string{"#2f81c7", "#c2700f", "#8a63d2"}

// drawing is an SVG in the making.
type drawing struct {
	strings.Builder
	width, height float64
}

func newDrawing(width, height float64, title string) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" font-family="sans-serif" font-size="12" fill="%s">`+"\n",
		width, height, width, height, textColour)
	fmt.Fprintf(d, "<title>%s</title>\n", escaped(title))
	d.text(8, 18, "start", `font-size="14" font-weight="bold"`, title)
	return d
}

func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(text)
}

// text at a point; anchor is start, middle or end.
func (d *drawing) text(x, y float64, anchor, style, text string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, style, escaped(text))
}

func (d *drawing) line(x1, y1, x2, y2 float64, colour, style string) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" %s/>`+"\n", x1, y1, x2, y2, colour, style)
}

func (d *drawing) dot(x, y float64, colour string) {
	fmt.Fprintf(d, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s" fill-opacity="0.45"/>`+"\n", x, y, colour)
}

func (d *drawing) bar(x, y, width, height float64, colour string) {
	fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, max(width, 1), height, colour)
}

func (d *drawing) end() string { return d.String() + "</svg>\n" }

// axis maps values to places from left to right.
type axis struct {
	left, right, from, to float64
	// by turns a value into something linear.
	by func(float64) float64
}

func (a axis) at(value float64) float64 {
	value = min(max(value, a.from), a.to)
	return a.left + (a.right-a.left)*(a.by(value)-a.by(a.from))/(a.by(a.to)-a.by(a.from))
}

// ticks draws lines at some values with their words.
func (d *drawing) ticks(a axis, top, bottom float64, values []float64, word func(float64) string) {
	for _, value := range values {
		d.line(a.at(value), top, a.at(value), bottom, lineColour, `stroke-width="0.5" stroke-dasharray="2 3"`)
		d.text(a.at(value), bottom+15, "middle", "", word(value))
	}
}
