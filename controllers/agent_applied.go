package controllers

import (
	"bytes"
	"maps"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/snippet"
)

// appliedFrom is what the file of this boot says. Of the host's forwarding it
// knows what the kernel said first: zebra may have changed it since.
func appliedFrom(file *exchange.File, host snapshot.Host) (*snapshot.Applied, snapshot.Host) {
	if file == nil {
		return nil, host
	}
	base, _ := snippet.Split(file.Body)
	host.Forwarding = forwardingOf(base)
	return compile.ParseApplied(base), host
}

// forwardingOf reads back what frr.conf says about the host: a line only for
// what is off.
func forwardingOf(body []byte) frrtemplates.Forwarding {
	forwarding := frrtemplates.Forwarding{IPv4: true, IPv6: true}
	for line := range bytes.Lines(body) {
		switch string(bytes.TrimSpace(line)) {
		case "no ip forwarding":
			forwarding.IPv4 = false
		case "no ipv6 forwarding":
			forwarding.IPv6 = false
		}
	}
	return forwarding
}

// appliedBy is what a configuration holds once it is written: its numbers, which
// stay with their classes, and whether the node preserves its forwarding. It
// holds no prefixes: the gates of those that the
// agent found at its start have been opened by then.
func appliedBy(config *frrtemplates.Config) *snapshot.Applied {
	applied := &snapshot.Applied{Tags: map[string]frrtemplates.Tag{}, Sequences: map[frrtemplates.Tag]uint16{}}
	for _, routeMap := range config.RouteMaps {
		for _, entry := range routeMap.Entries {
			if entry.SetTag != 0 && frrtemplates.IsClassMap(routeMap.Name) {
				applied.Tags[frrtemplates.WithoutWeight(routeMap.Name)] = entry.SetTag
			}
			if entry.MatchTag != 0 && frrtemplates.IsOutboundMap(routeMap.Name) {
				applied.Sequences[entry.MatchTag] = entry.Sequence
			}
		}
	}
	for i := range config.Routers {
		applied.PreservesForwarding = applied.PreservesForwarding || config.Routers[i].PreservesForwarding
	}
	return applied
}

// sameApplied says whether two hold the same but for prefixes.
func sameApplied(a, b *snapshot.Applied) bool {
	return a != nil && b != nil && a.PreservesForwarding == b.PreservesForwarding &&
		maps.Equal(a.Tags, b.Tags) && maps.Equal(a.Sequences, b.Sequences)
}
