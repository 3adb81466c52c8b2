package plan

import "strings"

// Config is a parsed configuration: a file, or what one daemon runs. Lines have
// no indentation.
type Config struct {
	// Top are top-level commands of one line, for example "ip nht resolve-via-default".
	Top       []string
	Routers   []*Router
	RouteMaps []*Entry
	// Blocks are all other blocks, for example "bfd".
	Blocks []*Block
	// Kept are lines that are nobody's wish and stay as they are: see kept.
	Kept []string
}

// Router is one "router bgp" block.
type Router struct {
	Header   string
	Lines    []string
	Families []*Family
}

// Family is one address-family block of a Router.
type Family struct {
	// Name as FRR writes it, for example "ipv4 unicast".
	Name     string
	Lines    []string
	Networks []Network
}

// Network is a "network" line. Rest is what follows the prefix, for example
// "route-map herald.gold".
type Network struct {
	Prefix, Rest string
}

// Entry is one entry of a route-map.
type Entry struct {
	Map, Action, Sequence string
	Lines                 []string
}

// Block is any other block. A line's Path names the blocks around it within
// this one, so that equal lines of two inner blocks differ.
type Block struct {
	Header, Footer string
	Lines          []BlockLine
}

// BlockLine is a line of a Block, with its depth of indentation.
type BlockLine struct {
	Path, Text string
	Depth      int
}

// Line is a line with its context, as a person would look for it.
type Line struct {
	Context, Text string
}

// String joins context and line.
func (l Line) String() string {
	if l.Context == "" {
		return l.Text
	}
	return l.Context + " / " + l.Text
}

// Header of a route-map entry.
func (e *Entry) Header() string {
	return "route-map " + e.Map + " " + e.Action + " " + e.Sequence
}

func (e *Entry) key() entryKey { return entryKey{e.Map, e.Sequence} }

type entryKey struct{ name, sequence string }

// Instance names the BGP instance: "" for the default VRF, else "vrf NAME".
// One instance has one ASN.
func (r *Router) Instance() string {
	if f := strings.Fields(r.Header); len(f) >= 5 {
		return f[3] + " " + f[4]
	}
	return ""
}

// VRF of the instance, "" for the default VRF.
func (r *Router) VRF() string {
	return strings.TrimPrefix(r.Instance(), "vrf ")
}

func (r *Router) family(name string) *Family {
	for _, f := range r.Families {
		if f.Name == name {
			return f
		}
	}
	return nil
}

func (r *Router) ensureFamily(name string) *Family {
	if f := r.family(name); f != nil {
		return f
	}
	f := &Family{Name: name}
	r.Families = append(r.Families, f)
	return f
}

// router finds a block by its header, nil if there is none.
func (c *Config) router(header string) *Router {
	for _, r := range c.Routers {
		if r.Header == header {
			return r
		}
	}
	return nil
}
