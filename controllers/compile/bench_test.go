package compile_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

const manyServices = 10_000

// selectiveStore is the same with two more advertisements, one for every other
// Service and one for every fifth namespace: four classes.
func selectiveStore() *snapshot.Store {
	store := manyStore()
	for name, spec := range map[string]v1alpha1.BGPAdvertisementSpec{
		"d": {ServiceSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"parity": "0"}}}},
		"e": {NamespaceSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"fifth": "0"}}}},
	} {
		store.SetAdvertisement(&v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec})
	}
	for i := range 50 {
		store.SetNamespace(&snapshot.Namespace{Name: manyKey(i).Namespace, Labels: map[string]string{"fifth": fmt.Sprint(i % 5)}})
	}
	return store
}

// BenchmarkSelectiveFromScratch10000 is from scratch where advertisements look at
// the Services.
func BenchmarkSelectiveFromScratch10000(b *testing.B) {
	s := selectiveStore().Snapshot()
	for b.Loop() {
		body, err := frrtemplates.Render(compile.Compile(s).Config)
		if err != nil || len(body) < manyServices*40 {
			b.Fatal(len(body), err)
		}
	}
}

// manyKeyParity is the label that Service 77 begins with.
const manyKeyParity = 77 % 2

// BenchmarkRelabelledOneOf10000: one Service's label moves it to another class.
func BenchmarkRelabelledOneOf10000(b *testing.B) {
	store := selectiveStore()
	compiler, renderer := compile.NewCompiler(), frrtemplates.NewRenderer()
	parity := manyKeyParity
	for b.Loop() {
		parity = 1 - parity
		service := *store.Snapshot().Services.Get(manyKey(77))
		service.Labels = map[string]string{"parity": fmt.Sprint(parity)}
		if !store.SetService(manyKey(77), &service) {
			b.Fatal("no change")
		}
		if _, err := renderer.Render(compiler.Compile(store.Snapshot()).Config); err != nil {
			b.Fatal(err)
		}
	}
}

// aggregateStore is the same with one aggregate of all 10,000.
func aggregateStore() *snapshot.Store {
	store := manyStore()
	store.SetAdvertisement(&v1alpha1.BGPAdvertisement{
		ObjectMeta: metav1.ObjectMeta{Name: "d"}, Spec: v1alpha1.BGPAdvertisementSpec{AggregationLength: new(int32(17))},
	})
	return store
}

// BenchmarkAggregateFromScratch10000 is from scratch where all Services are
// members of one aggregate.
func BenchmarkAggregateFromScratch10000(b *testing.B) {
	s := aggregateStore().Snapshot()
	for b.Loop() {
		body, err := frrtemplates.Render(compile.Compile(s).Config)
		if err != nil || !bytes.Contains(body, []byte("ip route 10.64.0.0/17 blackhole 254")) {
			b.Fatal(len(body), err)
		}
	}
}

// BenchmarkAggregateOneOf10000: one of the members changes its address.
func BenchmarkAggregateOneOf10000(b *testing.B) {
	store := aggregateStore()
	compiler, renderer := compile.NewCompiler(), frrtemplates.NewRenderer()
	address := 0
	for b.Loop() {
		address = 1 - address
		setManyService(store, 77, 20_000+address)
		if _, err := renderer.Render(compiler.Compile(store.Snapshot()).Config); err != nil {
			b.Fatal(err)
		}
	}
}

// manyStore is a node with two peers, three advertisements and 10,000 Services.
func manyStore() *snapshot.Store {
	store := snapshot.NewStore(nil, snapshot.Host{}, nil)
	store.SetNode(&snapshot.Node{Name: "node-a", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}})
	for i, block := range []v1alpha1.AddressBlock{"10.64.0.0/17", "10.64.128.0/17"} {
		pool := &v1alpha1.IPAddressPool{Spec: v1alpha1.IPAddressPoolSpec{Addresses: []v1alpha1.AddressBlock{block}}}
		pool.Name = fmt.Sprint("pool-", i)
		store.SetPool(pool)
		peer := &v1alpha1.BGPPeer{Spec: v1alpha1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513, PeerAddress: fmt.Sprint("192.0.2.", i+1)}}
		peer.Name = fmt.Sprint("tor-", i)
		store.SetPeer(peer)
	}
	for _, name := range []string{"a", "b", "c"} {
		store.SetAdvertisement(&v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.BGPAdvertisementSpec{
			Communities: []v1alpha1.CommunityValue{"64512:1", "no-export"},
		}})
	}
	for i := range manyServices {
		setManyService(store, i, i)
		store.SetSlice(manyKey(i), "1", &snapshot.Slice{Family: frrtemplates.IPv4, Usable: true, Nodes: []string{"node-a"}})
	}
	return store
}

func manyKey(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: fmt.Sprint("team-", i%50), Name: fmt.Sprint("service-", i)}
}

func setManyService(store *snapshot.Store, i, address int) {
	store.SetService(manyKey(i), &snapshot.Service{
		Key: manyKey(i), Labels: map[string]string{"parity": fmt.Sprint(i % 2)}, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 64, byte(address >> 8), byte(address)})},
	})
}

// BenchmarkFromScratch10000: snapshot to rendered bytes; at most 200 ms.
func BenchmarkFromScratch10000(b *testing.B) {
	s := manyStore().Snapshot()
	for b.Loop() {
		body, err := frrtemplates.Render(compile.Compile(s).Config)
		if err != nil || len(body) < manyServices*40 {
			b.Fatal(len(body), err)
		}
	}
}

// BenchmarkOneOf10000Changed: one Service gets another address; from the event
// to rendered bytes at most 5 ms.
func BenchmarkOneOf10000Changed(b *testing.B) {
	store := manyStore()
	compiler, renderer := compile.NewCompiler(), frrtemplates.NewRenderer()
	address := manyServices
	for b.Loop() {
		address = manyServices + (address+1)%manyServices
		setManyService(store, 77, address)
		body, err := renderer.Render(compiler.Compile(store.Snapshot()).Config)
		if err != nil || len(body) < manyServices*40 {
			b.Fatal(len(body), err)
		}
	}
}

// BenchmarkRenderOneOf10000Changed is the renderer's part of it.
func BenchmarkRenderOneOf10000Changed(b *testing.B) {
	store := manyStore()
	compiler, renderer := compile.NewCompiler(), frrtemplates.NewRenderer()
	configs := [2]frrtemplates.Config{compiler.Compile(store.Snapshot()).Config}
	setManyService(store, 77, manyServices+1)
	configs[1] = compiler.Compile(store.Snapshot()).Config
	i := 0
	for b.Loop() {
		i = 1 - i
		if _, err := renderer.Render(configs[i]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPolicy is what the manager does once per node.
func BenchmarkPolicy(b *testing.B) {
	s := manyStore().Snapshot()
	for b.Loop() {
		compile.NewPolicy(s)
	}
}

// BenchmarkServicePerPolicy is what the manager asks once per Service and node.
func BenchmarkServicePerPolicy(b *testing.B) {
	s := manyStore().Snapshot()
	policy := compile.NewPolicy(s)
	subject := compile.Subject{Service: s.Services.Get(manyKey(77)), Slices: s.Slices.Get(manyKey(77))}
	for b.Loop() {
		if d := policy.Service(subject); len(d.Lines) != 1 {
			b.Fatal(d.Why)
		}
	}
}

// BenchmarkParseApplied10000 is what the agent does after each apply.
func BenchmarkParseApplied10000(b *testing.B) {
	body, err := frrtemplates.Render(compile.Compile(manyStore().Snapshot()).Config)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if len(compile.ParseApplied(body).Prefixes) != manyServices {
			b.Fatal("prefixes are missing")
		}
	}
}
