package plan

import (
	"slices"
	"strings"
)

// Text is the configuration in an order in which FRR may be given it line by
// line: what is named comes before what names it, so that a neighbor never has
// half a policy. Kept lines are left out.
func (c *Config) Text(quirks Quirks) string {
	var b strings.Builder
	b.Grow(c.roughSize())
	ordered := *c
	ordered.Routers = nil
	for _, r := range c.Routers {
		ordered.Routers = append(ordered.Routers, quirks.order(r))
	}
	ordered.write(&b)
	return b.String()
}

// roughSize of the text: of many networks most of the time would go into making room.
func (c *Config) roughSize() (size int) {
	const ofFrame, ofLine = 8 << 10, 64
	for _, r := range c.Routers {
		for _, f := range r.Families {
			size += ofLine * len(f.Networks)
		}
	}
	return size + ofFrame
}

func (c *Config) write(b *strings.Builder) {
	for _, line := range c.Top {
		writeLine(b, 0, line)
	}
	for _, block := range c.Blocks {
		block.write(b)
	}
	for _, e := range c.RouteMaps {
		e.write(b)
	}
	for _, r := range c.Routers {
		r.write(b)
	}
}

func (k *Block) write(b *strings.Builder) {
	writeLine(b, 0, k.Header)
	for i, line := range k.Lines {
		writeLine(b, line.Depth, line.Text)
		next := 0
		if i+1 < len(k.Lines) {
			next = k.Lines[i+1].Depth
		}
		// Close inner blocks; one that is followed by its sibling was closed too.
		for depth := line.Depth - 1; depth >= max(next, 1); depth-- {
			writeLine(b, depth, exit)
		}
	}
	writeLine(b, 0, k.Footer)
}

func (e *Entry) write(b *strings.Builder) {
	writeLine(b, 0, e.Header())
	for _, line := range e.Lines {
		writeLine(b, 1, line)
	}
	writeLine(b, 0, exit)
}

func (r *Router) write(b *strings.Builder) {
	writeLine(b, 0, r.Header)
	for _, line := range r.Lines {
		writeLine(b, 1, line)
	}
	for _, f := range r.Families {
		f.write(b)
	}
	writeLine(b, 0, exit)
}

// write puts the activation of a neighbor after its maps: iBGP has no default
// policy (RFC 8212 is about eBGP), it would be sent everything meanwhile.
func (f *Family) write(b *strings.Builder) {
	writeLine(b, 1, familyPrefix+f.Name)
	for _, line := range activationLast(f.Lines) {
		writeLine(b, 2, line)
	}
	for _, n := range f.Networks { // thousands: no string is made for each
		b.WriteString("  ")
		b.WriteString(networkPrefix)
		b.WriteString(n.Prefix)
		if n.Rest != "" {
			b.WriteByte(' ')
			b.WriteString(n.Rest)
		}
		b.WriteByte('\n')
	}
	writeLine(b, 1, exitFamily)
}

func activationLast(lines []string) []string {
	sorted := slices.Clone(lines)
	slices.SortStableFunc(sorted, func(a, b string) int { return activates(a) - activates(b) })
	return sorted
}

func activates(line string) int {
	if strings.HasPrefix(line, neighborPrefix) && strings.HasSuffix(line, " activate") {
		return 1
	}
	return 0
}

func (n Network) command() string {
	if n.Rest == "" {
		return networkPrefix + n.Prefix
	}
	return networkPrefix + n.Prefix + " " + n.Rest
}

func writeLine(b *strings.Builder, depth int, text string) {
	for range depth {
		b.WriteByte(' ')
	}
	b.WriteString(text)
	b.WriteByte('\n')
}
