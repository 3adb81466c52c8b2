package compile_test

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// TestOthersAreAskedAlike: who could take over from a node that drains is what each other node's
// own policy says of each Service, though they are asked once for all that are alike; and
// a long-lived Compiler says the same as a fresh one.
func TestOthersAreAskedAlike(t *testing.T) {
	for seed := range int64(17) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(seed)
			if seed%2 > 0 {
				// Not every Service to every peer.
				w.store.SetAdvertisement(&v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "base"}, Spec: v1alpha1.BGPAdvertisementSpec{
					AggregationLength: new(int32(30)), ServiceSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"rack": "r1"}}},
				}})
			}
			if seed >= 8 {
				w.beDiverse()
			}
			node := &snapshot.Node{Name: "node-a", Labels: map[string]string{"rack": "r1"}, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8:1::a")}}
			others, able, nobody := w.someOthers(), 0, 0
			for step := range 300 {
				event := w.event()
				if w.random.Intn(5) == 0 {
					others = w.someOthers()
				}
				s := *w.store.Snapshot()
				s.Node, s.Gates, s.Others = node, nil, others
				s.Drain = snapshot.Drain{Stage: snapshot.DrainWithdrawn, Kept: &snapshot.Kept{}}
				for key, service := range s.Services.All() {
					for _, address := range service.Addresses { // all is kept, so that all are asked for
						for _, vrf := range []string{"", "red", "blue"} {
							(*s.Drain.Kept)[snapshot.Route{Service: key, Address: address, VRF: vrf}] = nil
						}
					}
				}
				got := w.compiler.Compile(&s)
				if fresh := compile.Compile(&s); !reflect.DeepEqual(normal(got), normal(fresh)) {
					t.Fatalf("step %d, after %s: incremental\n%+v\nfrom scratch\n%+v", step, event, normal(got), normal(fresh))
				}
				for route, takers := range got.Takers {
					if want := takersOf(&s, route); !slices.Equal(takers, want) {
						t.Fatalf("step %d, after %s: %v is taken over by %v, want %v", step, event, route, takers, want)
					}
					able += len(takers)
					if len(takers) == 0 {
						nobody++
					}
				}
			}
			if able == 0 || nobody == 0 {
				t.Errorf("the world is dull: %d takers, %d routes without", able, nobody)
			}
		})
	}
}

// beDiverse has each part of what routes are told apart by decide alone which peers get them:
// the pool, which advertisements select the Service, whether an aggregate fits into the
// pool (the last addresses of base are in none), and whether the Service takes aggregates.
func (w *world) beDiverse() {
	pool := func(name string, blocks ...v1alpha1.AddressBlock) {
		w.store.SetPool(&v1alpha1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.IPAddressPoolSpec{Addresses: blocks}})
	}
	pool("base", "203.0.113.0-203.0.113.11", "2001:db8::-2001:db8::e")
	pool("second", "203.0.113.12/30", "2001:db8::10/124")
	for i, name := range []string{"gold", "wide", "second"} {
		for suffix, address := range map[string]string{"4": fmt.Sprint("192.0.2.", 20+i), "6": fmt.Sprint("2001:db8:f::", 20+i)} {
			w.store.SetPeer(&v1alpha1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name + suffix}, Spec: v1alpha1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513, PeerAddress: address}})
		}
	}
	rack := func(operator metav1.LabelSelectorOperator) []metav1.LabelSelector {
		return []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "rack", Operator: operator, Values: []string{"r1"}}}}}
	}
	for name, spec := range map[string]v1alpha1.BGPAdvertisementSpec{
		"base":   {IPAddressPools: []string{"base"}, ServiceSelectors: rack(metav1.LabelSelectorOpNotIn)},
		"gold":   {IPAddressPools: []string{"base"}, ServiceSelectors: rack(metav1.LabelSelectorOpIn)},
		"wide":   {IPAddressPools: []string{"base"}, AggregationLength: new(int32(29)), AggregationLengthV6: new(int32(125))},
		"second": {IPAddressPools: []string{"second"}},
	} {
		spec.Peers = []string{name + "4", name + "6"}
		w.store.SetAdvertisement(&v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec})
	}
}

// someOthers are three nodes with some sessions, and endpoints.
func (w *world) someOthers() *snapshot.Others {
	others := &snapshot.Others{Slices: map[types.NamespacedName]map[string]*snapshot.Slice{}}
	names := []string{"node-b", "node-c", "node-d"}
	for i, name := range names {
		other := snapshot.Other{Node: &snapshot.Node{
			Name: name, Labels: w.labels(), Excluded: w.random.Intn(8) == 0,
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), netip.MustParseAddr(fmt.Sprint("2001:db8:1::", i+1))},
		}, Sessions: map[string]struct{}{}}
		for _, peer := range []string{"base4", "base6", "r1", "r2", "r3", "r4", "gold4", "gold6", "wide4", "wide6", "second4", "second6"} {
			if w.random.Intn(2) == 0 {
				other.Sessions[peer] = struct{}{}
			}
		}
		others.Nodes = append(others.Nodes, other)
	}
	for _, namespace := range []string{"a", "b"} {
		for i := range 5 {
			all := map[string]*snapshot.Slice{}
			for _, family := range []frrtemplates.Family{frrtemplates.IPv4, frrtemplates.IPv6} {
				slice := &snapshot.Slice{Family: family, Usable: w.random.Intn(4) > 0}
				for _, name := range names {
					if slice.Usable && w.random.Intn(2) == 0 {
						slice.Nodes, slice.Ready = append(slice.Nodes, name), append(slice.Ready, w.random.Intn(2))
					}
				}
				all[family.String()] = slice
			}
			others.Slices[types.NamespacedName{Namespace: namespace, Name: fmt.Sprint("s", i)}] = all
		}
	}
	return others
}

// takersOf asks each node's policy.
func takersOf(s *snapshot.Snapshot, route snapshot.Route) []snapshot.Taker {
	family := frrtemplates.FamilyOf(route.Address)
	found := map[snapshot.Taker]struct{}{}
	for _, other := range s.Others.Nodes {
		policy := compile.NewPolicy(&snapshot.Snapshot{
			Node: other.Node, Settings: s.Settings, Pools: s.Pools, Peers: s.Peers,
			Advertisements: s.Advertisements, Communities: s.Communities, BFDProfiles: s.BFDProfiles,
		})
		subject := compile.Subject{Service: s.Services.Get(route.Service), Namespace: s.Namespaces[route.Service.Namespace], Slices: s.Others.Slices[route.Service]}
		ready := !subject.Service.Local
		for _, slice := range subject.Slices {
			ready = ready || slice.Family == family && slice.ReadyOn(other.Node.Name) > 0
		}
		for _, line := range policy.Service(subject).Lines {
			for _, peer := range policy.Peers {
				_, up := other.Sessions[peer.Name]
				if ready && up && peer.VRF == route.VRF && line.Prefix.Contains(route.Address) && slices.Contains(line.Peers, peer.Name) {
					found[snapshot.Taker{Node: other.Node.Name, Peer: peer.Name}] = struct{}{}
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), snapshot.Taker.Compare)
}
