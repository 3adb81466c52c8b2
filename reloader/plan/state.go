package plan

import (
	"slices"
	"sort"
)

// BGPDaemon is the daemon that owns routers and policy.
const BGPDaemon = "bgpd"

// State is what FRR runs, daemon by daemon. The merged view that vtysh prints
// is not used: it hides a route-map that one daemon has and another lacks.
type State struct {
	Daemons map[string]*Config
	// Quirks of the FRR version.
	Quirks Quirks
}

// Quirks are differences between FRR versions.
type Quirks struct {
	// ResolveViaDefault: "nht resolve-via-default" is FRR's default and is not
	// printed (FRR 9.1 and later, profile "traditional").
	ResolveViaDefault bool
	// HoldsForBFD: a neighbor is Idle while its BFD session is down, and the order of
	// lines decides whether that can ever come up (measured on 10.3; 8.4 has it
	// come up in the order in which it prints them).
	HoldsForBFD bool
}

// quiet lines are not printed where they are FRR's default.
var quiet = []string{"ip nht resolve-via-default", "ipv6 nht resolve-via-default"}

// bgp is bgpd's configuration, empty where bgpd wasn't read.
func (s *State) bgp() *Config {
	if c := s.Daemons[BGPDaemon]; c != nil {
		return c
	}
	return &Config{}
}

// VRFs of the BGP instances, "" the default one.
func (s *State) VRFs() []string {
	var vrfs []string
	for _, r := range s.bgp().Routers {
		vrfs = append(vrfs, r.VRF())
	}
	return vrfs
}

// names of the daemons, sorted.
func (s *State) names() []string {
	names := make([]string, 0, len(s.Daemons))
	for name := range s.Daemons {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// hasTop says whether any daemon prints a top-level line, or needn't to.
func (s *State) hasTop(line string) bool {
	if s.printsTop(line) {
		return true
	}
	return s.Quirks.ResolveViaDefault && slices.Contains(quiet, line) && !s.printsTop("no "+line)
}

// implies says whether a line of a block holds though FRR doesn't print it.
func (s *State) implies(header, line string, printed map[blockKey]bool) bool {
	return s.Quirks.ResolveViaDefault && isVRF(header) && slices.Contains(quiet, line) && !printed[blockKey{text: "no " + line}]
}

func (s *State) printsTop(line string) bool {
	for _, c := range s.Daemons {
		if slices.Contains(c.Top, line) {
			return true
		}
	}
	return false
}

// block merges what the daemons have of a block; nil if none has it.
func (s *State) block(header string) map[blockKey]bool {
	var lines map[blockKey]bool
	for _, c := range s.Daemons {
		for _, b := range c.Blocks {
			if b.Header != header {
				continue
			}
			if lines == nil {
				lines = map[blockKey]bool{}
			}
			for _, l := range b.Lines {
				lines[blockKey{l.Path, l.Text}] = true
			}
		}
	}
	return lines
}

type blockKey struct{ path, text string }

// keptLines of all daemons, each once, in order.
func (s *State) keptLines() []string {
	var lines []string
	for _, name := range s.names() {
		for _, line := range s.Daemons[name].Kept {
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// entries of all daemons' route-maps by map and sequence; bgpd's come first,
// as only bgpd knows all lines of an entry.
func (s *State) entries() map[entryKey][]*Entry {
	all := map[entryKey][]*Entry{}
	add := func(c *Config) {
		for _, e := range c.RouteMaps {
			all[e.key()] = append(all[e.key()], e)
		}
	}
	add(s.bgp())
	for _, name := range s.names() {
		if name != BGPDaemon {
			add(s.Daemons[name])
		}
	}
	return all
}

// With is the state once a configuration differs from it in nothing: bgpd runs
// exactly that, the others are as they were.
func (s *State) With(want *Config) *State {
	next := &State{Daemons: make(map[string]*Config, len(s.Daemons)), Quirks: s.Quirks}
	for name, c := range s.Daemons {
		next.Daemons[name] = c
	}
	bgp := *want
	bgp.Top, bgp.Blocks, bgp.Kept = s.bgp().Top, s.bgp().Blocks, s.bgp().Kept
	next.Daemons[BGPDaemon] = &bgp
	return next
}
