package main

import (
	"fmt"
	"slices"
	"strings"
)

// Beginnings of lines in Herald's rendering.
const (
	networkLine  = "  network "
	routeMapLine = "route-map "
	setTagLine   = " set tag "
	matchTagLine = " match tag "
	originatedBy = " route-map "
)

// withPrefixLists renders the intent of a frr.conf of Herald's as others do: what a
// neighbor gets is said by prefix-lists of its own, which name every prefix, and
// "network" lines carry no class. Of IPv4, as the benchmark's Services are.
func withPrefixLists(conf string) string {
	tags, prefixes := map[string]string{}, map[string][]string{} // by class map; by tag
	current := ""
	for line := range strings.Lines(conf) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, routeMapLine); ok {
			current, _, _ = strings.Cut(name, " ")
		}
		if tag, ok := strings.CutPrefix(line, setTagLine); ok {
			tags[current] = tag
		}
	}
	for line := range strings.Lines(conf) {
		if prefix, class, ok := network(line); ok {
			prefixes[tags[class]] = append(prefixes[tags[class]], prefix)
		}
	}
	var lists, rest strings.Builder
	for line := range strings.Lines(conf) {
		entry, isEntry := strings.CutPrefix(line, routeMapLine)
		tag, isMatch := strings.CutPrefix(strings.TrimSuffix(line, "\n"), matchTagLine)
		prefix, _, isNetwork := network(line)
		switch {
		case isEntry: // "herald_out_tor-a_ipv4 permit 7"
			current = strings.Join(strings.Fields(entry), "-")
			rest.WriteString(line)
		case isMatch:
			for i, p := range slices.Sorted(slices.Values(prefixes[tag])) {
				fmt.Fprintf(&lists, "ip prefix-list %s seq %d permit %s\n", current, 5*(i+1), p)
			}
			fmt.Fprintf(&rest, " match ip address prefix-list %s\n", current)
		case isNetwork:
			fmt.Fprintf(&rest, "%s%s\n", networkLine, prefix)
		default:
			rest.WriteString(line)
		}
	}
	return lists.String() + "!\n" + rest.String()
}

// network reads a "network" line.
func network(line string) (prefix, class string, ok bool) {
	text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), networkLine)
	if !ok {
		return "", "", false
	}
	prefix, class, _ = strings.Cut(text, originatedBy)
	return prefix, class, true
}

// withNetworks replaces the "network" lines of a frr.conf: those prefixes are
// announced, all in the class that the first one there has.
func withNetworks(conf string, prefixes []string) string {
	var b strings.Builder
	class, begun := "", false
	for line := range strings.Lines(conf) {
		if _, c, ok := network(line); ok {
			if class = c; !begun {
				begun = true
				for _, prefix := range prefixes {
					fmt.Fprintf(&b, "%s%s%s%s\n", networkLine, prefix, originatedBy, class)
				}
			}
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

// networks of a frr.conf.
func networks(conf string) []string {
	var all []string
	for line := range strings.Lines(conf) {
		if prefix, _, ok := network(line); ok {
			all = append(all, prefix)
		}
	}
	return all
}
