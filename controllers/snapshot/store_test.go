package snapshot

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

func web(local bool, ips ...string) *Service {
	return &Service{Key: webKey, Addresses: addrs(ips...), Local: local}
}

func labelled(labels map[string]string) *Service {
	service := web(false, "203.0.113.7")
	service.Labels = labels
	return service
}

func namespaceWith(labels map[string]string) *Namespace {
	return &Namespace{Name: webKey.Namespace, Labels: labels}
}

// selecting is an advertisement that reads these labels of Services and
// Namespaces.
func selecting(serviceKey, namespaceKey string) *v1alpha1.BGPAdvertisement {
	advertisement := &v1alpha1.BGPAdvertisement{}
	if serviceKey != "" {
		advertisement.Spec.ServiceSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{serviceKey: "1"}}}
	}
	if namespaceKey != "" {
		advertisement.Spec.NamespaceSelectors = []metav1.LabelSelector{{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: namespaceKey, Operator: metav1.LabelSelectorOpExists}},
		}}
	}
	return advertisement
}

func onNodes(nodes ...string) *Slice {
	return &Slice{Family: frrtemplates.IPv4, Usable: true, Nodes: nodes}
}

func tiered(peer *v1alpha1.BGPPeer, tier string) *v1alpha1.BGPPeer {
	peer.Labels = map[string]string{"tier": tier}
	return peer
}

func peerOf(name, labelKey string) *v1alpha1.BGPPeer {
	peer := &v1alpha1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}}
	if labelKey != "" {
		peer.Spec.NodeSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{labelKey: "1"}}}
	}
	return peer
}

// valuesOf is a peer with its AS number in a label and its address in an annotation.
func valuesOf(name string, label, annotation v1alpha1.NodeKey) *v1alpha1.BGPPeer {
	peer := peerOf(name, "")
	peer.Spec.MyASNFrom = &v1alpha1.NodeValueSource{NodeLabel: label}
	peer.Spec.PeerAddressFrom = &v1alpha1.NodeAddressSource{NodeAnnotation: annotation}
	return peer
}

func annotated(annotations map[string]string) *Node {
	node := nodeWith(map[string]string{"rack": "1", "asn": "1"}, "10.0.0.1")
	node.Annotations = annotations
	return node
}

func nodeWith(labels map[string]string, ips ...string) *Node {
	return &Node{Name: "node-a", Labels: labels, Addresses: addrs(ips...)}
}

// Each step says whether it must be told as a change.
func TestStoreTellsWhatMatters(t *testing.T) {
	later := metav1.NewTime(time.Unix(1000, 0))
	type step struct {
		name string
		do   func(*Store) bool
		want bool
	}
	tests := map[string][]step{
		"services": {
			{"first", func(s *Store) bool { return s.SetService(webKey, web(false, "203.0.113.7")) }, true},
			{"the same again", func(s *Store) bool { return s.SetService(webKey, web(false, "203.0.113.7")) }, false},
			{"another address", func(s *Store) bool { return s.SetService(webKey, web(false, "203.0.113.8")) }, true},
			{"another policy", func(s *Store) bool { return s.SetService(webKey, web(true, "203.0.113.8")) }, true},
			{"no address any more", func(s *Store) bool { return s.SetService(webKey, nil) }, true},
			{"still none", func(s *Store) bool { return s.SetService(webKey, nil) }, false},
			{"deleted", func(s *Store) bool { return s.DeleteService(webKey) }, false},
		},
		"labels of services": {
			{"first", func(s *Store) bool { return s.SetService(webKey, labelled(map[string]string{"tier": "1"})) }, true},
			{"one that nobody reads", func(s *Store) bool { return s.SetService(webKey, labelled(map[string]string{"tier": "2"})) }, false},
			{"a selector on it", func(s *Store) bool { return s.SetAdvertisement(selecting("tier", "")) }, true},
			{"the same again", func(s *Store) bool { return s.SetService(webKey, labelled(map[string]string{"tier": "2"})) }, false},
			{"another beside it", func(s *Store) bool {
				return s.SetService(webKey, labelled(map[string]string{"tier": "2", "x": "y"}))
			}, false},
			{"that label", func(s *Store) bool { return s.SetService(webKey, labelled(map[string]string{"tier": "1"})) }, true},
			{"without it", func(s *Store) bool { return s.SetService(webKey, labelled(nil)) }, true},
			{"no selector", func(s *Store) bool { return s.SetAdvertisement(selecting("", "")) }, true},
			{"that label again", func(s *Store) bool { return s.SetService(webKey, labelled(map[string]string{"tier": "1"})) }, false},
		},
		"namespaces": {
			{"first", func(s *Store) bool { return s.SetNamespace(namespaceWith(map[string]string{"env": "1"})) }, false},
			{"a selector", func(s *Store) bool { return s.SetAdvertisement(selecting("", "env")) }, true},
			{"the same again", func(s *Store) bool { return s.SetNamespace(namespaceWith(map[string]string{"env": "1"})) }, false},
			{"a label nobody reads", func(s *Store) bool { return s.SetNamespace(namespaceWith(map[string]string{"env": "1", "x": "y"})) }, false},
			{"that label", func(s *Store) bool { return s.SetNamespace(namespaceWith(map[string]string{"env": "2"})) }, true},
			{"gone", func(s *Store) bool { return s.DeleteNamespace(webKey.Namespace) }, true},
			{"gone twice", func(s *Store) bool { return s.DeleteNamespace(webKey.Namespace) }, false},
			{"back without labels", func(s *Store) bool { return s.SetNamespace(namespaceWith(nil)) }, true},
			{"no selector", func(s *Store) bool { return s.SetAdvertisement(selecting("", "")) }, true},
			{"gone where nobody reads it", func(s *Store) bool { return s.DeleteNamespace(webKey.Namespace) }, false},
		},
		"slices": {
			{"of a stranger", func(s *Store) bool { return s.SetSlice(webKey, "web-1", onNodes("node-a")) }, false},
			{"its Service", func(s *Store) bool { return s.SetService(webKey, web(false, "203.0.113.7")) }, true},
			{"the same again", func(s *Store) bool { return s.SetSlice(webKey, "web-1", onNodes("node-a")) }, false},
			{"off the node", func(s *Store) bool { return s.SetSlice(webKey, "web-1", onNodes()) }, true},
			{"a second one", func(s *Store) bool { return s.SetSlice(webKey, "web-2", onNodes()) }, true},
			{"without addresses", func(s *Store) bool { return s.SetSlice(webKey, "web-2", nil) }, true},
			{"gone", func(s *Store) bool { return s.DeleteSlice(webKey, "web-1") }, true},
			{"gone twice", func(s *Store) bool { return s.DeleteSlice(webKey, "web-1") }, false},
		},
		"node": {
			{"first", func(s *Store) bool { return s.SetNode(nodeWith(map[string]string{"rack": "1"}, "10.0.0.1")) }, true},
			{"heartbeat", func(s *Store) bool { return s.SetNode(nodeWith(map[string]string{"rack": "1"}, "10.0.0.1")) }, false},
			{"a label nobody reads", func(s *Store) bool { return s.SetNode(nodeWith(map[string]string{"rack": "2"}, "10.0.0.1")) }, false},
			{"a selector on it", func(s *Store) bool { return s.SetPeer(peerOf("tor-a", "rack")) }, true},
			{"that label", func(s *Store) bool { return s.SetNode(nodeWith(map[string]string{"rack": "1"}, "10.0.0.1")) }, true},
			{"a label with a peer's value", func(s *Store) bool { return s.SetPeer(valuesOf("tor-b", "asn", "tor")) }, true},
			{"that value", func(s *Store) bool {
				return s.SetNode(nodeWith(map[string]string{"rack": "1", "asn": "1"}, "10.0.0.1"))
			}, true},
			{"an annotation with a peer's value", func(s *Store) bool { return s.SetNode(annotated(map[string]string{"tor": "10.0.0.9"})) }, true},
			{"one that nobody reads beside it", func(s *Store) bool { return s.SetNode(annotated(map[string]string{"tor": "10.0.0.9", "x": "y"})) }, false},
			{"another value", func(s *Store) bool { return s.SetNode(annotated(map[string]string{"tor": "10.0.0.8", "x": "y"})) }, true},
			{"without them", func(s *Store) bool { return s.SetNode(nodeWith(map[string]string{"rack": "1"}, "10.0.0.1")) }, true},
			{"another address", func(s *Store) bool { return s.SetNode(nodeWith(map[string]string{"rack": "1"}, "10.0.0.2")) }, true},
			{"excluded", func(s *Store) bool {
				n := nodeWith(map[string]string{"rack": "1"}, "10.0.0.2")
				n.Excluded = true
				return s.SetNode(n)
			}, true},
			{"without network", func(s *Store) bool {
				n := nodeWith(map[string]string{"rack": "1"}, "10.0.0.2")
				n.Excluded, n.NetworkUnavailable = true, true
				return s.SetNode(n)
			}, true},
			{"gone", (*Store).DeleteNode, true},
			{"gone twice", (*Store).DeleteNode, false},
		},
		"peers": {
			{"first", func(s *Store) bool { return s.SetPeer(peerOf("tor-a", "")) }, true},
			{"only its status", func(s *Store) bool {
				p := peerOf("tor-a", "")
				p.Status.NodesSelected, p.ResourceVersion = 3, "7"
				return s.SetPeer(p)
			}, false},
			{"its spec", func(s *Store) bool { return s.SetPeer(peerOf("tor-a", "rack")) }, true},
			{"a label nobody reads", func(s *Store) bool { return s.SetPeer(tiered(peerOf("tor-a", "rack"), "1")) }, false},
			{"a selector on it", func(s *Store) bool {
				return s.SetAdvertisement(&v1alpha1.BGPAdvertisement{Spec: v1alpha1.BGPAdvertisementSpec{
					PeerSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"tier": "1"}}},
				}})
			}, true},
			{"that label", func(s *Store) bool { return s.SetPeer(tiered(peerOf("tor-a", "rack"), "2")) }, true},
			{"made anew", func(s *Store) bool {
				p := peerOf("tor-a", "rack")
				p.UID, p.CreationTimestamp = "other", later
				return s.SetPeer(p)
			}, true},
			{"gone", func(s *Store) bool { return s.DeletePeer("tor-a") }, true},
			{"gone twice", func(s *Store) bool { return s.DeletePeer("tor-a") }, false},
		},
		"pools and advertisements": {
			{"pool", func(s *Store) bool { return s.SetPool(&v1alpha1.IPAddressPool{}) }, true},
			{"its status", func(s *Store) bool {
				return s.SetPool(&v1alpha1.IPAddressPool{Status: v1alpha1.IPAddressPoolStatus{IPv4: &v1alpha1.AddressCount{}}})
			}, false},
			{"its labels", func(s *Store) bool {
				return s.SetPool(&v1alpha1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"tier": "gold"}}})
			}, true},
			{"pool gone", func(s *Store) bool { return s.DeletePool("") }, true},
			{"advertisement", func(s *Store) bool { return s.SetAdvertisement(&v1alpha1.BGPAdvertisement{}) }, true},
			{"the same", func(s *Store) bool { return s.SetAdvertisement(&v1alpha1.BGPAdvertisement{}) }, false},
			{"advertisement gone", func(s *Store) bool { return s.DeleteAdvertisement("") }, true},
		},
		"communities": {
			{"first", func(s *Store) bool { return s.SetCommunity(&v1alpha1.Community{}) }, true},
			{"only its status", func(s *Store) bool {
				return s.SetCommunity(&v1alpha1.Community{Status: v1alpha1.CommunityStatus{Conditions: []metav1.Condition{{}}}})
			}, false},
			{"gone", func(s *Store) bool { return s.DeleteCommunity("") }, true},
			{"gone twice", func(s *Store) bool { return s.DeleteCommunity("") }, false},
		},
		"secrets": {
			{"first", func(s *Store) bool { return s.SetSecret("a", &Secret{Password: frrtemplates.NewSecret("x")}) }, true},
			{"the same", func(s *Store) bool { return s.SetSecret("a", &Secret{Password: frrtemplates.NewSecret("x")}) }, false},
			{"rotated", func(s *Store) bool { return s.SetSecret("a", &Secret{Password: frrtemplates.NewSecret("y")}) }, true},
			{"gone", func(s *Store) bool { return s.DeleteSecret("a") }, true},
			{"gone twice", func(s *Store) bool { return s.DeleteSecret("a") }, false},
		},
		"gates": {
			{"nothing", func(s *Store) bool { return s.OpenGates(Opened{}) }, false},
			{"Cluster", func(s *Store) bool { return s.OpenGates(Opened{Cluster: GateOpen}) }, true},
			{"Cluster again", func(s *Store) bool { return s.OpenGates(Opened{Cluster: GateTimedOut}) }, false},
			{"Local, refused", func(s *Store) bool {
				return s.OpenGates(Opened{Local: map[types.NamespacedName]GateState{webKey: GateRefused}})
			}, true},
			{"Local, refused again", func(s *Store) bool {
				return s.OpenGates(Opened{Local: map[types.NamespacedName]GateState{webKey: GateRefused}})
			}, false},
			{"Local, closed", func(s *Store) bool {
				return s.OpenGates(Opened{Local: map[types.NamespacedName]GateState{webKey: GateClosed}})
			}, true},
			{"Local", func(s *Store) bool {
				return s.OpenGates(Opened{Local: map[types.NamespacedName]GateState{webKey: GateTimedOut}})
			}, true},
			{"Relay, closed", func(s *Store) bool { return s.OpenGates(Opened{Relay: GateClosed}) }, false},
			{"Relay, too late", func(s *Store) bool { return s.OpenGates(Opened{Relay: GateTimedOut}) }, true},
			{"Relay, too late again", func(s *Store) bool { return s.OpenGates(Opened{Relay: GateTimedOut}) }, false},
			{"Relay, ready", func(s *Store) bool { return s.OpenGates(Opened{Relay: GateOpen}) }, true},
			{"Relay, ready again", func(s *Store) bool { return s.OpenGates(Opened{Relay: GateOpen}) }, false},
			{"Relay, too late for that", func(s *Store) bool { return s.OpenGates(Opened{Relay: GateTimedOut}) }, false},
			{"Local, open, refused", func(s *Store) bool {
				return s.OpenGates(Opened{Local: map[types.NamespacedName]GateState{webKey: GateRefused}})
			}, false},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			store := NewStore(&Gates{}, Host{}, nil)
			for _, step := range steps {
				if got := step.do(store); got != step.want {
					t.Fatalf("%s: changed %v, want %v", step.name, got, step.want)
				}
			}
		})
	}
}

// A selector that comes reads the labels as they are, also those that made no
// difference when they changed.
func TestLabelsAreUpToDate(t *testing.T) {
	store := NewStore(nil, Host{}, nil)
	store.SetService(webKey, labelled(map[string]string{"tier": "1"}))
	store.SetNamespace(namespaceWith(map[string]string{"env": "1"}))
	before := store.Snapshot()
	store.SetService(webKey, labelled(map[string]string{"tier": "2"}))
	store.SetNamespace(namespaceWith(map[string]string{"env": "2"}))
	after := store.Snapshot()
	if got := after.Services.Get(webKey).Labels["tier"] + after.Namespaces[webKey.Namespace].Labels["env"]; got != "22" {
		t.Errorf("tier and env: %s", got)
	}
	if got := before.Services.Get(webKey).Labels["tier"] + before.Namespaces[webKey.Namespace].Labels["env"]; got != "11" {
		t.Errorf("tier and env of an earlier Snapshot: %s", got)
	}
}

func TestSnapshotIsImmutable(t *testing.T) {
	store := NewStore(&Gates{}, Host{}, nil)
	store.SetService(webKey, web(false, "203.0.113.7"))
	store.SetSlice(webKey, "web-1", onNodes("node-a"))
	store.SetSecret("a", &Secret{})
	store.SetPool(&v1alpha1.IPAddressPool{})
	before := store.Snapshot()
	slices := maps.Clone(before.Slices.Get(webKey))

	store.SetSlice(webKey, "web-1", onNodes())
	store.SetSlice(webKey, "web-2", onNodes())
	store.DeleteService(webKey)
	store.SetService(types.NamespacedName{Name: "other"}, web(false, "203.0.113.8"))
	store.DeleteSecret("a")
	store.DeletePool("")
	store.OpenGates(Opened{Cluster: GateOpen, Local: map[types.NamespacedName]GateState{webKey: GateOpen}})

	if before.Services.Len() != 1 || before.Services.Get(webKey) == nil || !maps.Equal(slices, before.Slices.Get(webKey)) ||
		len(before.Secrets) != 1 || len(before.Pools) != 1 || before.Gates.Cluster.IsOpen() || len(before.Gates.Local) != 0 {
		t.Errorf("a snapshot changed after it was made: %+v", before)
	}
	after := store.Snapshot()
	if after.Services.Len() != 1 || after.Services.Get(webKey) != nil || after.Slices.Len() != 0 || !after.Gates.Cluster.IsOpen() {
		t.Errorf("the next snapshot: %+v", after)
	}
}

func TestSlicesComeBeforeAndStayAfterTheirService(t *testing.T) {
	store := NewStore(nil, Host{}, nil)
	store.SetSlice(webKey, "web-1", onNodes("node-a"))
	if got := store.Snapshot().Slices; got.Len() != 0 {
		t.Fatalf("slices of no Service: %v", got)
	}
	store.SetService(webKey, web(false, "203.0.113.7"))
	if got := store.Snapshot().Slices.Get(webKey); len(got) != 1 {
		t.Fatalf("slices that came first: %v", got)
	}
	store.SetService(webKey, nil)
	store.SetService(webKey, web(false, "203.0.113.8"))
	if got := store.Snapshot().Slices.Get(webKey); len(got) != 1 {
		t.Fatalf("slices after the address was away: %v", got)
	}
}

func TestGatesStayOpen(t *testing.T) {
	applied := &Applied{Prefixes: map[netip.Prefix]struct{}{netip.MustParsePrefix("203.0.113.7/32"): {}}}
	open := func(s *Store) {
		s.OpenGates(Opened{Local: map[types.NamespacedName]GateState{webKey: GateOpen}})
	}
	tests := map[string]struct {
		applied *Applied
		do      func(*Store)
		// is the Service's own gate open, and the node's
		local, cluster bool
	}{
		"a new Service is closed":      {nil, func(s *Store) { s.SetService(webKey, web(true, "203.0.113.7")) }, false, false},
		"what is applied is open":      {applied, func(s *Store) { s.SetService(webKey, web(true, "203.0.113.7")) }, true, false},
		"and opens a second address":   {applied, func(s *Store) { s.SetService(webKey, web(true, "203.0.113.7", "2001:db8::7")) }, true, false},
		"another address is not":       {applied, func(s *Store) { s.SetService(webKey, web(true, "203.0.113.8")) }, false, false},
		"an applied Cluster Service":   {applied, func(s *Store) { s.SetService(webKey, web(false, "203.0.113.7")) }, false, true},
		"losing the address keeps it":  {nil, func(s *Store) { open(s); s.SetService(webKey, nil) }, true, false},
		"deleting the Service doesn't": {nil, func(s *Store) { open(s); s.DeleteService(webKey) }, false, false},
		"from Cluster to Local": {nil, func(s *Store) {
			s.OpenGates(Opened{Cluster: GateOpen})
			s.SetService(webKey, web(false, "203.0.113.7"))
			s.SetService(webKey, web(true, "203.0.113.7"))
		}, true, true},
		"from Local to Cluster": {nil, func(s *Store) {
			open(s)
			s.SetService(webKey, web(true, "203.0.113.7"))
			s.SetService(webKey, web(false, "203.0.113.7"))
		}, true, true},
		"closed from Local to Cluster": {nil, func(s *Store) {
			s.SetService(webKey, web(true, "203.0.113.7"))
			s.SetService(webKey, web(false, "203.0.113.7"))
		}, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := NewStore(&Gates{}, Host{}, test.applied)
			test.do(store)
			gates := store.Snapshot().Gates
			if got := gates.Local[webKey].IsOpen(); got != test.local {
				t.Errorf("Local open %v, want %v", got, test.local)
			}
			if got := gates.Cluster.IsOpen(); got != test.cluster {
				t.Errorf("Cluster open %v, want %v", got, test.cluster)
			}
		})
	}
}

// What is announced is kept beside the relay's gate while that is closed, no longer.
func TestAnnouncedUntilTheRelayIsReady(t *testing.T) {
	announced := map[netip.Prefix]struct{}{netip.MustParsePrefix("203.0.113.7/32"): {}}
	store := NewStore(&Gates{}, Host{}, nil)
	before := store.Snapshot()
	store.SetAnnounced(maps.Keys(announced))
	if after := store.Snapshot(); len(before.Gates.Announced) != 0 || !maps.Equal(after.Gates.Announced, announced) || !after.Changes.Everything {
		t.Errorf("%+v, was %+v", after.Gates, before.Gates)
	}
	if store.SetAnnounced(maps.Keys(announced)); store.Snapshot().Changes.Everything {
		t.Error("the same is a change")
	}
	store.OpenGates(Opened{Relay: GateTimedOut})
	if store.SetAnnounced(maps.Keys(announced)); store.Snapshot().Gates.Announced != nil {
		t.Errorf("%+v", store.Snapshot().Gates)
	}
	off := NewStore(&Gates{}, Host{}, nil)
	if off.SetSettings(&Settings{GatesOff: true}); off.Snapshot().Gates.Relay != GateOpen {
		t.Error("announceGate.mode Off waits for the relay")
	}
}

// One changed Service and a Snapshot, among 10,000.
func BenchmarkStoreSnapshot(b *testing.B) {
	store := NewStore(nil, Host{}, nil)
	keys := make([]types.NamespacedName, 10_000)
	for i := range keys {
		keys[i] = types.NamespacedName{Namespace: "shop", Name: fmt.Sprint("web-", i)}
		store.SetService(keys[i], &Service{Key: keys[i], Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}})
		store.SetSlice(keys[i], "1", onNodes("node-a"))
	}
	store.Snapshot()
	i := 0
	for b.Loop() {
		i++
		store.SetSlice(keys[i%len(keys)], "1", &Slice{Family: frrtemplates.IPv4, Usable: i%2 == 0})
		_ = store.Snapshot()
	}
}
