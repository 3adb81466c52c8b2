package compile_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/bigmap"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

const defaultNode = "node-a"

// situation is what a golden says beside its objects: what only a node knows.
type situation struct {
	// Node whose configuration it is; defaultNode by default.
	Node string `json:"node"`
	// Forwarding of the node's kernel.
	Forwarding struct {
		IPv4 bool `json:"ipv4"`
		IPv6 bool `json:"ipv6"`
	} `json:"forwarding"`
	// Network is what the kernel says: addresses with their length by interface,
	// "ADDRESS/LENGTH", with " peer ADDRESS" or " fading" behind it. NetworkUnknown
	// is as in the manager.
	Network map[string][]string `json:"network"`
	// Gateways of the default route by family, "ipv4" or "ipv6".
	Gateways       map[string][]string `json:"gateways"`
	NetworkUnknown bool                `json:"networkUnknown"`
	// Gates: absent is as in the manager, all open.
	Gates *struct {
		Cluster string            `json:"cluster"`
		Local   map[string]string `json:"local"`
		// Relay; Announced are the prefixes that it doesn't hold back.
		Relay     string         `json:"relay"`
		Announced []netip.Prefix `json:"announced"`
	} `json:"gates"`
	// Refused by the node's FRR, by "Kind/name".
	Refused map[string]snapshot.Refusal `json:"refused"`
	// ClusterUnknown: what the cluster has for itself was not read, nor which nodes
	// there are. MoreNodes is how many there are beside the objects'.
	ClusterUnknown bool `json:"clusterUnknown"`
	MoreNodes      int  `json:"moreNodes"`
	// Drain is the stage of the node's drain, Graceful or Withdrawn; with
	// OthersUnknown what is in applied.conf is held.
	Drain         string `json:"drain"`
	OthersUnknown bool   `json:"othersUnknown"`
	// Since is when this node's drain began, and Others when that of the other nodes
	// did: absent from it are those that don't drain, "" is not known.
	Since  string            `json:"since"`
	Others map[string]string `json:"others"`
	// Sessions are the peers with which another node has an Established session; a node
	// that isn't in it has all. Kept are the addresses that this one keeps, as
	// "namespace/name address VRF", with who counts for each, as "node peer".
	Sessions map[string][]string `json:"sessions"`
	// Lacks is what another node lacks, by its name; a node that isn't in it lacks nothing.
	Lacks map[string]string   `json:"lacks"`
	Kept  map[string][]string `json:"kept"`
	// SecretsUnreadable is as in the manager.
	SecretsUnreadable bool `json:"secretsUnreadable"`
}

var gateStates = map[string]snapshot.GateState{
	"": snapshot.GateClosed, "Closed": snapshot.GateClosed, "Open": snapshot.GateOpen, "TimedOut": snapshot.GateTimedOut,
	"Refused": snapshot.GateRefused,
}

var documentEnd = regexp.MustCompile(`(?m)^---$`)

// documents splits a YAML stream.
func documents(text string) []string { return documentEnd.Split(text, -1) }

// snapshotOf reads objects as the agent trims them.
func snapshotOf(t testing.TB, documents []string, where situation, appliedConf string) *snapshot.Snapshot {
	t.Helper()
	s, err := readSnapshot(documents, where, appliedConf)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func readSnapshot(documents []string, where situation, appliedConf string) (*snapshot.Snapshot, error) {
	s := &snapshot.Snapshot{
		Secrets:    map[string]*snapshot.Secret{},
		Namespaces: map[string]*snapshot.Namespace{},
		Cluster:    &snapshot.Cluster{},
		Gates:      gatesOf(where),
		Network:    networkOf(where),
		Host:       snapshot.Host{Forwarding: frrtemplates.Forwarding{IPv4: where.Forwarding.IPv4, IPv6: where.Forwarding.IPv6}},
	}
	if appliedConf != "" {
		s.Applied = compile.ParseApplied([]byte(appliedConf))
	}
	for _, document := range documents {
		if err := addDocument(s, []byte(document), cmp.Or(where.Node, defaultNode)); err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
	}
	if err := addDrain(s, documents, where); err != nil {
		return nil, err
	}
	if where.SecretsUnreadable {
		s.Secrets = nil
	}
	for object, refusal := range where.Refused {
		if s.Refused == nil {
			s.Refused = map[snapshot.ObjectKey]snapshot.Refusal{}
		}
		kind, name, _ := strings.Cut(object, "/")
		s.Refused[snapshot.ObjectKey{Kind: kind, Name: name}] = refusal
	}
	s.Cluster.Prefixes = snapshot.Aggregate(s.Cluster.Prefixes)
	slices.SortFunc(s.Nodes, func(a, b *snapshot.ClusterNode) int { return cmp.Compare(a.Name, b.Name) })
	for i := range where.MoreNodes {
		s.Nodes = append(s.Nodes, &snapshot.ClusterNode{Name: fmt.Sprintf("z%03d", i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 99, 0, byte(i)})}})
	}
	s.Nodes = snapshot.NodesOf(s.Nodes, s.Settings)
	if where.ClusterUnknown {
		s.Cluster, s.Nodes = nil, nil
	}
	return s, nil
}

// addDrain says how far the node's drain is, and makes the given nodes the others.
func addDrain(s *snapshot.Snapshot, documents []string, where situation) error {
	if where.Drain == "" {
		return nil
	}
	s.Drain = snapshot.Drain{Stage: drainStages[where.Drain], Held: s.Applied, Kept: keptOf(where)}
	if where.OthersUnknown {
		return nil
	}
	s.Others = &snapshot.Others{Since: parseTime(where.Since)}
	all := &snapshot.Snapshot{
		Secrets: map[string]*snapshot.Secret{}, Namespaces: map[string]*snapshot.Namespace{},
		Cluster: &snapshot.Cluster{},
	}
	for _, document := range documents {
		all.Node = nil
		if err := addDocument(all, []byte(document), snapshot.AllNodes); err != nil {
			return err
		}
		if all.Node != nil && all.Node.Name != cmp.Or(where.Node, defaultNode) {
			since, drains := where.Others[all.Node.Name]
			s.Others.Nodes = append(s.Others.Nodes, snapshot.Other{Node: all.Node, Lacks: lackOf(where.Lacks[all.Node.Name]), Drains: drains, Since: parseTime(since), Sessions: sessionsOf(s, where, all.Node.Name)})
		}
	}
	s.Others.Slices = maps.Collect(all.Slices.All())
	slices.SortFunc(s.Others.Nodes, func(a, b snapshot.Other) int { return cmp.Compare(a.Node.Name, b.Node.Name) })
	return nil
}

// with is a View that has one entry more.
func with[V any](view bigmap.View[types.NamespacedName, V], key types.NamespacedName, value V) bigmap.View[types.NamespacedName, V] {
	all := maps.Collect(view.All())
	all[key] = value
	return bigmap.Of(all)
}

func keptOf(where situation) *snapshot.Kept {
	if where.Kept == nil {
		return nil
	}
	kept := snapshot.Kept{}
	for key, takers := range where.Kept {
		words := append(strings.Fields(key), "") // the default VRF has no name
		namespace, name, _ := strings.Cut(words[0], "/")
		of := snapshot.Route{Service: types.NamespacedName{Namespace: namespace, Name: name}, Address: netip.MustParseAddr(words[1]), VRF: words[2]}
		kept[of] = nil
		for _, taker := range takers {
			node, peer, _ := strings.Cut(taker, " ")
			kept[of] = append(kept[of], snapshot.Taker{Node: node, Peer: peer})
		}
	}
	return &kept
}

// sessionsOf another node.
func sessionsOf(s *snapshot.Snapshot, where situation, node string) map[string]struct{} {
	up := map[string]struct{}{}
	for _, name := range where.Sessions[node] {
		up[name] = struct{}{}
	}
	if _, told := where.Sessions[node]; !told {
		for _, peer := range s.Peers {
			up[peer.Name] = struct{}{}
		}
	}
	return up
}

// lackNames of what compile and the watch of other nodes find.
var lackNames = map[snapshot.Lack]string{
	snapshot.LackTime: "Time", snapshot.LackSession: "Session", snapshot.LackDrains: "Drains", snapshot.LackDataplane: "Dataplane",
	snapshot.LackProgrammed: "Programmed", snapshot.LackReady: "Ready", snapshot.LackNode: "Node", snapshot.LackRoute: "Route", snapshot.LackReport: "Report",
}

func lackOf(name string) snapshot.Lack {
	for lack, is := range lackNames {
		if is == name {
			return lack
		}
	}
	return snapshot.LackNothing
}

var drainStages = map[string]snapshot.DrainStage{"Graceful": snapshot.DrainGraceful, "Withdrawn": snapshot.DrainWithdrawn}

func parseTime(text string) time.Time {
	at, _ := time.Parse(time.TimeOnly, text) // zero is not known
	return at
}

func networkOf(where situation) *snapshot.Network {
	if where.NetworkUnknown {
		return nil
	}
	network := &snapshot.Network{Interfaces: map[string][]snapshot.InterfaceAddress{}, Gateways: map[frrtemplates.Family][]snapshot.Gateway{}}
	for _, family := range []frrtemplates.Family{frrtemplates.IPv4, frrtemplates.IPv6} {
		for _, text := range where.Gateways[family.String()] {
			network.Gateways[family] = append(network.Gateways[family], snapshot.Gateway{Address: netip.MustParseAddr(text), Interface: "eth0"})
		}
	}
	for name, addresses := range where.Network {
		network.Interfaces[name] = nil
		for _, text := range addresses {
			words := strings.Fields(text)
			address := snapshot.InterfaceAddress{Prefix: netip.MustParsePrefix(words[0]), Fading: slices.Contains(words, "fading")}
			if len(words) == 3 {
				address.Peer = netip.MustParseAddr(words[2])
			}
			network.Interfaces[name] = append(network.Interfaces[name], address)
		}
	}
	return network
}

func gatesOf(where situation) *snapshot.Gates {
	if where.Gates == nil {
		return nil
	}
	gates := &snapshot.Gates{
		Cluster: gateStates[where.Gates.Cluster], Local: map[types.NamespacedName]snapshot.GateState{},
		Relay: gateStates[where.Gates.Relay], Announced: map[netip.Prefix]struct{}{},
	}
	for _, prefix := range where.Gates.Announced {
		gates.Announced[prefix] = struct{}{}
	}
	for name, state := range where.Gates.Local {
		gates.Local[types.NamespacedName{Namespace: "default", Name: name}] = gateStates[state]
	}
	return gates
}

func addDocument(s *snapshot.Snapshot, document []byte, node string) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "":
		return nil
	case "IPAddressPool":
		return read(document, func(o *v1alpha1.IPAddressPool) { s.Pools = append(s.Pools, o) })
	case "Herald":
		return read(document, func(o *v1alpha1.Herald) { s.Settings = snapshot.SettingsOf(o) })
	case "BGPPeer":
		return read(document, func(o *v1alpha1.BGPPeer) { s.Peers = append(s.Peers, o) })
	case "Community":
		return read(document, func(o *v1alpha1.Community) { s.Communities = append(s.Communities, o) })
	case "BFDProfile":
		return read(document, func(o *v1alpha1.BFDProfile) { s.BFDProfiles = append(s.BFDProfiles, o) })
	case "FRRSnippet":
		return read(document, func(o *v1alpha1.FRRSnippet) { s.Snippets = append(s.Snippets, o) })
	case "FlowPolicy":
		return read(document, func(o *v1alpha1.FlowPolicy) { s.FlowPolicies = append(s.FlowPolicies, o) })
	case "BGPAdvertisement":
		return read(document, func(o *v1alpha1.BGPAdvertisement) { s.Advertisements = append(s.Advertisements, o) })
	}
	return addCoreDocument(s, kind.Kind, document, node)
}

func addCoreDocument(s *snapshot.Snapshot, kind string, document []byte, node string) error {
	switch kind {
	case "Node":
		return read(document, func(o *corev1.Node) {
			addPrefixes(s, snapshot.NodePrefixes(o))
			s.Nodes = append(s.Nodes, snapshot.ClusterNodeOf(o))
			if o.Name == node || node == snapshot.AllNodes {
				s.Node = snapshot.TrimNode(o)
			}
		})
	case "ServiceCIDR":
		return read(document, func(o *networkingv1.ServiceCIDR) {
			addPrefixes(s, snapshot.ServicePrefixes(o))
		})
	case "Namespace":
		return read(document, func(o *corev1.Namespace) { s.Namespaces[o.Name] = snapshot.TrimNamespace(o) })
	case "Secret":
		return read(document, func(o *corev1.Secret) {
			o.Data = map[string][]byte{}
			for key, value := range o.StringData {
				o.Data[key] = []byte(value)
			}
			s.Secrets[o.Name] = snapshot.TrimSecret(o)
		})
	case "Service":
		return read(document, func(o *corev1.Service) {
			o.Namespace, o.Spec.Type = cmp.Or(o.Namespace, "default"), corev1.ServiceTypeLoadBalancer
			if trimmed := snapshot.TrimService(o); trimmed != nil {
				s.Services = with(s.Services, trimmed.Key, trimmed)
			}
		})
	case "EndpointSlice":
		return read(document, func(o *discoveryv1.EndpointSlice) {
			o.Namespace = cmp.Or(o.Namespace, "default")
			if key, trimmed := snapshot.TrimSlice(o, node); trimmed != nil {
				all := map[string]*snapshot.Slice{o.Name: trimmed}
				maps.Copy(all, s.Slices.Get(key))
				s.Slices = with(s.Slices, key, all)
			}
		})
	}
	return fmt.Errorf("unknown kind %q", kind)
}

func addPrefixes(s *snapshot.Snapshot, prefixes []netip.Prefix) {
	if s.Cluster != nil {
		s.Cluster.Prefixes = append(s.Cluster.Prefixes, prefixes...)
	}
}

func read[T any](document []byte, add func(*T)) error {
	object := new(T)
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return err
	}
	add(object)
	return nil
}

func shuffled(random *rand.Rand, documents []string) []string {
	mixed := append([]string(nil), documents...)
	random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	return mixed
}
