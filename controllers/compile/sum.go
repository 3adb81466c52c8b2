package compile

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// sum is the sorted sum of all decisions. The slices and the map of origins get
// into Results: apply replaces them and never changes them.
type sum struct {
	networks map[frrtemplates.Family][]frrtemplates.Network
	withheld []Withheld
	// origins are the Services that need each prefix, sorted.
	origins map[netip.Prefix][]types.NamespacedName
}

func newSum() sum {
	return sum{
		networks: map[frrtemplates.Family][]frrtemplates.Network{},
		origins:  map[netip.Prefix][]types.NamespacedName{},
	}
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

// equal compares what enters the sum.
func (d Decision) equal(other Decision) bool {
	return d.Why == other.Why && slices.EqualFunc(d.Lines, other.Lines, func(a, b Line) bool { return a.Network == b.Network })
}

func (s *sum) apply(changes changes) {
	if len(changes.all) == 0 {
		return
	}
	s.applyWithheld(changes.all)
	s.applyLines(changes.all)
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
	touched := map[netip.Prefix]string{}
	origins := maps.Clone(s.origins)
	for _, c := range all {
		for _, line := range c.old.Lines {
			touched[line.Network.Prefix] = ""
			origins[line.Network.Prefix] = without(origins[line.Network.Prefix], c.key)
		}
	}
	for _, c := range all {
		for _, line := range c.new.Lines {
			touched[line.Network.Prefix] = line.Network.RouteMap
			origins[line.Network.Prefix] = with(origins[line.Network.Prefix], c.key)
		}
	}
	if len(touched) == 0 {
		return
	}
	s.origins = origins
	s.applyNetworks(touched)
}

// applyNetworks replaces the lines of the touched prefixes.
func (s *sum) applyNetworks(touched map[netip.Prefix]string) {
	come := map[frrtemplates.Family][]frrtemplates.Network{}
	for prefix, routeMap := range touched {
		if len(s.origins[prefix]) == 0 {
			delete(s.origins, prefix)
			continue
		}
		family := frrtemplates.FamilyOf(prefix.Addr())
		if routeMap == "" {
			routeMap = s.routeMapOf(prefix)
		}
		come[family] = append(come[family], frrtemplates.Network{Prefix: prefix, RouteMap: routeMap})
	}
	for _, family := range bothFamilies {
		s.networks[family] = replaced(s.networks[family], func(n frrtemplates.Network) bool {
			_, gone := touched[n.Prefix]
			return gone
		}, come[family], compareNetworks, len(touched))
	}
}

// routeMapOf is the line's route-map as it is: a Service went, another still
// needs the prefix. Under one policy a prefix has one class.
func (s *sum) routeMapOf(prefix netip.Prefix) string {
	networks := s.networks[frrtemplates.FamilyOf(prefix.Addr())]
	i, found := slices.BinarySearchFunc(networks, frrtemplates.Network{Prefix: prefix}, compareNetworks)
	if !found {
		return ""
	}
	return networks[i].RouteMap
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
func with(keys []types.NamespacedName, key types.NamespacedName) []types.NamespacedName {
	at, found := slices.BinarySearchFunc(keys, key, compareKeys)
	if found {
		return keys
	}
	return slices.Insert(slices.Clone(keys), at, key)
}

func without(keys []types.NamespacedName, key types.NamespacedName) []types.NamespacedName {
	at, found := slices.BinarySearchFunc(keys, key, compareKeys)
	if !found {
		return keys
	}
	return slices.Delete(slices.Clone(keys), at, at+1)
}

func compareKeys(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func compareNetworks(a, b frrtemplates.Network) int { return a.Prefix.Compare(b.Prefix) }
