package plan

import (
	"slices"
	"strings"
)

// A prefix-list is lines of one command each, which every daemon prints. bgpd is
// the one that matches them. Lists are edited so that none ever has less than what
// it has before and after: of those that deny, less would accept more.

const listWord = "prefix-list"

// isListEntry says whether a line is an entry of a prefix-list.
func isListEntry(line string) bool {
	f := strings.Fields(line)
	return len(f) > 4 && (f[0] == "ip" || f[0] == "ipv6") && f[1] == listWord && f[3] == "seq"
}

// listOf is the list of an entry, "ip prefix-list NAME".
func listOf(entry string) string { return strings.Join(strings.Fields(entry)[:3], " ") }

// writeListsGone removes entries that are not wanted, of lists that still are.
func (d *difference) writeListsGone(b *strings.Builder) {
	for _, entry := range d.lists.unexpected {
		// An entry that has another's sequence was replaced by it.
		if d.wantsList(listOf(entry)) && !slices.ContainsFunc(d.lists.missing, func(other string) bool { return sameEntry(entry, other) }) {
			writeLine(b, 0, "no "+entryOf(entry))
		}
	}
}

// writeStaleLists removes lists that nothing matches any more.
func (d *difference) writeStaleLists(b *strings.Builder) {
	var gone []string
	for _, entry := range d.lists.unexpected {
		if list := listOf(entry); !d.wantsList(list) && !slices.Contains(gone, list) {
			gone = append(gone, list)
			writeLine(b, 0, "no "+list)
		}
	}
}

// wantsList says whether a list is wanted.
func (d *difference) wantsList(list string) bool {
	return slices.ContainsFunc(d.want.Top, func(line string) bool { return isListEntry(line) && listOf(line) == list })
}

// entryOf is an entry's list and sequence.
func entryOf(entry string) string { return strings.Join(strings.Fields(entry)[:5], " ") }

func sameEntry(a, b string) bool { return entryOf(a) == entryOf(b) }

// changedLists are the names of lists of which an entry changes.
func (d *difference) changedLists() map[string]bool {
	changed := map[string]bool{}
	for _, entry := range slices.Concat(d.lists.missing, d.lists.unexpected) {
		changed[strings.Fields(entry)[2]] = true
	}
	return changed
}

// matchingMaps adds the maps that match a changed list.
func (d *difference) matchingMaps(changed map[string]bool) {
	lists := d.changedLists()
	for _, e := range d.want.RouteMaps {
		for _, line := range e.Lines {
			if f := strings.Fields(line); len(f) == 5 && f[0] == "match" && f[3] == listWord && lists[f[4]] {
				changed[e.Map] = true
			}
		}
	}
}
