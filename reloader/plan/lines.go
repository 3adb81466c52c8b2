package plan

import (
	"slices"
	"strings"
)

// Delta is a line that differs: Missing is wanted and doesn't run, otherwise it
// runs and isn't wanted.
type Delta struct {
	Missing bool
	Line    Line
}

// String is "+" for what FRR lacks and "-" for what it has too much.
func (d Delta) String() string {
	if d.Missing {
		return "+ " + d.Line.String()
	}
	return "- " + d.Line.String()
}

// Deltas lists every line in which FRR differs from what is wanted; none means
// that it runs exactly that.
func Deltas(want *Config, state *State) []Delta {
	d := compare(want, state)
	var l deltas
	l.lines("", d.top)
	for _, line := range slices.Concat(d.staleDiscards, d.staleInterfaces) {
		l.add(false, line.Context, line.Text)
	}
	l.lines("", d.lists)
	for _, block := range d.blocks {
		l.block(block)
	}
	for _, e := range d.entries {
		l.entry(e)
	}
	for _, name := range d.staleMaps {
		l.add(false, "", routeMapPrefix+name)
	}
	for _, r := range d.routers {
		l.router(r)
	}
	return l
}

type deltas []Delta

func (l *deltas) add(missing bool, context, text string) {
	*l = append(*l, Delta{Missing: missing, Line: Line{Context: context, Text: text}})
}

func (l *deltas) lines(context string, d lineDiff) {
	for _, text := range d.unexpected {
		l.add(false, context, text)
	}
	for _, text := range d.missing {
		l.add(true, context, text)
	}
}

func (l *deltas) block(b blockDiff) {
	for _, key := range b.unexpected {
		l.add(false, strings.TrimSuffix(b.header+" / "+key.path, " / "), key.text)
	}
	if b.absent {
		l.add(true, "", b.header)
	}
	for _, line := range b.missing {
		l.add(true, strings.TrimSuffix(b.header+" / "+line.Path, " / "), line.Text)
	}
}

func (l *deltas) entry(e entryDiff) {
	switch {
	case e.want == nil:
		l.add(false, "", e.have.Header())
	case e.have == nil:
		l.add(true, "", e.want.Header())
	case e.have.Action != e.want.Action:
		l.add(false, "", e.have.Header())
		l.add(true, "", e.want.Header())
	default:
		before := len(*l)
		l.lines(e.want.Header(), diffLines(e.want.Lines, e.have.Lines))
		if len(*l) == before {
			l.add(false, e.want.Header(), "lines of another daemon than bgpd")
		}
	}
}

func (l *deltas) router(r routerDiff) {
	switch {
	case r.want == nil:
		l.add(false, "", r.have.Header)
		return
	case r.have == nil:
		l.add(true, "", r.want.Header)
	}
	l.lines(r.want.Header, r.lines)
	for _, f := range r.families {
		context := r.want.Header + " / " + familyPrefix + f.name
		l.lines(context, f.lines)
		for _, n := range f.networks.removed {
			l.add(false, context, n.command())
		}
		for _, n := range f.networks.added {
			l.add(true, context, n.command())
		}
	}
}
