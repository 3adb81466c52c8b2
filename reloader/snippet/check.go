package snippet

import (
	"fmt"
	"strings"
)

const (
	// maxLine is where vtysh hangs (measured on 8.4.4 and 10.3).
	maxLine = 4095
	// maxWords of a line: FRR splits it into at most 256, and frr-reload needs one
	// word more to take it away.
	maxWords = 255
	// comment stands for what is none of FRR's business, so that lines keep their
	// numbers.
	comment = "!"
)

// Problem is why a snippet can't be used.
type Problem struct {
	// Line counts from 1; 0: no single one. Text is the line's.
	Line int
	Text string
	// Why with the remedy.
	Why string
}

func (p *Problem) Error() string {
	if p.Line == 0 {
		return p.Why
	}
	return fmt.Sprintf("line %d %q: %s", p.Line, shorten(p.Text), p.Why)
}

func shorten(text string) string {
	const limit = 120
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// Owned is what Herald has in the configuration already.
type Owned struct {
	// Neighbors of Herald's own peers.
	Neighbors map[Neighbor]bool
}

// Neighbor is one of an instance: another VRF's of the same address is another one.
type Neighbor struct {
	// VRF of the instance, "" for the default VRF.
	VRF string
	// Name as FRR prints it: an address or an interface.
	Name string
}

// Check reads a snippet's text. It gives its lines for frr.conf, as many as the
// text has, or the first problem. "\r\n" ends a line as "\n" does, a tab is a
// blank.
func Check(text string, owned Owned) ([]string, *Problem) {
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	lines := strings.Split(text, "\n")
	c := checker{owned: owned}
	commands := 0
	for i, raw := range lines {
		line, why := clean(raw)
		if why == "" && line != comment {
			commands++
			why = c.command(strings.Fields(line))
		}
		if why != "" {
			return nil, &Problem{Line: i + 1, Text: printable(raw), Why: why}
		}
		lines[i] = line
	}
	if commands == 0 {
		return nil, &Problem{Why: "holds no command: write one, or delete the FRRSnippet"}
	}
	return lines, nil
}

// clean is a line as FRR may read it, or why it may not.
func clean(raw string) (line, why string) {
	line = strings.TrimRight(strings.ReplaceAll(raw, "\t", " "), " ")
	trimmed := strings.TrimLeft(line, " ")
	isComment := trimmed == "" || trimmed[0] == '!' || trimmed[0] == '#'
	for _, r := range line {
		if r < ' ' || r == 0x7f {
			return "", fmt.Sprintf("holds the control character U+%04X: remove it", r)
		}
		if r > '~' && !isComment {
			return "", fmt.Sprintf("holds %q: outside comments only printable ASCII is allowed", r)
		}
	}
	switch {
	case len(line) > maxLine:
		return "", fmt.Sprintf("is longer than %d characters: FRR would hang; split it", maxLine)
	case isComment:
		return comment, ""
	case len(strings.Fields(line)) > maxWords:
		return "", fmt.Sprintf("has more than %d words: FRR takes no more; split it", maxWords)
	case strings.HasSuffix(line, "?"):
		return "", `ends with "?", which FRR's shell reads as a question`
	}
	return line, ""
}

// printable is a line for a message.
func printable(raw string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.TrimSpace(strings.ToValidUTF8(raw, "")))
}
