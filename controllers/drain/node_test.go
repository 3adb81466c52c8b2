package drain_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/bigmap"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// node is one that drains: its Keeper and its compiler, as its agent has them.
type node struct {
	t        *testing.T
	keeper   *drain.Keeper
	compiler *compile.Compiler
	clock    *testingclock.FakePassiveClock
	saved    []byte
	world    snapshot.Snapshot
	result   *compile.Result
}

var web = types.NamespacedName{Namespace: "shop", Name: "web"}

// newNode announces a Service's address to the peer tor in the default VRF by a host
// route, and to the peer red in the VRF red by an aggregate. node-b is another node.
func newNode(t *testing.T) *node {
	t.Helper()
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
	peer := func(name, vrf, address string) *v1alpha1.BGPPeer {
		return &v1alpha1.BGPPeer{ObjectMeta: named(name), Spec: v1alpha1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513, VRF: vrf, PeerAddress: address}}
	}
	slice := map[string]*snapshot.Slice{"web-1": {Family: frrtemplates.IPv4, Usable: true, Nodes: []string{"node-a", "node-b"}, Ready: []int{1, 1}}}
	n := &node{t: t, clock: testingclock.NewFakePassiveClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)), world: snapshot.Snapshot{
		Node:  &snapshot.Node{Name: "node-a", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Annotations: map[string]string{}},
		Pools: []*v1alpha1.IPAddressPool{{ObjectMeta: named("public"), Spec: v1alpha1.IPAddressPoolSpec{Addresses: []v1alpha1.AddressBlock{"203.0.113.0/24"}}}},
		Peers: []*v1alpha1.BGPPeer{peer("tor", "", "192.0.2.1"), peer("red", "red", "192.0.2.2")},
		Advertisements: []*v1alpha1.BGPAdvertisement{
			{ObjectMeta: named("host"), Spec: v1alpha1.BGPAdvertisementSpec{Peers: []string{"tor"}}},
			{ObjectMeta: named("wide"), Spec: v1alpha1.BGPAdvertisementSpec{Peers: []string{"red"}, AggregationLength: new(int32(24))}},
		},
		Services: bigmap.Of(map[types.NamespacedName]*snapshot.Service{web: {Key: web, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.7")}}}),
		Slices:   bigmap.Of(map[types.NamespacedName]map[string]*snapshot.Slice{web: slice}),
	}}
	n.begin(nil)
	n.others("tor", "red")
	return n
}

// begin is the start of an agent, after one that had applied this.
func (n *node) begin(applied *snapshot.Applied) {
	n.compiler = compile.NewCompiler()
	n.keeper = drain.New(n.clock, n.saved, applied, func(data []byte) error { n.saved = data; return nil })
}

// restart the agent.
func (n *node) restart() {
	held := &snapshot.Applied{Prefixes: map[netip.Prefix]struct{}{}}
	for prefix := range n.result.Origins.Prefixes.All() {
		held.Prefixes[prefix] = struct{}{}
	}
	n.begin(held)
}

// others is node-b with these sessions.
func (n *node) others(sessions ...string) {
	other := snapshot.Other{Node: &snapshot.Node{Name: "node-b", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2")}}, Sessions: map[string]struct{}{}}
	for _, peer := range sessions {
		other.Sessions[peer] = struct{}{}
	}
	n.world.Others = &snapshot.Others{Slices: maps.Collect(n.world.Slices.All()), Nodes: []snapshot.Other{other}}
}

// step as a reconcile does, and until nothing is due at once; FRR follows. announced says
// what was announced after each.
func (n *node) step() (announced []string) {
	n.t.Helper()
	for range 10 {
		world := n.world
		stepped, err := n.keeper.Step(&world)
		if err != nil {
			n.t.Fatal(err)
		}
		n.result = n.compiler.Compile(stepped)
		text := ""
		for _, router := range n.result.Config.Routers {
			for _, family := range router.Families {
				for _, network := range family.Networks {
					text += fmt.Sprintf("%s %s;", router.VRF, network.Prefix)
				}
			}
		}
		announced = append(announced, text)
		n.keeper.Handed(text, text != "", n.result.Takers)
		n.keeper.Observe(text)
		if next := n.keeper.Next(); next == 0 || next > time.Second {
			return announced
		}
	}
	n.t.Fatalf("it never rests: %q", announced)
	return nil
}

func (n *node) want(what string, got []string, want ...string) {
	n.t.Helper()
	if got = slices.Compact(got); !slices.Equal(got, want) {
		n.t.Fatalf("%s: announced %q, want %q", what, got, want)
	}
}

func (n *node) after(d time.Duration) { n.clock.SetTime(n.clock.Now().Add(d)) }

const (
	both = " 203.0.113.7/32;red 203.0.113.0/24;"
	red  = "red 203.0.113.0/24;"
)

func (n *node) withdraw() []string {
	n.t.Helper()
	n.want("before the drain", n.step(), both)
	n.world.Node = &snapshot.Node{Name: "node-a", Addresses: n.world.Node.Addresses, Annotations: map[string]string{v1alpha1.AnnotationDrain: "true"}}
	n.want("with GRACEFUL_SHUTDOWN", n.step(), both)
	n.after(snapshot.DefaultConvergeTime)
	return n.step()
}

// An address that goes to two VRFs by two prefixes is given up in each by itself: what another node
// takes over in one of them doesn't come back because the other is missing.
func TestOneOfTwoVRFsIsTakenOver(t *testing.T) {
	n := newNode(t)
	n.others("tor")
	n.want("red has no session elsewhere", n.withdraw(), red)
	n.want("once more", n.step(), red)
	n.others("tor", "red")
	n.want("the session in red is up", n.step(), red)
	n.after(snapshot.DefaultConvergeTime)
	n.want("it has been for long enough", n.step(), "")
}

// An agent that restarts and knows the other nodes at once gives nothing up that they
// haven't been able to announce for long enough while it looked.
func TestRestartBeginsTheTimeAnew(t *testing.T) {
	n := newNode(t)
	n.others()
	n.want("nobody has a session", n.withdraw(), both)
	n.others("tor", "red")
	n.after(time.Second)
	n.restart()
	n.want("another has for a second", n.step(), both)
	n.after(snapshot.DefaultConvergeTime - 2*time.Second)
	n.want("for a little less than it takes", n.step(), both)
	n.after(2 * time.Second)
	n.want("for long enough", n.step(), "")
	n.restart()
	n.want("what was given up", n.step(), "")
}
