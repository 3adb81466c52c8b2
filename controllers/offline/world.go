package offline

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/bigmap"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Assumptions are what manifests don't say.
type Assumptions struct {
	// SecretsNamespace is that of the peers' passwords; Herald's default if it is
	// empty.
	SecretsNamespace string
	// Ready: a Service without EndpointSlices has a ready endpoint on every node.
	Ready bool
	// SecretsKnown: a Secret that isn't there doesn't exist. Otherwise that is so
	// only where there is any Secret in SecretsNamespace.
	SecretsKnown bool
}

// World is what the nodes' configurations are compiled from.
type World struct {
	objects *Objects
	// ready are the Services that are assumed to have endpoints everywhere.
	ready   []types.NamespacedName
	secrets map[string]*snapshot.Secret
	// Notes say what was assumed, sorted.
	Notes []string
}

// placeholder stands for a password that isn't known.
var placeholder = frrtemplates.NewSecret("***")

// NewWorld takes Objects, whose Services have their addresses, as a cluster's.
func NewWorld(objects *Objects, assume Assumptions) *World {
	if assume.SecretsNamespace == "" {
		assume.SecretsNamespace = v1alpha1.DefaultSecretsNamespace
	}
	w := &World{objects: objects}
	w.readSecrets(assume)
	if assume.Ready {
		w.assumeReady()
	}
	w.Notes = append(w.Notes, assumed(w.interfacePeers(), "BGPPeer %s takes values from the nodes' interfaces or routes, which only a node knows: where it is the peer's address, the session is left out here")...)
	w.Notes = append(w.Notes, assumed(w.assumedNamespaces(), "selectors look at namespaces that aren't given, %s: assumed to have no label but their name")...)
	slices.Sort(w.Notes)
	return w
}

// readSecrets takes the passwords, and where none is given assumes that those
// that peers name exist.
func (w *World) readSecrets(assume Assumptions) {
	w.secrets = map[string]*snapshot.Secret{}
	for _, secret := range w.objects.Secrets {
		if secret.Namespace == assume.SecretsNamespace {
			w.secrets[secret.Name] = snapshot.TrimSecret(secret)
		}
	}
	if assume.SecretsKnown || len(w.secrets) > 0 {
		return
	}
	for _, peer := range w.objects.Peers {
		if peer.Spec.PasswordSecret == nil {
			continue
		}
		name := peer.Spec.PasswordSecret.Name
		if w.secrets[name] == nil {
			w.secrets[name] = &snapshot.Secret{Type: string(corev1.SecretTypeBasicAuth), Password: placeholder, HasPassword: true}
			w.Notes = append(w.Notes, fmt.Sprintf("Secret %s/%s isn't given: it is assumed to exist, and *** stands for the password", assume.SecretsNamespace, name))
		}
	}
}

// maxNamed bounds how many things a note names.
const maxNamed = 5

// assumed is a note of what is assumed of things with these names, none of nothing.
func assumed[T any](names []T, text string) []string {
	if len(names) == 0 {
		return nil
	}
	var texts []string
	for _, name := range names {
		texts = append(texts, fmt.Sprint(name))
	}
	slices.Sort(texts)
	if len(texts) > maxNamed {
		texts = append(texts[:maxNamed], fmt.Sprintf("and %d more", len(texts)-maxNamed))
	}
	return []string{fmt.Sprintf(text, strings.Join(texts, ", "))}
}

// OnlyNodeKnows are the BGPPeers whose address is left out, as no object has it.
func (w *World) OnlyNodeKnows() []string {
	var names []string
	for _, peer := range w.objects.Peers {
		from := peer.Spec.PeerAddressFrom
		if peer.Spec.DefaultGateway != "" || from != nil && (from.Interface != "" || from.CIDR != "") {
			names = append(names, peer.Name)
		}
	}
	slices.Sort(names)
	return names
}

// interfacePeers take values from interfaces, or their address from a route.
func (w *World) interfacePeers() []string {
	var names []string
	for _, peer := range w.objects.Peers {
		spec := &peer.Spec
		if spec.DefaultGateway != "" {
			names = append(names, peer.Name)
			continue
		}
		for _, source := range []*v1alpha1.NodeAddressSource{spec.PeerAddressFrom, spec.SourceAddressFrom, spec.RouterIDFrom} {
			if source != nil && (source.Interface != "" || source.CIDR != "") {
				names = append(names, peer.Name)
				break
			}
		}
	}
	return names
}

// assumedNamespaces are those of Services that aren't given, where a selector
// looks at them.
func (w *World) assumedNamespaces() []string {
	read := slices.ContainsFunc(w.objects.FlowPolicies, func(p *v1alpha1.FlowPolicy) bool { return len(p.Spec.NamespaceSelectors) > 0 }) ||
		slices.ContainsFunc(w.objects.Advertisements, func(a *v1alpha1.BGPAdvertisement) bool { return len(a.Spec.NamespaceSelectors) > 0 }) ||
		slices.ContainsFunc(w.objects.Pools, func(p *v1alpha1.IPAddressPool) bool {
			return p.Spec.ServiceAllocation != nil && len(p.Spec.ServiceAllocation.NamespaceSelectors) > 0
		})
	if !read {
		return nil
	}
	settings, missing := w.objects.Settings(), map[string]bool{}
	for _, service := range w.objects.Services {
		missing[service.Namespace] = missing[service.Namespace] || settings.IsHeralds(service)
	}
	for _, namespace := range w.objects.Namespaces {
		delete(missing, namespace.Name)
	}
	maps.DeleteFunc(missing, func(_ string, needed bool) bool { return !needed })
	return slices.Sorted(maps.Keys(missing))
}

func (w *World) assumeReady() {
	given := map[types.NamespacedName]bool{}
	for _, slice := range w.objects.Slices {
		service, _ := snapshot.TrimSlice(slice, snapshot.AllNodes)
		given[service] = true
	}
	settings := w.objects.Settings()
	for _, service := range w.objects.Services {
		key := nameOf(service)
		if given[key] || !settings.IsHeralds(service) || snapshot.TrimService(service) == nil {
			continue
		}
		w.ready = append(w.ready, key)
	}
	w.Notes = append(w.Notes, assumed(w.ready, "no EndpointSlice is given of Service %s: assumed to have a ready endpoint on every node")...)
}

// Nodes are the names of all nodes, sorted.
func (w *World) Nodes() []string {
	return slices.Sorted(slices.Values(w.objects.NodeNames()))
}

// LeftOut are the nodes that Herald isn't to run on, by name, and why.
func (w *World) LeftOut() map[string]string { return w.objects.LeftOut() }

// NoNode is what decides on any node, without a node: the Services are left out.
func (w *World) NoNode() *snapshot.Snapshot {
	o := w.objects
	var own []netip.Prefix
	for _, node := range o.Nodes {
		own = append(own, snapshot.NodePrefixes(node)...)
	}
	for _, cidr := range o.ServiceCIDRs {
		own = append(own, snapshot.ServicePrefixes(cidr)...)
	}
	return &snapshot.Snapshot{
		Settings: o.Settings(),
		Cluster:  &snapshot.Cluster{Prefixes: snapshot.Aggregate(own)},
		Pools:    o.Pools, Peers: o.Peers, Advertisements: o.Advertisements, Communities: o.Communities, BFDProfiles: o.Profiles, Snippets: o.Snippets, FlowPolicies: o.FlowPolicies,
		Nodes:      clusterNodes(o.Nodes, o.Settings()),
		Secrets:    w.secrets,
		Namespaces: map[string]*snapshot.Namespace{},
		Host:       snapshot.Host{Forwarding: frrtemplates.Forwarding{IPv4: true, IPv6: true}},
	}
}

func clusterNodes(all []*corev1.Node, settings *snapshot.Settings) []*snapshot.ClusterNode {
	nodes := make([]*snapshot.ClusterNode, 0, len(all))
	for _, node := range all {
		nodes = append(nodes, snapshot.ClusterNodeOf(node))
	}
	slices.SortFunc(nodes, func(a, b *snapshot.ClusterNode) int { return strings.Compare(a.Name, b.Name) })
	return snapshot.NodesOf(nodes, settings)
}

// Settings of the Herald object, nil where there is none.
func (o *Objects) Settings() *snapshot.Settings {
	if herald := o.herald(); herald != nil {
		return snapshot.SettingsOf(herald)
	}
	return nil
}

// AnyNode is a node that isn't given: it has no label and addresses that nobody
// else has (RFC 2544, RFC 5180).
func (w *World) AnyNode() *snapshot.Snapshot {
	s := w.NoNode()
	s.Node = &snapshot.Node{Name: "any", Addresses: []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("2001:2::1")}}
	w.addServices(s)
	return s
}

// Peers are the names of all BGPPeers, sorted.
func (w *World) Peers() []string {
	names := make([]string, 0, len(w.objects.Peers))
	for _, peer := range w.objects.Peers {
		names = append(names, peer.Name)
	}
	slices.Sort(names)
	return names
}

// Snapshot is what the configuration of a node is compiled from. All its gates
// are open, and its kernel forwards packets. The error says that there is no such
// node.
func (w *World) Snapshot(node string) (*snapshot.Snapshot, error) {
	s := w.NoNode()
	for _, object := range w.objects.Nodes {
		if object.Name == node {
			s.Node = snapshot.TrimNode(object)
		}
	}
	if s.Node == nil {
		return nil, noSuchNode(node, w.Nodes())
	}
	w.addServices(s)
	return s, nil
}

func noSuchNode(node string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("there is no Node %q: what a node announces depends on its labels and addresses; add its Node object (kubectl get node %s -o yaml)", node, node)
	}
	return fmt.Errorf("there is no Node %q, only %s: name one of them, or add the Node object (kubectl get node %s -o yaml)", node, strings.Join(known, ", "), node)
}

func (w *World) addServices(s *snapshot.Snapshot) {
	for name, labels := range w.objects.namespaceLabels() {
		s.Namespaces[name] = &snapshot.Namespace{Name: name, Labels: labels}
	}
	services, endpoints := map[types.NamespacedName]*snapshot.Service{}, slicesOf{}
	for _, service := range w.objects.Services {
		if trimmed := snapshot.TrimService(service); trimmed != nil {
			services[trimmed.Key] = trimmed
		}
	}
	for _, slice := range w.objects.Slices {
		key, trimmed := snapshot.TrimSlice(slice, s.Node.Name)
		if trimmed != nil && services[key] != nil {
			endpoints.add(key, slice.Name, trimmed)
		}
	}
	for _, key := range w.ready {
		for _, family := range []frrtemplates.Family{frrtemplates.IPv4, frrtemplates.IPv6} {
			endpoints.add(key, fmt.Sprint("assumed-", family), &snapshot.Slice{Family: family, Usable: true, Nodes: []string{s.Node.Name}, Ready: []int{1}})
		}
	}
	s.Services, s.Slices = bigmap.Of(services), bigmap.Of(endpoints)
}

// slicesOf each Service, by name.
type slicesOf map[types.NamespacedName]map[string]*snapshot.Slice

func (s slicesOf) add(service types.NamespacedName, name string, slice *snapshot.Slice) {
	if s[service] == nil {
		s[service] = map[string]*snapshot.Slice{}
	}
	s[service][name] = slice
}

// Compile decides for a node.
func (w *World) Compile(node string) (*compile.Result, error) {
	s, err := w.Snapshot(node)
	if err != nil {
		return nil, err
	}
	return compile.Compile(s), nil
}

// Render is a node's frr.conf. Unless passwords are asked for *** stands in their
// place.
func Render(result *compile.Result, passwords bool) ([]byte, error) {
	config := result.Config
	if !passwords {
		config = redacted(config)
	}
	return frrtemplates.Render(config)
}

func redacted(config frrtemplates.Config) frrtemplates.Config {
	config.Routers = slices.Clone(config.Routers)
	for i := range config.Routers {
		router := &config.Routers[i]
		router.Neighbors = slices.Clone(router.Neighbors)
		for j := range router.Neighbors {
			if !router.Neighbors[j].Password.IsZero() {
				router.Neighbors[j].Password = placeholder
			}
		}
	}
	return config
}
