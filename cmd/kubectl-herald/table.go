package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// lineWidth is what tables keep to where nobody asks for more.
const lineWidth = 100

// table prints rows under a header; the last column is wrapped at the width.
type table struct {
	header []string
	rows   [][]string
	// width of a line; 0: as long as it gets.
	width int
	// colour of a cell, by its text; nil: none.
	colour func(text string) string
}

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	t.rows = append(t.rows, cells)
}

func (t *table) print(out io.Writer) error {
	widths := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for i, row := range append([][]string{t.header}, t.rows...) {
		t.row(&text, row, widths, i > 0)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

const columnGap = 2

func (t *table) row(text *strings.Builder, row []string, widths []int, body bool) {
	var line strings.Builder
	indent := 0
	for i, cell := range row[:len(row)-1] {
		shown := cell
		if body && t.colour != nil {
			shown = t.colour(cell)
		}
		line.WriteString(shown + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+columnGap))
		indent += widths[i] + columnGap
	}
	limit := 0
	if t.width > 0 {
		limit = max(t.width-indent, leastColumn)
	}
	for i, part := range wrap(row[len(row)-1], limit) {
		if i > 0 {
			line.WriteString(strings.Repeat(" ", indent))
		}
		if body && t.colour != nil {
			part = t.colour(part)
		}
		line.WriteString(part + "\n")
	}
	for written := range strings.Lines(line.String()) {
		text.WriteString(strings.TrimRight(written, " \n") + "\n")
	}
}

// leastColumn is how narrow a wrapped column may get.
const leastColumn = 30

// wrap breaks text at spaces into lines of at most so many characters, 0 for any
// number; a longer word stays whole.
func wrap(text string, width int) []string {
	if width == 0 {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// ANSI colours of good and bad states.
const (
	green, red, yellow = "\x1b[32m", "\x1b[31m", "\x1b[33m"
	plain              = "\x1b[0m"
)

// words that have a colour.
var words = map[string]string{
	"Established": green, "Announced": green, "True": green, "Up": green, "Ready": green,
	"NotAnnounced": red, "False": red, "Idle": red, "Active": red, "Connect": red, "OpenSent": red, "OpenConfirm": red, "Down": red,
	"Unknown": yellow,
}

func coloured(text string) string {
	if colour := words[text]; colour != "" {
		return colour + text + plain
	}
	return text
}

// colourFor is coloured on a terminal that wants it (NO_COLOR), else nil.
func colourFor(out io.Writer) func(string) string {
	file, isFile := out.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return coloured
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
