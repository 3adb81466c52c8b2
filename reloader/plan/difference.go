package plan

import (
	"cmp"
	"slices"
	"strings"
)

// difference is everything in which a State differs from a wanted Config.
type difference struct {
	want  *Config
	state *State

	top lineDiff
	// lists are entries of prefix-lists.
	lists   lineDiff
	blocks  []blockDiff
	routers []routerDiff
	entries []entryDiff
	// staleMaps run in some daemon and are not wanted at all, sorted.
	staleMaps []string
	// staleDiscards are discard routes that run and are not wanted; those of a VRF
	// have its block as their context.
	staleDiscards []Line
	// backing are lines by which FRR says what a VRF is made of (zebra's -n): they
	// are nobody's wish and stay.
	backing []Line
	// staleInterfaces are lines of interfaces, their blocks' headers as contexts, that
	// run and are not wanted.
	staleInterfaces []Line
}

// lineDiff compares two sets of lines: missing ones are wanted and don't run.
type lineDiff struct {
	missing, unexpected []string
}

func (d lineDiff) empty() bool { return len(d.missing)+len(d.unexpected) == 0 }

type blockDiff struct {
	block  *Block // wanted, nil if not wanted
	header string
	// missing lines are wanted and don't run; absent: the whole block doesn't.
	missing    []BlockLine
	absent     bool
	unexpected []blockKey
}

// routerDiff is one router's; want or have is nil where it doesn't exist.
type routerDiff struct {
	want, have *Router
	lines      lineDiff
	families   []familyDiff
}

type familyDiff struct {
	name       string
	want, have *Family
	lines      lineDiff
	networks   networkDiff
}

func compare(want *Config, state *State) *difference {
	d := &difference{want: want, state: state}
	d.compareTop()
	d.compareBlocks()
	d.compareRouters()
	d.compareEntries()
	return d
}

func (d *difference) compareTop() {
	for _, line := range d.want.Top {
		switch {
		case isListEntry(line):
			if !slices.Contains(d.state.bgp().Top, line) {
				d.lists.missing = append(d.lists.missing, line)
			}
		case !d.state.hasTop(line):
			d.top.missing = append(d.top.missing, line)
		}
	}
	for _, name := range d.state.names() {
		for _, line := range d.state.Daemons[name].Top {
			switch {
			case slices.Contains(d.want.Top, line):
			case isDiscard(line):
				d.addStale(Line{Text: line})
			case isListEntry(line):
				if !slices.Contains(d.lists.unexpected, line) {
					d.lists.unexpected = append(d.lists.unexpected, line)
				}
			case !slices.Contains(d.top.unexpected, line):
				d.top.unexpected = append(d.top.unexpected, line)
			}
		}
	}
}

func (d *difference) addStale(line Line) {
	if !slices.Contains(d.staleDiscards, line) {
		d.staleDiscards = append(d.staleDiscards, line)
	}
}

// isDiscard says whether a line is a discard route as aggregates have it.
func isDiscard(line string) bool {
	return (strings.HasPrefix(line, "ip route ") || strings.HasPrefix(line, ipv6RoutePrefix)) && strings.HasSuffix(line, " blackhole 254")
}

func (d *difference) compareBlocks() {
	seen := map[string]bool{}
	for _, b := range d.want.Blocks {
		seen[b.Header] = true
		have := d.state.block(b.Header)
		diff := blockDiff{block: b, header: b.Header}
		for _, line := range b.Lines {
			key := blockKey{line.Path, line.Text}
			if !have[key] && !d.state.implies(b.Header, line.Text, have) {
				diff.missing = append(diff.missing, line)
			}
			delete(have, key)
		}
		diff.absent = have == nil && len(diff.missing) > 0
		diff.unexpected = d.unexpectedLines(b.Header, have)
		if len(diff.missing)+len(diff.unexpected) > 0 {
			d.blocks = append(d.blocks, diff)
		}
	}
	d.unexpectedBlocks(seen)
}

// unexpectedBlocks ignores blocks without lines: FRR prints one for each VRF
// and interface that the host has.
func (d *difference) unexpectedBlocks(seen map[string]bool) {
	for _, name := range d.state.names() {
		for _, b := range d.state.Daemons[name].Blocks {
			if seen[b.Header] {
				continue
			}
			seen[b.Header] = true
			if unexpected := d.unexpectedLines(b.Header, d.state.block(b.Header)); len(unexpected) > 0 {
				d.blocks = append(d.blocks, blockDiff{header: b.Header, unexpected: unexpected})
			}
		}
	}
}

// unexpectedLines of a block. Of a VRF they are without discard routes, which go
// last, and without what stays; an interface's are staleInterfaces.
func (d *difference) unexpectedLines(header string, lines map[blockKey]bool) []blockKey {
	keys := sortedKeys(lines)
	if isInterface(header) {
		for _, key := range keys {
			d.staleInterfaces = append(d.staleInterfaces, Line{Context: header, Text: key.text})
		}
		return nil
	}
	if !isVRF(header) {
		return keys
	}
	return slices.DeleteFunc(keys, func(key blockKey) bool {
		line := Line{Context: header, Text: key.text}
		switch {
		case isDiscard(key.text):
			d.addStale(line)
		case strings.HasPrefix(key.text, "netns "):
			d.backing = append(d.backing, line)
		default:
			return false
		}
		return true
	})
}

func isVRF(header string) bool { return strings.HasPrefix(header, vrfPrefix) }

func sortedKeys(set map[blockKey]bool) []blockKey {
	keys := make([]blockKey, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b blockKey) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.text, b.text))
	})
	return keys
}

func (d *difference) compareRouters() {
	running := d.state.bgp()
	for _, want := range d.want.Routers {
		diff := diffRouter(want, running.router(want.Header))
		if !diff.empty() {
			d.routers = append(d.routers, diff)
		}
	}
	for _, have := range running.Routers {
		if d.want.router(have.Header) == nil {
			d.routers = append(d.routers, routerDiff{have: have})
		}
	}
}

func diffRouter(want, have *Router) routerDiff {
	d := routerDiff{want: want, have: have}
	if have == nil {
		have = &Router{}
	}
	d.lines = diffLines(want.Lines, have.Lines)
	for _, f := range want.Families {
		d.addFamily(f.Name, f, have.family(f.Name))
	}
	for _, f := range have.Families {
		if want.family(f.Name) == nil {
			d.addFamily(f.Name, nil, f)
		}
	}
	return d
}

func (d *routerDiff) addFamily(name string, want, have *Family) {
	diff := familyDiff{name: name, want: want, have: have}
	if want == nil {
		want = &Family{}
	}
	if have == nil {
		have = &Family{}
	}
	diff.lines = diffLines(want.Lines, have.Lines)
	diff.networks = diffNetworks(want.Networks, have.Networks)
	if !diff.lines.empty() || !diff.networks.empty() {
		d.families = append(d.families, diff)
	}
}

func (d *routerDiff) empty() bool {
	return d.have != nil && d.want != nil && d.lines.empty() && len(d.families) == 0
}

func diffLines(want, have []string) lineDiff {
	if slices.Equal(want, have) {
		return lineDiff{}
	}
	return lineDiff{missing: without(want, have), unexpected: without(have, want)}
}

// without is what a has and b hasn't, in a's order.
func without(a, b []string) []string {
	has := make(map[string]bool, len(b))
	for _, line := range b {
		has[line] = true
	}
	var rest []string
	for _, line := range a {
		if !has[line] {
			rest = append(rest, line)
		}
	}
	return rest
}
