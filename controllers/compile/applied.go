package compile

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// ParseApplied reads prefixes, tags and sequences back from a configuration that
// was rendered by frrtemplates. Lines that it doesn't know it passes over.
func ParseApplied(body []byte) *snapshot.Applied {
	applied := &snapshot.Applied{
		Prefixes:  map[netip.Prefix]struct{}{},
		Tags:      map[string]frrtemplates.Tag{},
		Sequences: map[frrtemplates.Tag]uint16{},
	}
	reader := appliedReader{applied: applied}
	for line := range bytes.Lines(body) {
		reader.line(strings.Fields(string(line)))
	}
	return applied
}

// appliedReader remembers which route-map entry it is in.
type appliedReader struct {
	applied  *snapshot.Applied
	routeMap string
	sequence uint16
}

func (r *appliedReader) line(words []string) {
	switch {
	case len(words) == 4 && words[0] == "route-map":
		r.routeMap, r.sequence = words[1], 0
		if sequence, err := strconv.ParseUint(words[3], 10, 16); err == nil {
			r.sequence = uint16(sequence)
		}
	case len(words) == 4 && words[0] == "network" && words[2] == "route-map":
		if prefix, err := netip.ParsePrefix(words[1]); err == nil {
			r.applied.Prefixes[prefix] = struct{}{}
		}
	case len(words) == 3 && words[0] == "bgp" && words[2] == "preserve-fw-state":
		r.applied.PreservesForwarding = true
	case len(words) == 3 && words[1] == "tag":
		r.tag(words[0], words[2])
	case len(words) == 1 && words[0] == "exit":
		r.routeMap = ""
	}
}

func (r *appliedReader) tag(verb, text string) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return
	}
	tag := frrtemplates.Tag(n)
	switch {
	case verb == "set" && frrtemplates.IsClassMap(r.routeMap):
		r.applied.Tags[frrtemplates.WithoutWeight(r.routeMap)] = tag
	case verb == "match" && frrtemplates.IsOutboundMap(r.routeMap) && r.sequence != 0:
		r.applied.Sequences[tag] = r.sequence
	}
}
