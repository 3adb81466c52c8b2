package compile

import (
	"slices"
	"strings"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// usage counts for what each class is needed.
type usage struct {
	counts map[*class]int
	// split counts the decisions in which aggregates of an advertisement, by its
	// index, give way to host routes.
	split map[int]int
	// changed since the last look: a class came into use, or out of it, or an
	// aggregate gave way for the first time, or does no longer.
	changed bool
}

func newUsage() usage {
	return usage{counts: map[*class]int{}, split: map[int]int{}, changed: true}
}

// add n times; a negative n takes away. A variant needs the plain class, whose
// entries in outbound maps it shares.
func (u *usage) add(c *class, n int) {
	u.changed = count(u.counts, c, n) || u.changed
	if c.plain != c {
		u.changed = count(u.counts, c.plain, n) || u.changed
	}
}

// count adds n and says whether the first came or the last went.
func count[K comparable](counts map[K]int, key K, n int) bool {
	before := counts[key]
	if counts[key] = before + n; before+n == 0 {
		delete(counts, key)
	}
	return before == 0 || before+n == 0
}

func (u *usage) addAll(d Decision, n int) {
	for _, c := range d.idle {
		u.add(c, n)
	}
	for _, line := range d.Lines { // which variant is needed says the sum of all that need the prefix
		u.add(line.class.plain, n)
	}
	for _, member := range d.split {
		u.changed = count(u.split, member, n) || u.changed
	}
}

// numbered is a class in use with its numbers.
type numbered struct {
	*class
	tag      frrtemplates.Tag
	sequence uint16
}

// number gives the classes in use their numbers, by name. Without are those that
// got none, because more are in use than there are sequence numbers: their
// prefixes can't be announced.
func (u *usage) number(applied numbers) (all []numbered, without map[string]bool) {
	// Two that differ only in what is left out are one here.
	byName := map[string]*class{}
	var names []string
	for c := range u.counts {
		if byName[c.routeMap] == nil && c.plain == c {
			names = append(names, c.routeMap)
		}
		byName[c.routeMap] = c
	}
	tags := numberTags(names, applied.tags)
	sequences := numberSequences(tags, applied.sequences)
	for name, c := range byName {
		tag := tags[c.plain.routeMap]
		n := numbered{class: c, tag: tag, sequence: sequences[tag]}
		if n.sequence != 0 {
			all = append(all, n)
			continue
		}
		if without == nil {
			without = map[string]bool{}
		}
		without[name] = true
	}
	slices.SortFunc(all, func(x, y numbered) int { return strings.Compare(x.routeMap, y.routeMap) })
	return all, without
}
