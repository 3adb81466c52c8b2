package compile

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// sum is the sorted sum of all decisions. The slices and the map of needs get
// into Results: apply replaces them and never changes them.
type sum struct {
	policy   *Policy
	networks map[frrtemplates.Family][]frrtemplates.Network
	withheld []Withheld
	// needs are the Services that need each prefix, sorted.
	needs map[netip.Prefix][]Need
	inUse usage
}

func newSum(policy *Policy) sum {
	s := sum{
		policy:   policy,
		networks: map[frrtemplates.Family][]frrtemplates.Network{},
		needs:    map[netip.Prefix][]Need{},
		inUse:    usage{counts: map[*class]int{}, changed: true},
	}
	for _, c := range policy.standing {
		s.inUse.add(c, 1)
	}
	return s
}

// changes are the decisions that differ from those in the sum.
type changes struct {
	all []change
}

type change struct {
	key      types.NamespacedName
	old, new Decision
}

func (c *changes) add(key types.NamespacedName, old, new Decision) {
	if !old.equal(new) {
		c.all = append(c.all, change{key: key, old: old, new: new})
	}
}

func (s *sum) apply(changes changes) {
	if len(changes.all) == 0 {
		return
	}
	s.applyWithheld(changes.all)
	s.applyClasses(changes.all)
	s.applyLines(changes.all)
}

// applyClasses counts what comes before what goes: a class that stays in use was
// never out of it.
func (s *sum) applyClasses(all []change) {
	for _, c := range all {
		s.inUse.addAll(c.new, 1)
	}
	for _, c := range all {
		s.inUse.addAll(c.old, -1)
	}
}

func (s *sum) applyWithheld(all []change) {
	gone := map[types.NamespacedName]bool{}
	var come []Withheld
	for _, c := range all {
		if c.old.Why != "" {
			gone[c.key] = true
		}
		if c.new.Why != "" {
			come = append(come, Withheld{Service: c.key, Why: c.new.Why})
		}
	}
	s.withheld = replaced(s.withheld, func(w Withheld) bool { return gone[w.Service] }, come,
		func(a, b Withheld) int { return compareKeys(a.Service, b.Service) }, len(gone))
}

func (s *sum) applyLines(all []change) {
	touched := map[netip.Prefix]struct{}{}
	needs := maps.Clone(s.needs)
	for _, c := range all {
		for _, line := range c.old.Lines {
			touched[line.Prefix] = struct{}{}
			needs[line.Prefix] = without(needs[line.Prefix], c.key)
		}
	}
	for _, c := range all {
		for _, line := range c.new.Lines {
			touched[line.Prefix] = struct{}{}
			needs[line.Prefix] = with(needs[line.Prefix], Need{Service: c.key, class: line.class})
		}
	}
	if len(touched) == 0 {
		return
	}
	s.applyNeeds(touched, needs)
}

// applyNeeds replaces the lines of the touched prefixes.
func (s *sum) applyNeeds(touched map[netip.Prefix]struct{}, needs map[netip.Prefix][]Need) {
	come := map[frrtemplates.Family][]frrtemplates.Network{}
	for prefix := range touched {
		c := s.united(needs[prefix])
		s.recount(s.united(s.needs[prefix]), c)
		if c == nil {
			delete(needs, prefix)
			continue
		}
		family := frrtemplates.FamilyOf(prefix.Addr())
		come[family] = append(come[family], frrtemplates.Network{Prefix: prefix, RouteMap: c.routeMap})
	}
	s.needs = needs
	for _, family := range bothFamilies {
		s.networks[family] = replaced(s.networks[family], func(n frrtemplates.Network) bool {
			_, gone := touched[n.Prefix]
			return gone
		}, come[family], compareNetworks, len(touched))
	}
}

func (s *sum) recount(old, now *class) {
	if now != nil {
		s.inUse.add(now, 1)
	}
	if old != nil {
		s.inUse.add(old, -1)
	}
}

// united is the class of a prefix by those who need it; nil where nobody does.
func (s *sum) united(needs []Need) *class {
	if len(needs) == 0 {
		return nil
	}
	c := needs[0].class
	for _, other := range needs[1:] {
		c = s.policy.unite(c, other.class)
	}
	return c
}

// replaced is a sorted slice without those that are gone and with those that
// have come.
func replaced[T any](sorted []T, gone func(T) bool, come []T, compare func(a, b T) int, goneAtMost int) []T {
	slices.SortFunc(come, compare)
	if len(come) == 0 && goneAtMost == 0 {
		return sorted
	}
	merged := make([]T, 0, len(sorted)+len(come))
	next := 0
	for _, element := range sorted {
		if goneAtMost > 0 && gone(element) {
			continue
		}
		for next < len(come) && compare(come[next], element) < 0 {
			merged = append(merged, come[next])
			next++
		}
		merged = append(merged, element)
	}
	return append(merged, come[next:]...)
}

// with and without copy: the slices are in Results.
func with(needs []Need, need Need) []Need {
	at, _ := slices.BinarySearchFunc(needs, need.Service, compareNeed)
	return slices.Insert(slices.Clone(needs), at, need)
}

func without(needs []Need, service types.NamespacedName) []Need {
	at, found := slices.BinarySearchFunc(needs, service, compareNeed)
	if !found {
		return needs
	}
	return slices.Delete(slices.Clone(needs), at, at+1)
}

func compareNeed(need Need, service types.NamespacedName) int {
	return compareKeys(need.Service, service)
}

func compareKeys(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func compareNetworks(a, b frrtemplates.Network) int { return a.Prefix.Compare(b.Prefix) }
