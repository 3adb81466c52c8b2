package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

const benchServices = 10_000

// benchAgent is a node with two peers that announces 10,000 Services.
func benchAgent(b testing.TB) (*NodeReconciler, []types.NamespacedName) {
	b.Helper()
	file, _, err := OpenConfigFile(b.TempDir(), "bench", "boot")
	if err != nil {
		b.Fatal(err)
	}
	store := snapshot.NewStore(&snapshot.Gates{Cluster: snapshot.GateOpen}, snapshot.Host{}, nil)
	store.SetNode(&snapshot.Node{Name: "node-a", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}})
	store.SetPool(&v1alpha1.IPAddressPool{
		ObjectMeta: metav1.ObjectMeta{Name: "public"},
		Spec:       v1alpha1.IPAddressPoolSpec{Addresses: []v1alpha1.AddressBlock{"10.64.0.0/16"}},
	})
	for i := range 2 {
		store.SetPeer(&v1alpha1.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("tor-", i)},
			Spec:       v1alpha1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513, PeerAddress: fmt.Sprint("192.0.2.", i+1)},
		})
	}
	store.SetAdvertisement(&v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "everything"}})
	keys := make([]types.NamespacedName, benchServices)
	for i := range keys {
		keys[i] = types.NamespacedName{Namespace: "shop", Name: fmt.Sprint("web-", i)}
		store.SetService(keys[i], &snapshot.Service{
			Key: keys[i], Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 64, byte(i >> 8), byte(i)})},
		})
		store.SetSlice(keys[i], "1", usableSlice(true))
	}
	return &NodeReconciler{
		Cluster: func(*snapshot.Snapshot) {},
		Store:   store, Compiler: compile.NewCompiler(), Renderer: frrtemplates.NewRenderer(), File: file,
		Want: func(gates.Wanted) {}, WantRelay: func(bool, bool, RelayWish) {}, Done: func(Outcome) {}, Drains: func(bool) {},
	}, keys
}

func usableSlice(usable bool) *snapshot.Slice {
	return &snapshot.Slice{Family: frrtemplates.IPv4, Usable: usable}
}

// From the event of one changed EndpointSlice among 10,000 Services to the bytes
// of frr.conf. The goal is 5 ms.
func BenchmarkAgentOneOf10000(b *testing.B) {
	agent, keys := benchAgent(b)
	render := func() {
		result := agent.Compiler.Compile(agent.Store.Snapshot())
		if _, err := agent.Renderer.Render(result.Config); err != nil {
			b.Fatal(err)
		}
	}
	render()
	i := 0
	for b.Loop() {
		if !agent.Store.SetSlice(keys[(i/2)%len(keys)], "1", usableSlice(i%2 == 1)) {
			b.Fatal("nothing changed")
		}
		render()
		i++
	}
}

// The same up to the file in the exchange directory.
func BenchmarkAgentOneOf10000Written(b *testing.B) {
	agent, keys := benchAgent(b)
	ctx := context.Background()
	if _, err := agent.Reconcile(ctx, wake{}); err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		agent.Store.SetSlice(keys[(i/2)%len(keys)], "1", usableSlice(i%2 == 1))
		if _, err := agent.Reconcile(ctx, wake{}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// A change of one among 10,000 Services leaves little garbage: what is collected costs
// the agent more processor time than what it decides (it was 3.6 MB, of which 0.5 are
// left: the list of networks is copied).
func TestAChangeLeavesLittleGarbage(t *testing.T) {
	agent, keys := benchAgent(t)
	change := func(i int) {
		agent.Store.SetSlice(keys[i/2], "1", usableSlice(i%2 == 1))
		if _, err := agent.Reconcile(t.Context(), wake{}); err != nil {
			t.Fatal(err)
		}
	}
	change(0)
	const changes = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range changes {
		change(i + 1)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / changes; each > 1<<20 {
		t.Errorf("each change allocates %d bytes", each)
	}
}

// From nothing to the bytes, at 10,000 Services. The goal is 200 ms.
func BenchmarkAgentFromScratch10000(b *testing.B) {
	agent, _ := benchAgent(b)
	for b.Loop() {
		result := compile.Compile(agent.Store.Snapshot())
		if _, err := frrtemplates.Render(result.Config); err != nil {
			b.Fatal(err)
		}
	}
}
