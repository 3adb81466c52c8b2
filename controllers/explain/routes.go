package explain

import (
	"slices"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
)

// Routes that a node should announce, with what became of each; of all nodes where
// none is named. The error says that there is no such node.
func Routes(in Input, node string) ([]Route, error) {
	world := offline.NewWorld(in.Objects, in.Assume)
	nodes := world.Nodes()
	if node != "" {
		nodes = []string{node}
	}
	routes := []Route{}
	for _, name := range nodes {
		v, err := newView(world, in.States, name)
		if err != nil {
			return nil, err
		}
		routes = slices.Concat(routes, v.routes(func([]compile.Need) bool { return true }))
	}
	return routes, nil
}
