package plan

import (
	"slices"
	"strings"
)

// entryDiff is a route-map entry that has to change.
type entryDiff struct {
	// want is nil where the map is wanted and this entry isn't.
	want *Entry
	// have is how bgpd runs it, nil if it doesn't.
	have *Entry
	// stale: another daemon runs something that isn't wanted.
	stale bool
	// mapRuns: the map exists, so a neighbor may be using it.
	mapRuns bool
	// idle: the entry isn't wanted and matches a tag that nothing wanted sets. The
	// lines that have the tag now need it until they have another.
	idle bool
}

func (d *difference) compareEntries() {
	running := d.state.entries()
	wanted := map[string]bool{}
	runs := map[string]bool{}
	for key := range running {
		runs[key.name] = true
	}
	for _, want := range d.want.RouteMaps {
		wanted[want.Map] = true
		diff := diffEntry(want, running[want.key()], d.state.bgp())
		delete(running, want.key())
		if diff != nil {
			diff.mapRuns = runs[want.Map]
			d.entries = append(d.entries, *diff)
		}
	}
	d.unexpectedEntries(running, wanted)
}

func (d *difference) unexpectedEntries(running map[entryKey][]*Entry, wanted map[string]bool) {
	stale, tags := map[string]bool{}, map[string]bool{}
	for _, tag := range d.want.tags() {
		tags[tag] = true
	}
	for key, entries := range running {
		if wanted[key.name] {
			d.entries = append(d.entries, entryDiff{have: entries[0], mapRuns: true, idle: matchesNoneOf(entries[0], tags)})
		} else {
			stale[key.name] = true
		}
	}
	slices.SortFunc(d.entries, func(a, b entryDiff) int { return strings.Compare(a.order(), b.order()) })
	for name := range stale {
		d.staleMaps = append(d.staleMaps, name)
	}
	slices.Sort(d.staleMaps)
}

// matchesNoneOf says whether an entry matches a tag, and none of these.
func matchesNoneOf(e *Entry, tags map[string]bool) bool {
	for _, line := range e.Lines {
		if tag, ok := strings.CutPrefix(line, "match tag "); ok {
			return !tags[tag]
		}
	}
	return false
}

// order puts the entries that only go before those that come, each by name.
func (e *entryDiff) order() string {
	if e.want == nil {
		return "0" + e.have.Header()
	}
	return "1" + e.want.Header()
}

// diffEntry is nil where bgpd runs exactly the wanted entry and no other daemon
// runs a line of it that isn't wanted. Other daemons know only some lines.
func diffEntry(want *Entry, running []*Entry, bgp *Config) *entryDiff {
	d := &entryDiff{want: want}
	equal := false
	for _, e := range running {
		if d.have == nil && slices.Contains(bgp.RouteMaps, e) {
			d.have = e
			equal = e.Action == want.Action && diffLines(want.Lines, e.Lines).empty()
			continue
		}
		if e.Action != want.Action || len(without(e.Lines, want.Lines)) > 0 {
			d.stale = true
		}
	}
	if equal && !d.stale {
		return nil
	}
	return d
}

// write appends the commands that make the entry what is wanted.
func (e *entryDiff) write(b *strings.Builder) {
	switch {
	case e.want == nil:
		writeLine(b, 0, "no "+e.have.Header())
	case e.have == nil || e.stale || !e.editable():
		e.writeAnew(b)
	default:
		e.writeEdit(b)
	}
}

// writeAnew builds an entry so that it permits nothing before it is complete:
// an entry without its match line would permit every class. "deny" turns into
// "permit" in place, keeping its lines (measured on FRR 8.4 and 10.3).
func (e *entryDiff) writeAnew(b *strings.Builder) {
	if e.have != nil {
		writeLine(b, 0, "no "+e.have.Header())
	} else if e.stale {
		writeLine(b, 0, "no "+e.want.Header())
	}
	first := *e.want
	if e.mapRuns {
		first.Action = "deny"
	}
	first.write(b)
	if first.Action != e.want.Action {
		writeLine(b, 0, e.want.Header())
		writeLine(b, 0, exit)
	}
}

// editable: the conditions stay as they are and each changed "set" line is of a
// kind that FRR replaces in place.
func (e *entryDiff) editable() bool {
	diff := diffLines(e.want.Lines, e.have.Lines)
	for _, line := range slices.Concat(diff.missing, diff.unexpected) {
		if setKind(line) == "" {
			return false
		}
	}
	return e.want.Action == e.have.Action
}

// writeEdit replaces in place: an announced prefix never loses an attribute on
// the way to another value of it.
func (e *entryDiff) writeEdit(b *strings.Builder) {
	diff := diffLines(e.want.Lines, e.have.Lines)
	writeLine(b, 0, e.want.Header())
	replaced := map[string]bool{}
	for _, line := range diff.missing {
		replaced[setKind(line)] = true
		writeLine(b, 1, line)
	}
	for _, line := range diff.unexpected {
		if !replaced[setKind(line)] {
			writeLine(b, 1, unset(line))
		}
	}
	writeLine(b, 0, exit)
}

// unset is the command that takes a "set" line away.
func unset(line string) string {
	const prepend = "set as-path prepend"
	if strings.HasPrefix(line, prepend) {
		line = prepend // FRR 8.4 knows "no" with one number at most
	}
	return "no " + line
}

// setKinds are the "set" commands of which an entry has at most one.
var setKinds = []string{
	"set as-path prepend ", "set as-path exclude ", "set community ", "set large-community ",
	"set extcommunity bandwidth ", "set extcommunity none", "set extcommunity rt ", "set extcommunity soo ",
	"set local-preference ", "set metric ", "set origin ", "set tag ", "set weight ",
	"set ip next-hop ", "set ipv6 next-hop global ", "set ipv6 next-hop local ",
}

func setKind(line string) string {
	for _, kind := range setKinds {
		if strings.HasPrefix(line, kind) {
			return kind
		}
	}
	return ""
}
