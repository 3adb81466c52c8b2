package plan

import (
	"net/netip"
	"slices"
	"strings"
)

const (
	neighborPrefix  = "neighbor "
	interfaceSuffix = " interface"
)

// planStructure fills Edit, Reload and Target.
func (d *difference) planStructure(p *Plan) {
	var b strings.Builder
	for _, r := range d.routers {
		d.writeGone(&b, r)
	}
	for _, line := range slices.Concat(d.top.missing, d.lists.missing) {
		writeLine(&b, 0, line)
	}
	for i := range d.entries {
		if !d.entries[i].idle {
			d.entries[i].write(&b)
		}
	}
	for _, block := range d.blocks {
		block.writeMissing(&b)
	}
	for _, r := range d.routers {
		d.writeMissing(&b, r)
	}
	d.writeListsGone(&b)
	d.writeInterfacesGone(&b)
	if b.Len() > 0 && d.comes() {
		b.WriteString(d.want.Release())
	}
	p.Edit = b.String()
	p.Reload = d.needsReload()
	if p.Edit != "" || p.Reload {
		p.Target = d.target()
	}
}

// writeGone removes whole neighbors, and families of neighbors, with the one
// command that stops them: were their lines removed one by one, a neighbor
// could lose its policy before it is gone. BFD that has to be made anew goes too.
func (d *difference) writeGone(b *strings.Builder, r routerDiff) {
	if r.want == nil || r.have == nil {
		return
	}
	var commands strings.Builder
	gone := goneNeighbors(r)
	for _, name := range gone {
		writeLine(&commands, 1, "no "+declaration(r.have, name))
	}
	for _, name := range d.rewatched(r) {
		writeLine(&commands, 1, "no neighbor "+name+" bfd")
	}
	for _, f := range r.families {
		writeDeactivated(&commands, f, gone)
	}
	if commands.Len() == 0 {
		return
	}
	writeLine(b, 0, r.want.Header)
	b.WriteString(commands.String())
	writeLine(b, 0, exit)
}

// declaration begins a neighbor: it is known by an address, or as an interface.
func declaration(r *Router, name string) string {
	if behind := neighborPrefix + name + interfaceSuffix; slices.ContainsFunc(r.Lines, func(line string) bool { return strings.HasPrefix(line, behind+" ") }) {
		return behind
	}
	return neighborPrefix + name
}

// goneNeighbors have lines that run and none that is wanted; only those named
// by an address or an interface: peer groups have a form of their own and are left
// to frr-reload.py.
func goneNeighbors(r routerDiff) []string {
	wanted := map[string]bool{}
	for _, line := range r.want.Lines {
		wanted[neighborOf(line)] = true
	}
	var gone []string
	for _, line := range r.lines.unexpected {
		name := neighborOf(line)
		if wanted[name] || slices.Contains(gone, name) {
			continue
		}
		if _, err := netip.ParseAddr(name); err == nil || strings.HasSuffix(declaration(r.have, name), interfaceSuffix) {
			gone = append(gone, name)
		}
	}
	return gone
}

func writeDeactivated(b *strings.Builder, f familyDiff, gone []string) {
	wrote := false
	for _, line := range f.lines.unexpected {
		if activates(line) == 0 || slices.Contains(gone, neighborOf(line)) {
			continue
		}
		if !wrote {
			writeLine(b, 1, familyPrefix+f.name)
			wrote = true
		}
		writeLine(b, 2, "no "+line)
	}
	if wrote {
		writeLine(b, 1, exitFamily)
	}
}

func neighborOf(line string) string {
	if f := strings.Fields(line); len(f) > 1 && f[0] == "neighbor" {
		return f[1]
	}
	return ""
}

// writeMissing leaves out a router whose instance runs under another ASN: FRR
// refuses it until frr-reload.py has removed that one.
func (d *difference) writeMissing(b *strings.Builder, r routerDiff) {
	if r.want == nil || d.conflicts(r) {
		return
	}
	add := &Router{Header: r.want.Header, Lines: d.missingLines(r)}
	for _, f := range r.families {
		if len(f.lines.missing) > 0 {
			add.Families = append(add.Families, &Family{Name: f.name, Lines: f.lines.missing})
		}
	}
	if r.have == nil || len(add.Lines) > 0 || len(add.Families) > 0 {
		add.write(b)
	}
}

func (d *difference) conflicts(r routerDiff) bool {
	if r.have != nil {
		return false
	}
	for _, other := range d.state.bgp().Routers {
		if other.Instance() == r.want.Instance() {
			return true
		}
	}
	return false
}

// writeMissing repeats the headers of inner blocks.
func (k *blockDiff) writeMissing(b *strings.Builder) {
	if k.block == nil || (!k.absent && len(k.missing) == 0) {
		return
	}
	part := &Block{Header: k.header, Footer: k.block.Footer}
	for _, line := range k.block.Lines {
		if slices.Contains(k.missing, line) || k.leadsToMissing(line) {
			part.Lines = append(part.Lines, line)
		}
	}
	part.write(b)
}

func (k *blockDiff) leadsToMissing(line BlockLine) bool {
	header := strings.TrimPrefix(line.Path+"/"+line.Text, "/")
	return slices.ContainsFunc(k.missing, func(m BlockLine) bool {
		return m.Depth > line.Depth && strings.HasSuffix(m.Path, header)
	})
}

// needsReload: something runs that Edit doesn't remove or replace. A line that
// Edit replaces in place counts too: whether it did is seen afterwards.
func (d *difference) needsReload() bool {
	if len(d.top.unexpected) > 0 {
		return true
	}
	for _, block := range d.blocks {
		if len(block.unexpected) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(d.routers, d.routerNeedsReload)
}

func (d *difference) routerNeedsReload(r routerDiff) bool {
	if r.want == nil || d.conflicts(r) {
		return true
	}
	if r.have == nil {
		return false
	}
	gone := goneNeighbors(r)
	remains := func(line string) bool { return !slices.Contains(gone, neighborOf(line)) }
	if slices.ContainsFunc(r.lines.unexpected, remains) {
		return true
	}
	return slices.ContainsFunc(r.families, func(f familyDiff) bool {
		return slices.ContainsFunc(f.lines.unexpected, remains)
	})
}

// target is the file for frr-reload.py: wanted structure, the "network" lines and
// route-maps that run when it is used, and the lines that stay as they are, so
// that it finds a difference in structure only.
func (d *difference) target() string {
	var routers []*Router
	for _, r := range d.want.Routers {
		routers = append(routers, withNetworksOf(d.state.Quirks.order(r), d.state.bgp().router(r.Header)))
	}
	return d.file(routers, d.staleDiscards...)
}

// file is one for frr-reload.py, with these routers and some lines more.
func (d *difference) file(routers []*Router, more ...Line) string {
	var b strings.Builder
	for _, line := range d.state.keptLines() {
		writeLine(&b, 0, line)
	}
	out := &Config{Blocks: d.blocksWith(slices.Concat(more, d.backing, d.staleInterfaces)), RouteMaps: d.runningMaps(), Routers: routers}
	for _, line := range more {
		if line.Context == "" {
			out.Top = append(out.Top, line.Text)
		}
	}
	// Lists that go do so last: see Cleanup.
	out.Top = append(out.Top, d.lists.unexpected...)
	for _, line := range d.want.Top {
		// A default that FRR doesn't print would be "added" at every reload.
		if d.state.printsTop(line) || !d.state.hasTop(line) {
			out.Top = append(out.Top, line)
		}
	}
	out.write(&b)
	return b.String()
}

// blocksWith are the wanted blocks as FRR prints them, and some lines of VRFs and
// interfaces more.
func (d *difference) blocksWith(more []Line) []*Block {
	var blocks []*Block
	for _, want := range d.want.Blocks {
		have := d.state.block(want.Header)
		b := &Block{Header: want.Header, Footer: want.Footer, Lines: slices.DeleteFunc(slices.Clone(want.Lines), func(line BlockLine) bool {
			return d.state.implies(want.Header, line.Text, have)
		})}
		blocks = append(blocks, b)
	}
	for _, line := range more {
		if line.Context == "" {
			continue
		}
		at := slices.IndexFunc(blocks, func(b *Block) bool { return b.Header == line.Context })
		if at < 0 {
			at = len(blocks)
			blocks = append(blocks, &Block{Header: line.Context, Footer: footerOf(line.Context)})
		}
		blocks[at].Lines = append(blocks[at].Lines, BlockLine{Text: line.Text, Depth: 1})
	}
	return blocks
}

func withNetworksOf(want, have *Router) *Router {
	r := &Router{Header: want.Header, Lines: want.Lines}
	for _, f := range want.Families {
		r.Families = append(r.Families, &Family{Name: f.Name, Lines: f.Lines})
	}
	if have == nil {
		return r
	}
	for _, f := range have.Families {
		if networks := remaining(f, want.family(f.Name)); len(networks) > 0 {
			r.ensureFamily(f.Name).Networks = networks
		}
	}
	return r
}

// remaining are the "network" lines that run once those were removed that are not
// wanted: with them, frr-reload.py would announce these again.
func remaining(have, want *Family) []Network {
	if want == nil {
		want = &Family{}
	}
	removed := diffNetworks(want.Networks, have.Networks).removed
	if len(removed) == 0 {
		return have.Networks
	}
	gone := make(map[Network]bool, len(removed))
	for _, n := range removed {
		gone[n] = true
	}
	return slices.DeleteFunc(slices.Clone(have.Networks), func(n Network) bool { return gone[n] })
}

// runningMaps merges the daemons' entries as vtysh does.
func (d *difference) runningMaps() []*Entry {
	var merged []*Entry
	all := d.state.entries()
	add := func(e *Entry) {
		parts, ok := all[e.key()]
		if !ok {
			return
		}
		delete(all, e.key())
		m := &Entry{Map: e.Map, Action: e.Action, Sequence: e.Sequence, Lines: slices.Clone(e.Lines)}
		for _, part := range parts {
			m.Lines = append(m.Lines, without(part.Lines, m.Lines)...)
		}
		merged = append(merged, m)
	}
	for _, e := range d.state.bgp().RouteMaps {
		add(e)
	}
	for _, name := range d.state.names() {
		for _, e := range d.state.Daemons[name].RouteMaps {
			add(e)
		}
	}
	return merged
}
