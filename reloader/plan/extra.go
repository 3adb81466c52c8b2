package plan

import (
	"maps"
	"slices"
	"strings"
)

// Merged is what FRR runs, of all daemons in one: each line once.
func (s *State) Merged() *Config {
	merged := &Config{RouteMaps: (&difference{state: s}).runningMaps()}
	for _, name := range s.names() {
		daemon := *s.Daemons[name]
		daemon.RouteMaps, daemon.Kept = nil, nil
		merged = merged.Plus(&daemon)
	}
	return merged
}

// Skeleton is a configuration without what Services and advertisements change,
// and without passwords: no "network" lines, no route-maps, no discard routes.
func (c *Config) Skeleton() *Config {
	s := &Config{Top: slices.DeleteFunc(slices.Clone(c.Top), isDiscard), Blocks: c.Blocks}
	for _, r := range c.Routers {
		bare := &Router{Header: r.Header, Lines: slices.DeleteFunc(slices.Clone(r.Lines), isPassword)}
		for _, f := range r.Families {
			bare.Families = append(bare.Families, &Family{Name: f.Name, Lines: f.Lines})
		}
		s.Routers = append(s.Routers, bare)
	}
	return s
}

func isPassword(line string) bool {
	f := strings.Fields(line)
	return len(f) > 2 && f[0] == "neighbor" && f[2] == "password"
}

// NeighborName is that of an instance's neighbor, as FRR prints both.
type NeighborName struct{ VRF, Name string }

// Neighbors of all instances.
func (c *Config) Neighbors() map[NeighborName]bool {
	all := map[NeighborName]bool{}
	for _, r := range c.Routers {
		for _, line := range r.Lines {
			if name := neighborOf(line); name != "" {
				all[NeighborName{VRF: r.VRF(), Name: name}] = true
			}
		}
	}
	return all
}

// Empty says that there is no line.
func (c *Config) Empty() bool {
	return len(c.Top)+len(c.Blocks)+len(c.RouteMaps)+len(c.Routers) == 0
}

// Minus is what c has and other hasn't, with the blocks around it.
func (c *Config) Minus(other *Config) *Config {
	rest := &Config{Top: without(c.Top, other.Top)}
	for _, b := range c.Blocks {
		if lines := b.minus(other.block(b.Header)); len(lines) > 0 {
			rest.Blocks = append(rest.Blocks, &Block{Header: b.Header, Footer: b.Footer, Lines: lines})
		}
	}
	for _, e := range c.RouteMaps {
		have := other.entry(e.key())
		if have == nil || have.Action != e.Action {
			rest.RouteMaps = append(rest.RouteMaps, e)
		} else if lines := without(e.Lines, have.Lines); len(lines) > 0 {
			rest.RouteMaps = append(rest.RouteMaps, &Entry{Map: e.Map, Action: e.Action, Sequence: e.Sequence, Lines: lines})
		}
	}
	for _, r := range c.Routers {
		if left := r.minus(other.router(r.Header)); left != nil {
			rest.Routers = append(rest.Routers, left)
		}
	}
	return rest
}

func (r *Router) minus(other *Router) *Router {
	if other == nil {
		return r
	}
	rest := &Router{Header: r.Header, Lines: without(r.Lines, other.Lines)}
	for _, f := range r.Families {
		have := other.family(f.Name)
		if have == nil {
			have = &Family{}
		}
		lines, networks := without(f.Lines, have.Lines), diffNetworks(f.Networks, have.Networks).added
		if len(lines)+len(networks) > 0 {
			rest.Families = append(rest.Families, &Family{Name: f.Name, Lines: lines, Networks: networks})
		}
	}
	if len(rest.Lines)+len(rest.Families) == 0 {
		return nil
	}
	return rest
}

// minus keeps the headers of inner blocks of which a line is kept.
func (k *Block) minus(other *Block) []BlockLine {
	var have []BlockLine
	if other != nil {
		have = other.Lines
	}
	keep := make([]bool, len(k.Lines))
	for i := len(k.Lines) - 1; i >= 0; i-- {
		line := k.Lines[i]
		keep[i] = !slices.Contains(have, line) || slices.ContainsFunc(k.Lines[i+1:], func(inner BlockLine) bool {
			return inner.Path == line.inside() && !slices.Contains(have, inner)
		})
	}
	var lines []BlockLine
	for i, line := range k.Lines {
		if keep[i] {
			lines = append(lines, line)
		}
	}
	return lines
}

// inside is the Path of lines that are directly in the block that a line heads.
func (l BlockLine) inside() string { return l.Path + "/" + l.Text }

// Plus is c and, behind it, what extra has more. An instance of which c has
// another AS number gets nothing: FRR would refuse it. Neither is changed.
func (c *Config) Plus(extra *Config) *Config {
	sum := &Config{
		Top: slices.Concat(c.Top, without(extra.Top, c.Top)), Kept: c.Kept,
		Blocks: slices.Clone(c.Blocks), RouteMaps: slices.Clone(c.RouteMaps), Routers: slices.Clone(c.Routers),
	}
	for _, b := range extra.Blocks {
		sum.addBlock(b)
	}
	for _, e := range extra.RouteMaps {
		sum.addEntry(e)
	}
	for _, r := range extra.Routers {
		sum.addRouter(r)
	}
	return sum
}

func (c *Config) addBlock(extra *Block) {
	i := slices.IndexFunc(c.Blocks, func(b *Block) bool { return b.Header == extra.Header })
	if i < 0 {
		c.Blocks = append(c.Blocks, extra)
		return
	}
	merged := *c.Blocks[i]
	merged.Lines = slices.Clone(merged.Lines)
	for _, line := range extra.Lines {
		if !slices.Contains(merged.Lines, line) {
			merged.Lines = slices.Insert(merged.Lines, merged.end(line.Path), line)
		}
	}
	c.Blocks[i] = &merged
}

// end is where the inner block of a path ends; "" is the whole block.
func (k *Block) end(path string) int {
	head := slices.IndexFunc(k.Lines, func(l BlockLine) bool { return l.inside() == path })
	if head < 0 {
		return len(k.Lines)
	}
	end := head + 1
	for end < len(k.Lines) && k.Lines[end].Depth > k.Lines[head].Depth {
		end++
	}
	return end
}

func (c *Config) addEntry(extra *Entry) {
	i := slices.IndexFunc(c.RouteMaps, func(e *Entry) bool { return e.key() == extra.key() })
	if i < 0 {
		c.RouteMaps = append(c.RouteMaps, extra)
		return
	}
	merged := *c.RouteMaps[i]
	merged.Lines = slices.Concat(merged.Lines, without(extra.Lines, merged.Lines))
	c.RouteMaps[i] = &merged
}

func (c *Config) addRouter(extra *Router) {
	i := slices.IndexFunc(c.Routers, func(r *Router) bool { return r.Instance() == extra.Instance() })
	if i < 0 {
		c.Routers = append(c.Routers, extra)
		return
	}
	if c.Routers[i].Header != extra.Header {
		return
	}
	merged := *c.Routers[i]
	merged.Lines = slices.Concat(merged.Lines, without(extra.Lines, merged.Lines))
	merged.Families = slices.Clone(merged.Families)
	for _, f := range extra.Families {
		merged.addFamily(f)
	}
	c.Routers[i] = &merged
}

func (r *Router) addFamily(extra *Family) {
	i := slices.IndexFunc(r.Families, func(f *Family) bool { return f.Name == extra.Name })
	if i < 0 {
		r.Families = append(r.Families, extra)
		return
	}
	merged := *r.Families[i]
	merged.Lines = slices.Concat(merged.Lines, without(extra.Lines, merged.Lines))
	r.Families[i] = &merged
}

func (c *Config) block(header string) *Block {
	for _, b := range c.Blocks {
		if b.Header == header {
			return b
		}
	}
	return nil
}

func (c *Config) entry(key entryKey) *Entry {
	for _, e := range c.RouteMaps {
		if e.key() == key {
			return e
		}
	}
	return nil
}

// Defines lists what extra would set inside something that c has already: names
// of inner blocks and of route-maps.
func (c *Config) Defines(extra *Config) []string {
	found := map[string]bool{}
	for _, b := range extra.Blocks {
		have := c.block(b.Header)
		if have == nil {
			continue
		}
		for _, line := range b.Lines {
			for _, head := range have.Lines {
				if line.Path == head.inside() {
					found[head.Text] = true
				}
			}
		}
	}
	for _, e := range extra.RouteMaps {
		if slices.ContainsFunc(c.RouteMaps, func(have *Entry) bool { return have.Map == e.Map }) {
			found[routeMapPrefix+e.Map] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
