package churn

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab/router"
)

// The oracle: what the API objects say that routers have. It is read from the
// objects' documentation and knows what the steps make, no more: sessions carry
// the family of their address, for example.

// table is what a router has of one family: prefix → paths, sorted, each as
// pathOf writes it.
type table map[netip.Prefix][]string

// pathOf is a path, so that two can be compared and read.
func pathOf(r router.Route) string {
	return fmt.Sprintf("via %s path %v med %d %v %v", r.NextHop, r.ASPath, r.MED, r.Communities, r.LargeCommunities)
}

// tableOf is what a router says.
func tableOf(routes router.Routes) table {
	t := table{}
	for prefix, paths := range routes {
		for _, path := range paths {
			t[prefix] = append(t[prefix], pathOf(path))
		}
		slices.Sort(t[prefix])
	}
	return t
}

// pair is the session of a node and a BGPPeer.
type pair struct{ node, peer string }

// session that there should be.
type session struct {
	// neighbor is the node's address at the router.
	neighbor netip.Addr
	password string
	bfd      bool
}

// sessions that the nodes should have, those with a key that the router doesn't
// have among them.
func (w *world) sessions() map[pair]session {
	all := map[pair]session{}
	for i := range w.peers {
		peer := &w.peers[i]
		password, ok := w.password(peer)
		if !ok {
			continue
		}
		bfd := slices.ContainsFunc(w.profiles, func(p v1alpha1.BFDProfile) bool { return p.Name == peer.Spec.BFDProfile })
		for j := range w.nodes {
			node := &w.nodes[j]
			if selected(peer.Spec.NodeSelectors, node.Labels) {
				address := netip.MustParseAddr(peer.Spec.PeerAddress)
				all[pair{node.Name, peer.Name}] = session{neighbor: addressOf(node, address.Is4()), password: password, bfd: bfd}
			}
		}
	}
	return all
}

// password of a peer; false: it has no usable Secret and is withheld.
func (w *world) password(peer *v1alpha1.BGPPeer) (string, bool) {
	if peer.Spec.PasswordSecret == nil {
		return "", true
	}
	for i := range w.secrets {
		if secret := &w.secrets[i]; secret.Name == peer.Spec.PasswordSecret.Name && secret.Type == corev1.SecretTypeBasicAuth {
			return string(secret.Data[corev1.BasicAuthPasswordKey]), len(secret.Data[corev1.BasicAuthPasswordKey]) > 0
		}
	}
	return "", false
}

func addressOf(node *corev1.Node, is4 bool) netip.Addr {
	for _, address := range node.Status.Addresses {
		if addr, err := netip.ParseAddr(address.Address); err == nil && address.Type == corev1.NodeInternalIP && addr.Is4() == is4 {
			return addr
		}
	}
	return netip.Addr{}
}

// selected by at least one, or by none there.
func selected(selectors []metav1.LabelSelector, of map[string]string) bool {
	return len(selectors) == 0 || slices.ContainsFunc(selectors, func(selector metav1.LabelSelector) bool {
		s, err := metav1.LabelSelectorAsSelector(&selector)
		return err == nil && s.Matches(labels.Set(of))
	})
}

// table of a router that has these sessions up, for one family. nodeASN is in every
// path.
func (w *world) table(up map[pair]session, family router.Family, nodeASN uint32) table {
	t := table{}
	for p, s := range up {
		if router.FamilyOf(netip.PrefixFrom(s.neighbor, s.neighbor.BitLen())) != family {
			continue
		}
		for prefix, adverts := range w.announced(p, family) {
			t[prefix] = append(t[prefix], pathOf(route(s.neighbor, adverts, nodeASN)))
		}
	}
	for _, paths := range t {
		slices.Sort(paths)
	}
	return t
}

// announced are the prefixes of a family that a node announces to a peer, with the
// advertisements that apply to each.
func (w *world) announced(p pair, family router.Family) map[netip.Prefix][]*v1alpha1.BGPAdvertisement {
	node, peer := w.node(p.node), w.peer(p.peer)
	all := map[netip.Prefix][]*v1alpha1.BGPAdvertisement{}
	if _, excluded := node.Labels[corev1.LabelNodeExcludeBalancers]; excluded {
		return all
	}
	for i := range w.services {
		service := &w.services[i]
		for _, addr := range addresses(service, family) {
			pool := w.poolOf(addr)
			if pool == nil || !w.served(service, p.node, family) {
				continue
			}
			for j := range w.adverts {
				if advert := &w.adverts[j]; w.applies(advert, service, pool, node, peer) {
					prefix := prefixFor(advert, service, addr)
					if !slices.Contains(all[prefix], advert) {
						all[prefix] = append(all[prefix], advert)
					}
				}
			}
		}
	}
	return all
}

func (w *world) node(name string) *corev1.Node {
	return &w.nodes[slices.IndexFunc(w.nodes, func(n corev1.Node) bool { return n.Name == name })]
}

func (w *world) peer(name string) *v1alpha1.BGPPeer {
	return &w.peers[slices.IndexFunc(w.peers, func(p v1alpha1.BGPPeer) bool { return p.Name == name })]
}

// addresses of a family that a Service has from Herald.
func addresses(service *corev1.Service, family router.Family) []netip.Addr {
	var all []netip.Addr
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		if addr, err := netip.ParseAddr(ingress.IP); err == nil && addr.Is4() == (family == router.IPv4) {
			all = append(all, addr)
		}
	}
	return all
}

func (w *world) poolOf(addr netip.Addr) *v1alpha1.IPAddressPool {
	for i := range w.pools {
		for _, block := range w.pools[i].Spec.Addresses {
			if netip.MustParsePrefix(string(block)).Contains(addr) {
				return &w.pools[i]
			}
		}
	}
	return nil
}

// served says whether there is a usable endpoint: anywhere, or for Local here.
func (w *world) served(service *corev1.Service, node string, family router.Family) bool {
	kind := map[router.Family]discoveryv1.AddressType{router.IPv4: discoveryv1.AddressTypeIPv4, router.IPv6: discoveryv1.AddressTypeIPv6}[family]
	for i := range w.slices {
		slice := &w.slices[i]
		if slice.Labels[discoveryv1.LabelServiceName] != service.Name || slice.Namespace != service.Namespace || slice.AddressType != kind {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			conditions := endpoint.Conditions
			usable := *conditions.Ready || *conditions.Serving && *conditions.Terminating
			here := service.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal || *endpoint.NodeName == node
			if usable && here {
				return true
			}
		}
	}
	return false
}

func (w *world) applies(a *v1alpha1.BGPAdvertisement, service *corev1.Service, pool *v1alpha1.IPAddressPool, node *corev1.Node, peer *v1alpha1.BGPPeer) bool {
	spec := &a.Spec
	return named(pool.Name, spec.IPAddressPools) && selected(spec.ServiceSelectors, service.Labels) &&
		selected(spec.NodeSelectors, node.Labels) && named(peer.Name, spec.Peers)
}

func named(name string, names []string) bool { return len(names) == 0 || slices.Contains(names, name) }

// prefixFor is the prefix by which an advertisement announces an address.
func prefixFor(a *v1alpha1.BGPAdvertisement, service *corev1.Service, addr netip.Addr) netip.Prefix {
	length := addr.BitLen()
	aggregate := a.Spec.AggregationLengthV6
	if addr.Is4() {
		aggregate = a.Spec.AggregationLength
	}
	if aggregate != nil && service.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
		length = int(*aggregate)
	}
	return netip.PrefixFrom(addr, length).Masked()
}

// route with what the advertisements say: communities are united, of all else the
// oldest one's value holds.
func route(nextHop netip.Addr, adverts []*v1alpha1.BGPAdvertisement, nodeASN uint32) router.Route {
	adverts = slices.Clone(adverts)
	slices.SortFunc(adverts, func(a, b *v1alpha1.BGPAdvertisement) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	r := router.Route{NextHop: nextHop, ASPath: []uint32{nodeASN}}
	med, prepend := false, false
	for _, a := range adverts {
		for _, value := range a.Spec.Communities {
			to := &r.Communities
			if strings.Count(string(value), ":") == 2 {
				to = &r.LargeCommunities
			}
			if !slices.Contains(*to, string(value)) {
				*to = append(*to, string(value))
			}
		}
		if a.Spec.MED != nil && !med {
			r.MED, med = uint32(*a.Spec.MED), true
		}
		if a.Spec.ASPathPrepend != nil && !prepend {
			prepend = true
			r.ASPath = append(r.ASPath, slices.Repeat([]uint32{nodeASN}, int(*a.Spec.ASPathPrepend))...)
		}
	}
	slices.Sort(r.Communities)
	slices.Sort(r.LargeCommunities)
	return r
}

// differences between what a router should have and has, in words.
func differences(who string, want, have table) []string {
	var wrong []string
	for prefix, paths := range want {
		if !slices.Equal(paths, have[prefix]) {
			wrong = append(wrong, fmt.Sprintf("%s has %s %q, should have %q", who, prefix, have[prefix], paths))
		}
	}
	for prefix, paths := range have {
		if want[prefix] == nil {
			wrong = append(wrong, fmt.Sprintf("%s has %s %q, should not have it", who, prefix, paths))
		}
	}
	slices.Sort(wrong)
	return wrong
}
