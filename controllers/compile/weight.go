package compile

import (
	"fmt"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

const (
	// perEndpoint is the link bandwidth of one ready endpoint, in Mbit/s.
	perEndpoint = 100
	// maxWeight endpoints count; more are as many.
	maxWeight = frrtemplates.MaxBandwidth / perEndpoint
)

// bandwidth of so many endpoints.
func bandwidth(weight int) int { return perEndpoint * weight }

func parseWeight(weight v1alpha1.Weight) (bool, error) {
	switch weight {
	case "", v1alpha1.WeightNone:
		return false, nil
	case v1alpha1.WeightLocalEndpoints:
		return true, nil
	}
	return false, fmt.Errorf("spec.weight %q is not known: want None or LocalEndpoints", weight)
}

// weigh says whether one of the advertisements does.
func weigh(advertisements []*Advertisement) bool {
	return slices.ContainsFunc(advertisements, func(a *Advertisement) bool { return a.weighs })
}

// variant of a class for a number of endpoints.
type variant struct {
	plain  *class
	weight int
}

// weigh is the class of a Service's host route of a family: with externalTrafficPolicy:
// Cluster a node without endpoints takes connections too.
func (p *Policy) weigh(c *class, s Subject, family frrtemplates.Family) *class {
	if c == nil || !c.weighs {
		return c
	}
	ready := 0
	for _, slice := range s.Slices {
		if slice.Family == family {
			ready += slice.ReadyOn(p.Node)
		}
	}
	return p.weighed(c, max(ready, 1))
}

// weighed is the variant of a class for a number of endpoints; of one that
// doesn't weigh it is the class.
func (p *Policy) weighed(c *class, weight int) *class {
	weight = min(weight, maxWeight)
	if !c.weighs || weight == 0 {
		return c
	}
	key := variant{plain: c.plain, weight: weight}
	p.classes.mu.Lock()
	defer p.classes.mu.Unlock()
	v := p.classes.variants[key]
	if v == nil {
		copied := *c.plain
		v = &copied
		v.weight, v.routeMap = weight, frrtemplates.WeightedClassMap(c.plain.routeMap, weight)
		p.classes.variants[key] = v
	}
	return v
}

// noteUnweighed tells of aggregates, which have no weight: their addresses have
// different endpoints.
func (b *builder) noteUnweighed(ref ObjectRef, a *Advertisement) {
	for _, family := range bothFamilies {
		if a.weighs && a.lengths.aggregates(family) {
			b.refuse(ref, v1alpha1.ReasonNoEffect, fmt.Sprintf(
				"spec.weight has no effect on %s aggregates (%s): their addresses have different endpoints; weigh host routes by an advertisement of their own",
				familyNames[family], lengthFields[family]))
		}
	}
}
