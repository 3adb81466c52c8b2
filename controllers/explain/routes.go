package explain

import (
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/status"
)

// Routes that a node should announce, with what became of each; of all nodes where
// none is named. The error says that there is no such node.
func Routes(in Input, node string) (*RouteList, error) {
	world := offline.NewWorld(in.Objects, in.Assume)
	nodes := world.Nodes()
	if node != "" {
		nodes = []string{node}
	}
	list := &RouteList{Routes: []Route{}}
	for _, name := range nodes {
		v, err := newView(world, in.States, name)
		if err != nil {
			return nil, err
		}
		if v.isLeftOut && node == "" {
			continue
		}
		list.Routes = slices.Concat(list.Routes, v.routes(func([]compile.Need) bool { return true }))
		if more := unnamedOf(v.reported); more.Kept > 0 || more.HeldBack > 0 {
			list.Unnamed = append(list.Unnamed, more)
		}
	}
	return list, nil
}

// unnamedOf is how many Services a node reports without naming them: a BGPNode names 64.
func unnamedOf(reported *v1alpha1.BGPNode) Unnamed {
	if reported == nil {
		return Unnamed{}
	}
	more := Unnamed{Node: reported.Name}
	if held := reported.Status.HeldBack; held != nil {
		more.HeldBack = max(0, int(held.Total)-len(held.Services))
	}
	if drain := reported.Status.Drain; status.HasWithdrawn(drain) && drain.LastHolderOf != nil {
		more.Kept = max(0, int(drain.LastHolderOf.Total)-len(drain.LastHolderOf.Services))
	}
	return more
}
