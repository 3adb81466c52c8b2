package compile_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand"
	"net/netip"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/bigmap"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/relay/exchange"
)

// TestIncrementalEqualsFromScratch feeds random events to a Store and, after
// each, compares one long-lived Compiler and Renderer with fresh ones.
func TestIncrementalEqualsFromScratch(t *testing.T) {
	for seed := range int64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(seed)
			for step := range 600 {
				event := w.event()
				if err := w.check(); err != nil {
					t.Fatalf("step %d, after %s: %v", step, event, err)
				}
			}
			if w.announced == 0 || w.withheld == 0 || w.issues == 0 {
				t.Errorf("the world is dull: %d lines, %d withheld, %d issues", w.announced, w.withheld, w.issues)
			}
		})
	}
}

// world is a Store that random things happen to.
type world struct {
	random   *rand.Rand
	store    *snapshot.Store
	compiler *compile.Compiler
	renderer *frrtemplates.Renderer
	body     []byte
	// earlier is a Result that was handed out, and what it rendered to then.
	earlier     *compile.Result
	earlierText string

	announced, withheld, issues int
}

func newWorld(seed int64) *world {
	gates := &snapshot.Gates{Local: map[types.NamespacedName]snapshot.GateState{}}
	if seed%2 == 0 {
		gates = nil
	}
	w := &world{
		random: rand.New(rand.NewSource(seed)), store: snapshot.NewStore(gates, snapshot.Host{}, nil),
		compiler: compile.NewCompiler(), renderer: frrtemplates.NewRenderer(),
	}
	w.beGood()
	return w
}

// beGood sets what makes most Services announced.
func (w *world) beGood() {
	pool := &v1alpha1.IPAddressPool{Spec: v1alpha1.IPAddressPoolSpec{Addresses: []v1alpha1.AddressBlock{"203.0.113.0/28", "2001:db8::/124"}}}
	pool.Name = "base"
	w.store.SetPool(pool)
	w.store.SetAdvertisement(&v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "base"}})
	for name, address := range map[string]string{"base4": "192.0.2.9", "base6": "2001:db8:f::9"} {
		peer := &v1alpha1.BGPPeer{Spec: v1alpha1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513, PeerAddress: address}}
		peer.Name = name
		w.store.SetPeer(peer)
	}
	w.setNode()
	w.setNodes()
	w.setFlow()
}

func (w *world) check() error {
	s := w.store.Snapshot()
	got, want := w.compiler.Compile(s), compile.Compile(s)
	if !reflect.DeepEqual(normal(got), normal(want)) {
		return fmt.Errorf("incremental\n%+v\nfrom scratch\n%+v", normal(got), normal(want))
	}
	body, err := w.renderer.Render(got.Config)
	if err != nil {
		return err
	}
	fresh, err := frrtemplates.Render(want.Config)
	if err != nil || !bytes.Equal(body, fresh) {
		return fmt.Errorf("rendered\n%s\nfrom scratch\n%s\n%w", body, fresh, err)
	}
	w.body = body
	w.count(got)
	return w.checkEarlier(got)
}

// checkEarlier: a Result that was handed out never changes.
func (w *world) checkEarlier(now *compile.Result) error {
	if w.earlier != nil {
		if again := text(w.earlier); again != w.earlierText {
			return fmt.Errorf("an earlier Result changed:\n%s\nwas\n%s", again, w.earlierText)
		}
	}
	if w.earlier == nil || w.random.Intn(5) == 0 {
		w.earlier, w.earlierText = now, text(now)
	}
	return nil
}

// text is all of a Result; fmt sorts maps by their keys.
func text(r *compile.Result) string {
	relay := r.Relay
	needs := maps.Collect(r.Origins.Prefixes.All())
	without := *r
	without.Relay, without.Origins.Prefixes = nil, bigmap.View[netip.Prefix, []compile.Need]{}
	return fmt.Sprintf("%+v %+v %+v", without, needs, relay)
}

func (w *world) count(result *compile.Result) {
	w.announced += result.Origins.Prefixes.Len()
	w.withheld += len(result.Withheld)
	w.issues += len(result.Issues)
}

// normal makes empty and nil the same.
func normal(r *compile.Result) *compile.Result {
	n := *r
	if len(n.Withheld) == 0 {
		n.Withheld = nil
	}
	if n.Relay != nil {
		relay := *n.Relay
		relay.Learn, relay.PathMTU, relay.Count = append([]exchange.Frontend(nil), relay.Learn...), append([]netip.Addr(nil), relay.PathMTU...), append([]netip.Addr(nil), relay.Count...)
		n.Relay = &relay
	}
	n.Config.Routers = append([]frrtemplates.Router(nil), n.Config.Routers...)
	for i := range n.Config.Routers {
		families := append([]frrtemplates.RouterFamily(nil), n.Config.Routers[i].Families...)
		for j := range families {
			if len(families[j].Networks) == 0 {
				families[j].Networks = nil
			}
		}
		n.Config.Routers[i].Families = families
	}
	return &n
}

func (w *world) event() string {
	rare := []func() string{w.setPool, w.setPeer, w.setAdvertisement, w.setCommunity, w.deletePolicy, w.setSecret, w.setNode, w.setNamespace, w.setFlow, w.setNodes, w.setSettings}
	often := []func() string{w.setService, w.setSlice, w.setSlice, w.deleteService, w.relabelService, w.openGate, w.apply}
	events := often
	if w.random.Intn(6) == 0 {
		events = rare
	}
	return events[w.random.Intn(len(events))]()
}

func (w *world) pick(names ...string) string { return names[w.random.Intn(len(names))] }

// some is a random part of names, nil half of the time.
func (w *world) some(names ...string) []string {
	var part []string
	for _, name := range names {
		if w.random.Intn(3) == 0 {
			part = append(part, name)
		}
	}
	return part
}

func (w *world) age() metav1.ObjectMeta {
	return metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(time.Unix(int64(w.random.Intn(3)), 0))}
}

func (w *world) selectors() []metav1.LabelSelector {
	switch w.random.Intn(5) {
	case 0:
		return []metav1.LabelSelector{{MatchLabels: map[string]string{"rack": w.pick("r1", "r2")}}}
	case 1:
		return []metav1.LabelSelector{{MatchLabels: map[string]string{"rack": "not a value"}}, {}}
	}
	return nil
}

func (w *world) service() types.NamespacedName {
	return types.NamespacedName{Namespace: w.pick("a", "b"), Name: fmt.Sprint("s", w.random.Intn(5))}
}

func (w *world) setService() string {
	key := w.service()
	service := &snapshot.Service{Key: key, Local: w.random.Intn(3) == 0, Labels: w.labels()}
	for range w.random.Intn(3) {
		service.Ports = append(service.Ports, snapshot.Port{Protocol: corev1.Protocol(w.pick("TCP", "UDP")), Port: uint16(1 + w.random.Intn(3))})
	}
	for range 1 + w.random.Intn(2) {
		text := fmt.Sprintf("203.0.113.%d", w.random.Intn(20))
		if w.random.Intn(3) == 0 {
			text = fmt.Sprintf("2001:db8::%x", w.random.Intn(24))
		}
		service.Addresses = append(service.Addresses, netip.MustParseAddr(text))
	}
	w.store.SetService(key, service)
	return fmt.Sprint("service ", key, service.Addresses, service.Labels)
}

func (w *world) labels() map[string]string {
	return map[string]string{"rack": w.pick("r1", "r2", "r3")}
}

// relabelService changes nothing else, and not always that.
func (w *world) relabelService() string {
	key := w.service()
	old := w.store.Snapshot().Services.Get(key)
	if old == nil {
		return "nothing"
	}
	service := *old
	service.Labels = w.labels()
	w.store.SetService(key, &service)
	return fmt.Sprint("labels of ", key, service.Labels)
}

func (w *world) setNamespace() string {
	namespace := &snapshot.Namespace{Name: w.pick("a", "b"), Labels: w.labels()}
	if w.random.Intn(6) == 0 {
		w.store.DeleteNamespace(namespace.Name)
		return "no namespace " + namespace.Name
	}
	w.store.SetNamespace(namespace)
	return fmt.Sprint("namespace ", namespace.Name, namespace.Labels)
}

func (w *world) deleteService() string {
	key := w.service()
	if w.random.Intn(2) == 0 {
		w.store.SetService(key, nil)
	} else {
		w.store.DeleteService(key)
	}
	return fmt.Sprint("no service ", key)
}

func (w *world) setSlice() string {
	key, name := w.service(), w.pick("x", "y")
	if w.random.Intn(8) == 0 {
		w.store.DeleteSlice(key, name)
		return fmt.Sprint("no slice ", key, name)
	}
	slice := &snapshot.Slice{Family: frrtemplates.IPv4, Usable: w.random.Intn(8) > 0}
	if name == "y" {
		slice.Family = frrtemplates.IPv6
	}
	if slice.Usable && w.random.Intn(4) > 0 {
		slice.Nodes, slice.Ready = []string{"node-a"}, []int{w.random.Intn(3)}
	}
	w.store.SetSlice(key, name, slice)
	return fmt.Sprintf("slice %s %s %+v", key, name, slice)
}

func (w *world) setPool() string {
	pool := &v1alpha1.IPAddressPool{ObjectMeta: w.age()}
	pool.Name, pool.Labels = w.pick("p1", "p2", "p3"), map[string]string{"rack": w.pick("r1", "r2")}
	for range 1 + w.random.Intn(2) {
		block := w.pick("203.0.113.0/29", "203.0.113.4-203.0.113.12", "203.0.113.16/29", "2001:db8::/124", "2001:db8::9-2001:db8::1", "2001:db8::10/124")
		pool.Spec.Addresses = append(pool.Spec.Addresses, v1alpha1.AddressBlock(block))
	}
	w.store.SetPool(pool)
	return fmt.Sprint("pool ", pool.Name, pool.Spec.Addresses)
}

func (w *world) setPeer() string {
	peer := &v1alpha1.BGPPeer{ObjectMeta: w.age(), Spec: v1alpha1.BGPPeerSpec{
		MyASN: 64512, PeerASN: int64(64512 + w.random.Intn(2)), NodeSelectors: w.selectors(),
		VRF:                   w.pick("", "", "red", "blue", "no name"),
		PeerAddress:           w.pick("192.0.2.1", "192.0.2.2", "2001:db8:f::1", "192.0.2.300"),
		EnableGracefulRestart: w.random.Intn(4) == 0,
	}}
	peer.Name, peer.Labels = w.pick("r1", "r2", "r3", "r4"), w.labels()
	if w.random.Intn(8) == 0 {
		peer.Spec.MyASN = 65000
	}
	if w.random.Intn(3) == 0 {
		peer.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: w.pick("s1", "s2")}
	}
	w.store.SetPeer(peer)
	return fmt.Sprintf("peer %s %+v", peer.Name, peer.Spec)
}

func (w *world) setAdvertisement() string {
	advertisement := &v1alpha1.BGPAdvertisement{ObjectMeta: w.age(), Spec: v1alpha1.BGPAdvertisementSpec{
		IPAddressPools: w.some("p1", "p2", "p9"), Peers: w.some("r1", "r2", "r9"), NodeSelectors: w.selectors(),
	}}
	advertisement.Name = w.pick("a1", "a2", "a3")
	advertisement.Spec.IPAddressPoolSelectors, advertisement.Spec.PeerSelectors = w.selectors(), w.selectors()
	advertisement.Spec.ServiceSelectors, advertisement.Spec.NamespaceSelectors = w.selectors(), w.selectors()
	for _, value := range w.some("64512:1", "no-export", "64512:99999", "alias") {
		advertisement.Spec.Communities = append(advertisement.Spec.Communities, v1alpha1.CommunityValue(value))
	}
	if w.random.Intn(3) == 0 {
		advertisement.Spec.AggregationLength, advertisement.Spec.AggregationLengthV6 = new(int32(27+w.random.Intn(5))), new(int32(123+w.random.Intn(5)))
	}
	if w.random.Intn(3) == 0 {
		advertisement.Spec.LocalPref = new(int64(w.random.Intn(2)))
	}
	if w.random.Intn(2) == 0 {
		advertisement.Spec.Weight = v1alpha1.WeightLocalEndpoints
	}
	w.store.SetAdvertisement(advertisement)
	return fmt.Sprintf("advertisement %s %+v", advertisement.Name, advertisement.Spec)
}

func (w *world) setFlow() string {
	policy := &v1alpha1.FlowPolicy{ObjectMeta: w.age()}
	policy.Name = w.pick("f1", "f2", "f3")
	if w.random.Intn(5) == 0 {
		w.store.DeleteFlowPolicy(policy.Name)
		return "no flow policy " + policy.Name
	}
	policy.Spec.Mode = v1alpha1.FlowMode(w.pick("Learn", "Learn", "Off"))
	policy.Spec.IPAddressPools, policy.Spec.IPAddressPoolSelectors = w.some("p1", "base", "p9"), w.selectors()
	policy.Spec.ServiceSelectors, policy.Spec.NamespaceSelectors = w.selectors(), w.selectors()
	if w.random.Intn(4) == 0 {
		policy.Spec.Namespaces = []v1alpha1.NamespaceName{"a"}
	}
	for _, name := range w.some("TCP", "QUIC") {
		policy.Spec.Protocols = append(policy.Spec.Protocols, v1alpha1.FlowProtocol(name))
	}
	w.store.SetFlowPolicy(policy)
	return fmt.Sprintf("flow policy %s %+v", policy.Name, policy.Spec)
}

// setNodes are at times too many for the relay.
func (w *world) setNodes() string {
	nodes := []*snapshot.ClusterNode{{Name: "node-a", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}}
	count := w.random.Intn(4)
	if w.random.Intn(4) == 0 {
		count = 70
	}
	for i := range count {
		nodes = append(nodes, &snapshot.ClusterNode{Name: fmt.Sprintf("node-b%02d", i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 1, byte(w.random.Intn(99))})}})
	}
	w.store.SetNodes(nodes)
	return fmt.Sprint(count, " nodes")
}

func (w *world) setSettings() string {
	settings := &snapshot.Settings{PathMTUOff: w.random.Intn(2) == 0}
	settings.Flows.Port = int32(w.random.Intn(2))
	w.store.SetSettings(settings)
	return fmt.Sprintf("settings %+v", settings)
}

func (w *world) setCommunity() string {
	community := &v1alpha1.Community{ObjectMeta: w.age()}
	community.Name = w.pick("c1", "c2")
	value := v1alpha1.CommunityValue(w.pick("64512:7", "1:2:3", "alias"))
	community.Spec.Communities = []v1alpha1.CommunityAlias{{Name: w.pick("alias", "other"), Value: value}}
	w.store.SetCommunity(community)
	return fmt.Sprintf("community %s %+v", community.Name, community.Spec)
}

func (w *world) deletePolicy() string {
	switch name := w.pick("p1", "p2", "r1", "r2", "a1", "a2", "c1"); name[0] {
	case 'c':
		w.store.DeleteCommunity(name)
		return "no community " + name
	case 'p':
		w.store.DeletePool(name)
		return "no pool " + name
	case 'r':
		w.store.DeletePeer(name)
		return "no peer " + name
	default:
		w.store.DeleteAdvertisement(name)
		return "no advertisement " + name
	}
}

func (w *world) setSecret() string {
	name := w.pick("s1", "s2")
	if w.random.Intn(4) == 0 {
		w.store.DeleteSecret(name)
		return "no secret " + name
	}
	kind := w.pick("kubernetes.io/basic-auth", "kubernetes.io/basic-auth", "Opaque")
	password := w.pick("hush", "hush2", "hu sh")
	w.store.SetSecret(name, &snapshot.Secret{Type: kind, Password: frrtemplates.NewSecret(password), HasPassword: true})
	return "secret " + name
}

func (w *world) setNode() string {
	if w.random.Intn(6) == 0 {
		w.store.DeleteNode()
		return "no node"
	}
	node := &snapshot.Node{Name: "node-a", Labels: map[string]string{"rack": w.pick("r1", "r2")}}
	node.Addresses = []netip.Addr{netip.MustParseAddr(w.pick("10.0.0.1", "10.0.0.2", "2001:db8:a::1"))}
	node.Excluded, node.NetworkUnavailable = w.random.Intn(8) == 0, w.random.Intn(8) == 0
	w.store.SetNode(node)
	return fmt.Sprint("node ", node.Labels, node.Addresses)
}

func (w *world) openGate() string {
	opened := snapshot.Opened{Local: map[types.NamespacedName]snapshot.GateState{w.service(): snapshot.GateOpen}}
	if w.random.Intn(40) == 0 {
		opened.Cluster = snapshot.GateTimedOut
	}
	if w.random.Intn(60) == 0 {
		opened.Relay = snapshot.GateState(w.random.Intn(3))
	}
	w.store.OpenGates(opened)
	w.store.SetAnnounced(maps.Keys(compile.ParseApplied(w.body).Prefixes))
	return fmt.Sprint("gates ", opened)
}

// apply is FRR taking what was rendered last. Sometimes the file was another's,
// who numbered differently and announced something else.
func (w *world) apply() string {
	applied := compile.ParseApplied(w.body)
	if w.random.Intn(3) == 0 {
		applied = renumbered(applied)
	}
	if w.random.Intn(3) == 0 {
		applied.Prefixes[netip.MustParsePrefix(fmt.Sprintf("203.0.113.%d/32", w.random.Intn(20)))] = struct{}{}
	}
	w.store.SetApplied(applied)
	return fmt.Sprintf("applied %+v", applied)
}

func renumbered(applied *snapshot.Applied) *snapshot.Applied {
	other := &snapshot.Applied{Prefixes: applied.Prefixes, Tags: map[string]frrtemplates.Tag{}, Sequences: map[frrtemplates.Tag]uint16{}}
	for name, tag := range applied.Tags {
		other.Tags[name] = tag ^ 1
		other.Sequences[tag^1] = applied.Sequences[tag] ^ 1
	}
	return other
}
