package plan

import (
	"slices"
	"strings"
)

// Plan is what to do, in the order of its fields. Empty fields are skipped.
type Plan struct {
	// Remove are "no network" commands for bgpd's vty socket.
	Remove []Batch
	// Edit is a file for `vtysh -f`: everything in structure that FRR takes
	// without deleting first.
	Edit string
	// Reload says that lines remain which only frr-reload.py can remove, given
	// Target. Target has the "network" lines that run after Remove, and the
	// route-maps that now run.
	Reload bool
	Target string
	// Add are new and changed "network" lines for bgpd's vty socket.
	Add []Batch
	// Drop is a file for frr-reload.py that removes the discard routes of aggregates
	// which are gone; all "network" lines are as wanted by then.
	Drop string
	// Cleanup is a file for `vtysh -f` that removes what nothing uses once Add is
	// done: route-maps that no line names, and entries for classes that are gone.
	Cleanup string
	// Refresh are neighbors whose policy changed under them.
	Refresh []Neighbor
	// Modes are the VRFs, "" the default one, of the instances where Edit or Target
	// sets a mode of graceful restart.
	Modes []string
	// Touched are the prefixes of Remove and Add, for checking.
	Touched []Touched
}

// Neighbor of a BGP instance, and the direction in which its policy changed: "in"
// or "out".
type Neighbor struct {
	VRF, Name, Direction string
}

// Empty says that FRR runs what is wanted.
func (p *Plan) Empty() bool {
	return p.Structure() && len(p.Remove)+len(p.Add) == 0 && !p.Tidies()
}

// Tidies says that something is removed that nothing needs any more.
func (p *Plan) Tidies() bool { return p.Drop != "" || p.Cleanup != "" }

// Structure says that nothing but "network" lines, unused maps and discard routes
// of no aggregate differs.
func (p *Plan) Structure() bool { return p.Edit == "" && !p.Reload }

// Make plans the way from what runs to what is wanted.
func Make(want *Config, state *State) *Plan {
	d := compare(want, state)
	p := &Plan{}
	d.planNetworks(p)
	d.planStructure(p)
	if len(d.staleDiscards) > 0 {
		p.Drop = d.file(d.want.Routers)
	}
	p.Cleanup = d.cleanup()
	p.Refresh = d.refresh()
	p.Modes = d.modes()
	return p
}

// modes lists the VRFs where a line about graceful restart is new.
func (d *difference) modes() []string {
	var vrfs []string
	for _, r := range d.routers {
		if r.want != nil && slices.ContainsFunc(r.lines.missing, setsRestart) {
			vrfs = append(vrfs, r.want.VRF())
		}
	}
	return vrfs
}

// setsRestart is true of "neighbor N graceful-restart…" and "bgp graceful-restart…".
func setsRestart(line string) bool {
	return strings.Contains(line, " graceful-restart")
}

// planNetworks leaves out a router that goes as a whole: its lines go with it.
func (d *difference) planNetworks(p *Plan) {
	tags := d.want.tags()
	for _, r := range d.routers {
		if r.want == nil {
			continue
		}
		for _, f := range r.families {
			p.remove(r.want, f)
			p.add(r.want, f, tags)
		}
	}
}

func (p *Plan) remove(r *Router, f familyDiff) {
	if len(f.networks.removed) == 0 {
		return
	}
	batch := Batch{Router: r.Header, Family: f.name}
	for _, n := range f.networks.removed {
		// Never with a route-map: with another than the running one FRR refuses.
		batch.Commands = append(batch.Commands, "no "+networkPrefix+n.Prefix)
		p.Touched = append(p.Touched, Touched{VRF: r.VRF(), Family: f.name, Prefix: n.Prefix})
	}
	p.Remove = append(p.Remove, batch)
}

func (p *Plan) add(r *Router, f familyDiff, tags map[string]string) {
	if len(f.networks.added) == 0 {
		return
	}
	batch := Batch{Router: r.Header, Family: f.name}
	for _, n := range f.networks.added {
		batch.Commands = append(batch.Commands, n.command())
		p.Touched = append(p.Touched, Touched{
			VRF: r.VRF(), Family: f.name, Prefix: n.Prefix, Present: true,
			Tag: tags[strings.TrimPrefix(n.Rest, routeMapPrefix)],
		})
	}
	p.Add = append(p.Add, batch)
}

// tags by origination map: those with one entry that sets one.
func (c *Config) tags() map[string]string {
	tags := map[string]string{}
	for _, e := range c.RouteMaps {
		for _, line := range e.Lines {
			if tag, ok := strings.CutPrefix(line, "set tag "); ok {
				tags[e.Map] = tag
			}
		}
	}
	return tags
}

// cleanup removes idle entries, and maps that run and are neither wanted nor
// named.
func (d *difference) cleanup() string {
	var b strings.Builder
	for i := range d.entries {
		if d.entries[i].idle {
			d.entries[i].write(&b)
		}
	}
	if len(d.staleMaps) > 0 { // else it would only be a look at thousands of lines
		named := d.want.namedMaps()
		for _, name := range d.staleMaps {
			if !named[name] {
				writeLine(&b, 0, "no "+routeMapPrefix+name)
			}
		}
	}
	d.writeStaleLists(&b)
	return b.String()
}

// namedMaps by "network" and "neighbor" lines.
func (c *Config) namedMaps() map[string]bool {
	named := map[string]bool{}
	for _, r := range c.Routers {
		for _, f := range r.Families {
			for _, n := range f.Networks {
				named[strings.TrimPrefix(n.Rest, routeMapPrefix)] = true
			}
			for _, line := range f.Lines {
				if _, name, _, ok := neighborMap(line); ok {
					named[name] = true
				}
			}
		}
	}
	return named
}

// refresh lists running neighbors with a map of which an entry, or a prefix-list
// that it matches, changed: FRR itself looks at it again only after 5 s (route-map
// delay-timer).
func (d *difference) refresh() []Neighbor {
	changed := map[string]bool{}
	for _, e := range d.entries {
		if e.mapRuns && !e.idle {
			changed[e.name()] = true
		}
	}
	d.matchingMaps(changed)
	if len(changed) == 0 {
		return nil
	}
	var all []Neighbor
	running := d.state.bgp()
	for _, r := range d.want.Routers {
		if running.router(r.Header) == nil {
			continue
		}
		for _, f := range r.Families {
			for _, line := range f.Lines {
				neighbor, name, direction, ok := neighborMap(line)
				n := Neighbor{VRF: r.VRF(), Name: neighbor, Direction: direction}
				if ok && changed[name] && !slices.Contains(all, n) {
					all = append(all, n)
				}
			}
		}
	}
	return all
}

func (e *entryDiff) name() string {
	if e.want != nil {
		return e.want.Map
	}
	return e.have.Map
}

// neighborMap reads "neighbor N route-map M in|out".
func neighborMap(line string) (neighbor, name, direction string, ok bool) {
	f := strings.Fields(line)
	if len(f) != 5 || f[0] != "neighbor" || f[2] != "route-map" {
		return "", "", "", false
	}
	return f[1], f[3], f[4], true
}
