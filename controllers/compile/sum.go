package compile

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/bigmap"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// sum is the sorted sum of all decisions. The slices and Views of the needs get into
// Results: apply replaces the slices and never changes them.
type sum struct {
	policy   *Policy
	networks map[place][]frrtemplates.Network
	withheld []Withheld
	// needs are the Services that need each prefix, sorted.
	needs bigmap.Map[netip.Prefix, []Need]
	inUse usage
}

// place is where a prefix is announced: a family of one VRF.
type place struct {
	vrf    string
	family frrtemplates.Family
}

func newSum(policy *Policy) sum {
	s := sum{
		policy:   policy,
		networks: map[place][]frrtemplates.Network{},
		inUse:    newUsage(),
	}
	for _, c := range policy.standing {
		s.inUse.add(c, 1)
	}
	return s
}

// changes are the decisions that differ from those in the sum.
type changes struct {
	all   []change
	flows []flowChange
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

func (c *changes) addFlows(key types.NamespacedName, old, new flows) {
	if !old.equal(new) {
		c.flows = append(c.flows, flowChange{key: key, old: old, new: new})
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

// needEdit is how the needs for one prefix change.
type needEdit struct {
	gone []types.NamespacedName
	come []Need
}

func (s *sum) applyLines(all []change) {
	edits := map[netip.Prefix]needEdit{}
	for _, c := range all {
		for _, line := range c.old.Lines {
			edit := edits[line.Prefix]
			edit.gone = append(edit.gone, c.key)
			edits[line.Prefix] = edit
		}
		for _, line := range c.new.Lines {
			edit := edits[line.Prefix]
			edit.come = append(edit.come, Need{Service: c.key, class: line.class})
			edits[line.Prefix] = edit
		}
	}
	if len(edits) > 0 {
		s.applyNeeds(edits)
	}
}

// apply copies: the slices are in Results.
func (e needEdit) apply(needs []Need) []Need {
	slices.SortFunc(e.gone, compareKeys)
	gone := func(need Need) bool {
		_, found := slices.BinarySearchFunc(e.gone, need.Service, compareKeys)
		return found
	}
	return replaced(needs, gone, e.come, func(a, b Need) int { return compareKeys(a.Service, b.Service) }, len(e.gone))
}

// applyNeeds replaces the lines of the prefixes whose needs change.
func (s *sum) applyNeeds(edits map[netip.Prefix]needEdit) {
	come := map[place][]frrtemplates.Network{}
	for prefix, edit := range edits {
		old := s.needs.Get(prefix)
		now := edit.apply(old)
		c := s.united(now)
		s.recount(s.united(old), c)
		if c == nil {
			s.needs.Delete(prefix)
			continue
		}
		s.needs.Set(prefix, now)
		family := frrtemplates.FamilyOf(prefix.Addr())
		for _, vrf := range c.vrfs[family] {
			at := place{vrf, family}
			come[at] = append(come[at], frrtemplates.Network{Prefix: prefix, RouteMap: c.routeMap})
		}
	}
	touched := slices.SortedFunc(maps.Keys(edits), netip.Prefix.Compare)
	for _, instance := range s.policy.Instances {
		for _, family := range bothFamilies {
			at := place{instance.VRF, family}
			slices.SortFunc(come[at], compareNetworks)
			s.networks[at] = spliced(s.networks[at], touched, func(n frrtemplates.Network, p netip.Prefix) int { return n.Prefix.Compare(p) }, come[at])
		}
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

// spliced is a sorted slice that has of each of some keys, which are sorted too, what
// has come of it and nothing else. Few keys cost a copy and no look at the rest.
func spliced[T, K any](sorted []T, keys []K, compare func(T, K) int, come []T) []T {
	out := make([]T, 0, len(sorted)+len(come))
	for _, key := range keys {
		at, _ := slices.BinarySearchFunc(sorted, key, compare)
		out, sorted = append(out, sorted[:at]...), sorted[at:]
		for len(sorted) > 0 && compare(sorted[0], key) == 0 {
			sorted = sorted[1:]
		}
		for len(come) > 0 && compare(come[0], key) == 0 {
			out, come = append(out, come[0]), come[1:]
		}
	}
	return append(out, sorted...)
}

func compareKeys(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func compareNetworks(a, b frrtemplates.Network) int { return a.Prefix.Compare(b.Prefix) }
