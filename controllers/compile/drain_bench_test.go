package compile_test

import (
	"fmt"
	"net/netip"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/bigmap"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

const manyNodes = 1000

// drainOf10000 is a node that has withdrawn, with 10,000 Services and 1,000 other nodes,
// each with a session with the peer.
func drainOf10000(peer string, local bool, endpoint string) *snapshot.Snapshot {
	s := *manyStore().Snapshot()
	others := &snapshot.Others{Slices: map[types.NamespacedName]map[string]*snapshot.Slice{}}
	services := map[types.NamespacedName]*snapshot.Service{}
	for key, service := range s.Services.All() {
		copied := *service
		copied.Local = local
		services[key] = &copied
		others.Slices[key] = map[string]*snapshot.Slice{"1": {Family: frrtemplates.IPv4, Usable: true, Nodes: []string{endpoint}, Ready: []int{1}}}
	}
	for i := range manyNodes {
		others.Nodes = append(others.Nodes, snapshot.Other{
			Node:     &snapshot.Node{Name: fmt.Sprintf("node-b%04d", i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}},
			Sessions: map[string]struct{}{peer: {}},
		})
	}
	s.Services, s.Others, s.Drain = bigmap.Of(services), others, snapshot.Drain{Stage: snapshot.DrainWithdrawn}
	return &s
}

// BenchmarkDrainOf10000: something of one of 1,000 other nodes has changed. Of the 10,000
// Services others take over all, or none as no other has a session that carries them, or
// as no other has an endpoint.
func BenchmarkDrainOf10000(b *testing.B) {
	for name, world := range map[string]struct {
		peer, endpoint string
		local          bool
		kept           int
	}{
		"TakenOver":  {peer: "tor-0", endpoint: "node-a"},
		"NoSession":  {peer: "elsewhere", endpoint: "node-a", kept: manyServices},
		"NoEndpoint": {peer: "tor-0", endpoint: "node-a", local: true, kept: manyServices},
	} {
		b.Run(name, func(b *testing.B) {
			s := drainOf10000(world.peer, world.local, world.endpoint)
			compiler := compile.NewCompiler()
			b.ReportAllocs()
			for b.Loop() {
				others, next := *s.Others, *s
				next.Others = &others
				if result := compiler.Compile(&next); len(result.Kept) != world.kept {
					b.Fatal(len(result.Kept))
				}
			}
		})
	}
}
