package compile_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/allocator"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// fieldBase has one of everything; each case sets one more field.
const fieldBase = `
apiVersion: v1
kind: Node
metadata: {name: node-a, labels: {rack: r1, asn: "65010", tor: 192.0.2.99, own: 10.0.0.9}, annotations: {asn: "65011", tor: 192.0.2.98, own: 10.0.0.8}}
status: {addresses: [{type: InternalIP, address: 10.0.0.1}, {type: InternalIP, address: "2001:db8::1"}]}
---
kind: Secret
metadata: {name: tor-a}
type: kubernetes.io/basic-auth
stringData: {password: hush}
---
kind: Namespace
metadata: {name: default, labels: {rack: r1}}
---
kind: Service
metadata: {name: web, labels: {rack: r1}}
spec: {ports: [{port: 443}, {port: 443, protocol: UDP}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.7}]}}
---
kind: EndpointSlice
metadata: {name: web, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.244.0.5], nodeName: node-a, conditions: {ready: true}}]
`

// fieldCases has every field of every spec: path, and what setting it does. A
// spec's field without a case fails TestEveryFieldHasACase.
var fieldCases = []struct {
	path string
	set  func(*objects)
	// want is a line that must come into frr.conf, or an issue's reason; empty:
	// the output must differ and that is all.
	want string
}{
	{"IPAddressPool.addresses", func(o *objects) { o.pool.Spec.Addresses = []v1alpha1.AddressBlock{"198.51.100.0/24"} }, ""},
	{"IPAddressPool.autoAssign", func(o *objects) { o.pool.Spec.AutoAssign = new(false) }, ""},
	{"IPAddressPool.exclude", func(o *objects) { o.pool.Spec.Exclude = []v1alpha1.AddressBlock{"203.0.113.1/32"} }, "NotInPool"},
	{"IPAddressPool.avoidBuggyIPs", func(o *objects) { o.pool.Spec.AvoidBuggyIPs = true }, "next: Allocated [203.0.113.1]"},
	{"IPAddressPool.allowRequests", func(o *objects) { o.pool.Spec.AllowRequests = new(false) }, "asked: NotAllowed"},
	{"IPAddressPool.serviceAllocation", func(o *objects) { o.pool.Spec.ServiceAllocation = &v1alpha1.ServiceAllocation{Priority: 9} }, "unasked: Allocated [203.0.113.0]"},
	{"IPAddressPool.serviceAllocation.priority", func(o *objects) { o.pool.Spec.ServiceAllocation = &v1alpha1.ServiceAllocation{Priority: 1} }, "unasked: Allocated [203.0.113.0]"},
	{"IPAddressPool.serviceAllocation.namespaces", func(o *objects) {
		o.pool.Spec.ServiceAllocation = &v1alpha1.ServiceAllocation{Namespaces: []v1alpha1.NamespaceName{"other"}}
	}, "asked: NotAllowed"},
	{"IPAddressPool.serviceAllocation.namespaceSelectors", func(o *objects) {
		o.pool.Spec.ServiceAllocation = &v1alpha1.ServiceAllocation{NamespaceSelectors: rack("r2")}
	}, "asked: NotAllowed"},
	{"IPAddressPool.serviceAllocation.serviceSelectors", func(o *objects) {
		o.pool.Spec.ServiceAllocation = &v1alpha1.ServiceAllocation{ServiceSelectors: rack("r2")}
	}, "asked: NotAllowed"},
	{"IPAddressPool.disabled", func(o *objects) { o.pool.Spec.Disabled = true }, "asked: NotAllowed"},
	{"BGPPeer.myASN", func(o *objects) { o.peer.Spec.MyASN = 65001 }, "router bgp 65001"},
	{"BGPPeer.myASNFrom", func(o *objects) { o.peer.Spec.MyASNFrom = &v1alpha1.NodeValueSource{NodeLabel: "asn"} }, v1alpha1.ReasonInvalidPeer},
	{"BGPPeer.myASNFrom.nodeLabel", func(o *objects) {
		o.peer.Spec.MyASN, o.peer.Spec.MyASNFrom = 0, &v1alpha1.NodeValueSource{NodeLabel: "asn"}
	}, "router bgp 65010"},
	{"BGPPeer.myASNFrom.nodeAnnotation", func(o *objects) {
		o.peer.Spec.MyASN, o.peer.Spec.MyASNFrom = 0, &v1alpha1.NodeValueSource{NodeAnnotation: "asn"}
	}, "router bgp 65011"},
	{"BGPPeer.peerASN", func(o *objects) { o.peer.Spec.PeerASN = 65002 }, " neighbor 192.0.2.1 remote-as 65002"},
	{"BGPPeer.dynamicASN", func(o *objects) {
		o.peer.Spec.PeerASN, o.peer.Spec.DynamicASN = 0, v1alpha1.DynamicASNExternal
	}, " neighbor 192.0.2.1 remote-as external"},
	{"BGPPeer.localASN", func(o *objects) { o.peer.Spec.LocalASN = 65009 }, " neighbor 192.0.2.1 local-as 65009 no-prepend replace-as"},
	{"BGPPeer.vrf", func(o *objects) { o.peer.Spec.VRF = "red" }, "router bgp 64512 vrf red"},
	{"BGPPeer.receive", func(o *objects) { o.receive() }, v1alpha1.ReasonInvalidPeer},
	{"BGPPeer.receive.mode", func(o *objects) { o.peer.Spec.Receive = &v1alpha1.ReceivePolicy{Mode: v1alpha1.ReceiveAll} }, "  neighbor 192.0.2.1 route-map herald_in_tor-a_ipv4 in"},
	{"BGPPeer.receive.prefixes", func(o *objects) { o.receive(v1alpha1.ReceivePrefix{CIDR: "10.0.0.0/8"}) }, " match ip address prefix-list herald_in_tor-a_ipv4"},
	{"BGPPeer.receive.prefixes.cidr", func(o *objects) { o.receive(v1alpha1.ReceivePrefix{CIDR: "10.0.0.1/8"}) }, v1alpha1.ReasonInvalidPeer},
	{"BGPPeer.receive.prefixes.ge", func(o *objects) { o.receive(v1alpha1.ReceivePrefix{CIDR: "10.0.0.0/8", GE: new(int32(9))}) }, "ip prefix-list herald_in_tor-a_ipv4 seq 738069024 permit 10.0.0.0/8 ge 9 le 32"},
	{"BGPPeer.receive.prefixes.le", func(o *objects) { o.receive(v1alpha1.ReceivePrefix{CIDR: "10.0.0.0/8", LE: new(int32(9))}) }, "ip prefix-list herald_in_tor-a_ipv4 seq 853576524 permit 10.0.0.0/8 le 9"},
	{"BGPPeer.maximumPrefixes", func(o *objects) { o.peer.Spec.MaximumPrefixes = 100 }, "  neighbor 192.0.2.1 maximum-prefix 100 restart 5"},
	{"BGPPeer.ttlSecurityHops", func(o *objects) { o.peer.Spec.TTLSecurityHops = new(int32(3)) }, " neighbor 192.0.2.1 ttl-security hops 3"},
	{"BGPPeer.peerAddress", func(o *objects) { o.peer.Spec.PeerAddress = "192.0.2.9" }, "  neighbor 192.0.2.9 activate"},
	{"BGPPeer.peerAddressFrom", func(o *objects) { o.peer.Spec.PeerAddressFrom = &v1alpha1.NodeAddressSource{NodeLabel: "tor"} }, v1alpha1.ReasonInvalidPeer},
	{"BGPPeer.peerAddressFrom.nodeLabel", func(o *objects) {
		o.peer.Spec.PeerAddress, o.peer.Spec.PeerAddressFrom = "", &v1alpha1.NodeAddressSource{NodeLabel: "tor"}
	}, "  neighbor 192.0.2.99 activate"},
	{"BGPPeer.peerAddressFrom.nodeAnnotation", func(o *objects) {
		o.peer.Spec.PeerAddress, o.peer.Spec.PeerAddressFrom = "", &v1alpha1.NodeAddressSource{NodeAnnotation: "tor"}
	}, "  neighbor 192.0.2.98 activate"},
	{"BGPPeer.peerAddressFrom.interface", func(o *objects) {
		o.peer.Spec.PeerAddress, o.peer.Spec.PeerAddressFrom = "", &v1alpha1.NodeAddressSource{Interface: "eth1"}
	}, "  neighbor 10.1.0.2 activate"},
	{"BGPPeer.peerAddressFrom.cidr", func(o *objects) {
		o.peer.Spec.PeerAddress, o.peer.Spec.PeerAddressFrom = "", &v1alpha1.NodeAddressSource{CIDR: "10.2.0.0/16"}
	}, "  neighbor 10.2.0.2 activate"},
	{"BGPPeer.defaultGateway", func(o *objects) {
		o.peer.Spec.PeerAddress, o.peer.Spec.DefaultGateway = "", v1alpha1.DefaultGatewayIPv4
	}, "  neighbor 10.0.0.254 activate"},
	{"BGPPeer.interface", func(o *objects) { o.peer.Spec.PeerAddress, o.peer.Spec.Interface = "", "eth1" }, " neighbor eth1 interface v6only remote-as 64513"},
	{"BGPPeer.peerPort", func(o *objects) { o.peer.Spec.PeerPort = new(int32(1179)) }, " neighbor 192.0.2.1 port 1179"},
	{"BGPPeer.addressFamilies", func(o *objects) {
		o.peer.Spec.AddressFamilies = []v1alpha1.AddressFamily{v1alpha1.AddressFamilyIPv4, v1alpha1.AddressFamilyIPv6}
	}, " address-family ipv6 unicast\n  neighbor 192.0.2.1 activate"},
	{"BGPPeer.extendedNextHop", func(o *objects) {
		o.peer.Spec.PeerAddress, o.peer.Spec.ExtendedNextHop = "2001:db8::99", true
		o.peer.Spec.AddressFamilies = []v1alpha1.AddressFamily{v1alpha1.AddressFamilyIPv4}
	}, " neighbor 2001:db8::99 capability extended-nexthop"},
	{"BGPPeer.ebgpMultiHop", func(o *objects) { o.peer.Spec.EBGPMultiHop = true }, " neighbor 192.0.2.1 ebgp-multihop 254"},
	{"BGPPeer.sourceAddress", func(o *objects) { o.peer.Spec.SourceAddress = "10.0.0.1" }, " neighbor 192.0.2.1 update-source 10.0.0.1"},
	{"BGPPeer.sourceAddressFrom", func(o *objects) { o.peer.Spec.SourceAddressFrom = &v1alpha1.NodeAddressSource{NodeLabel: "none"} }, v1alpha1.ReasonNodeValueMissing},
	{"BGPPeer.sourceAddressFrom.nodeLabel", func(o *objects) { o.peer.Spec.SourceAddressFrom = &v1alpha1.NodeAddressSource{NodeLabel: "own"} }, " neighbor 192.0.2.1 update-source 10.0.0.9"},
	{"BGPPeer.sourceAddressFrom.nodeAnnotation", func(o *objects) {
		o.peer.Spec.SourceAddressFrom = &v1alpha1.NodeAddressSource{NodeAnnotation: "own"}
	}, " neighbor 192.0.2.1 update-source 10.0.0.8"},
	{"BGPPeer.sourceAddressFrom.interface", func(o *objects) { o.peer.Spec.SourceAddressFrom = &v1alpha1.NodeAddressSource{Interface: "eth1"} }, " neighbor 192.0.2.1 update-source 10.1.0.3"},
	{"BGPPeer.sourceAddressFrom.cidr", func(o *objects) {
		o.peer.Spec.SourceAddressFrom = &v1alpha1.NodeAddressSource{CIDR: "10.0.0.0/14"}
	}, v1alpha1.ReasonNoNodeAddress},
	{"BGPPeer.holdTime", func(o *objects) { o.peer.Spec.HoldTime = seconds(30) }, " neighbor 192.0.2.1 timers 10 30"},
	{"BGPPeer.keepaliveTime", func(o *objects) { o.peer.Spec.HoldTime, o.peer.Spec.KeepaliveTime = seconds(30), seconds(5) }, " neighbor 192.0.2.1 timers 5 30"},
	{"BGPPeer.connectTime", func(o *objects) { o.peer.Spec.ConnectTime = seconds(7) }, " neighbor 192.0.2.1 timers connect 7"},
	{"BGPPeer.routerID", func(o *objects) { o.peer.Spec.RouterID = "1.2.3.4" }, " bgp router-id 1.2.3.4"},
	{"BGPPeer.routerIDFrom", func(o *objects) { o.peer.Spec.RouterIDFrom = &v1alpha1.NodeAddressSource{NodeLabel: "rack"} }, v1alpha1.ReasonNodeValueInvalid},
	{"BGPPeer.routerIDFrom.nodeLabel", func(o *objects) { o.peer.Spec.RouterIDFrom = &v1alpha1.NodeAddressSource{NodeLabel: "own"} }, " bgp router-id 10.0.0.9"},
	{"BGPPeer.routerIDFrom.nodeAnnotation", func(o *objects) { o.peer.Spec.RouterIDFrom = &v1alpha1.NodeAddressSource{NodeAnnotation: "own"} }, " bgp router-id 10.0.0.8"},
	{"BGPPeer.routerIDFrom.interface", func(o *objects) { o.peer.Spec.RouterIDFrom = &v1alpha1.NodeAddressSource{Interface: "eth1"} }, " bgp router-id 10.1.0.3"},
	{"BGPPeer.routerIDFrom.cidr", func(o *objects) { o.peer.Spec.RouterIDFrom = &v1alpha1.NodeAddressSource{CIDR: "10.2.0.0/16"} }, " bgp router-id 10.2.0.1"},
	{"BGPPeer.passwordSecret", func(o *objects) { o.peer.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: "tor-a"} }, " neighbor 192.0.2.1 password hush"},
	{"BGPPeer.passwordSecret.name", func(o *objects) { o.peer.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: "other"} }, v1alpha1.ReasonSecretNotFound},
	{"BGPPeer.nodeSelectors", func(o *objects) { o.peer.Spec.NodeSelectors = rack("r2") }, ""},
	{"BGPPeer.bfdProfile", func(o *objects) { o.peer.Spec.BFDProfile = "slow" }, v1alpha1.ReasonBFDProfileNotFound},
	{"BGPPeer.enableGracefulRestart", func(o *objects) { o.peer.Spec.EnableGracefulRestart = true }, " neighbor 192.0.2.1 graceful-restart\n"},
	{"BFDProfile.receiveInterval", func(o *objects) { o.profile.Spec.ReceiveInterval = new(int32(100)) }, "  receive-interval 100"},
	{"BFDProfile.transmitInterval", func(o *objects) { o.profile.Spec.TransmitInterval = new(int32(100)) }, "  transmit-interval 100"},
	{"BFDProfile.detectMultiplier", func(o *objects) { o.profile.Spec.DetectMultiplier = new(int32(5)) }, "  detect-multiplier 5"},
	{"BFDProfile.echoMode", func(o *objects) { o.profile.Spec.EchoMode = true }, "  echo-mode"},
	{"BFDProfile.echoInterval", func(o *objects) { o.profile.Spec.EchoInterval = new(int32(100)) }, "  echo receive-interval 100"},
	{"BFDProfile.passiveMode", func(o *objects) { o.profile.Spec.PassiveMode = true }, "  passive-mode"},
	{"BFDProfile.minimumTtl", func(o *objects) { o.profile.Spec.MinimumTTL = new(int32(250)) }, "  minimum-ttl 250"},
	{"FRRSnippet.config", func(o *objects) { o.snippet.Spec.Config = "network 1.2.3.0/24" }, v1alpha1.ReasonInvalidSnippet},
	{"FRRSnippet.nodeSelectors", func(o *objects) { o.snippet.Spec.NodeSelectors = rack("r2") }, ""},
	{"FRRSnippet.priority", func(o *objects) { o.snippet.Spec.Priority = new(int32(101)) }, "permit any\n! herald snippet a\n"},
	{"FlowPolicy.mode", func(o *objects) { o.flow.Spec.Mode = v1alpha1.FlowModeOff }, ""},
	{"FlowPolicy.ipAddressPools", func(o *objects) { o.flow.Spec.IPAddressPools = []string{"none"} }, v1alpha1.ReasonNoServiceSelected},
	{"FlowPolicy.ipAddressPoolSelectors", func(o *objects) { o.flow.Spec.IPAddressPoolSelectors = rack("r2") }, v1alpha1.ReasonNoServiceSelected},
	{"FlowPolicy.serviceSelectors", func(o *objects) { o.flow.Spec.ServiceSelectors = rack("r2") }, v1alpha1.ReasonNoServiceSelected},
	{"FlowPolicy.namespaces", func(o *objects) { o.flow.Spec.Namespaces = []v1alpha1.NamespaceName{"other"} }, v1alpha1.ReasonNoServiceSelected},
	{"FlowPolicy.namespaceSelectors", func(o *objects) { o.flow.Spec.NamespaceSelectors = rack("r2") }, v1alpha1.ReasonNoServiceSelected},
	{"FlowPolicy.protocols", func(o *objects) { o.flow.Spec.Protocols = []v1alpha1.FlowProtocol{v1alpha1.FlowProtocolQUIC} }, `"protocol": "QUIC"`},
	{"BGPAdvertisement.ipAddressPools", func(o *objects) { o.advertisement.Spec.IPAddressPools = []string{"none"} }, v1alpha1.ReasonPoolNotFound},
	{"BGPAdvertisement.ipAddressPoolSelectors", func(o *objects) { o.advertisement.Spec.IPAddressPoolSelectors = rack("r2") }, string(compile.WhyNoAdvertisement)},
	{"BGPAdvertisement.serviceSelectors", func(o *objects) { o.advertisement.Spec.ServiceSelectors = rack("r2") }, string(compile.WhyNoAdvertisement)},
	{"BGPAdvertisement.namespaceSelectors", func(o *objects) { o.advertisement.Spec.NamespaceSelectors = rack("r2") }, string(compile.WhyNoAdvertisement)},
	{"BGPAdvertisement.nodeSelectors", func(o *objects) { o.advertisement.Spec.NodeSelectors = rack("r2") }, ""},
	{"BGPAdvertisement.peers", func(o *objects) { o.advertisement.Spec.Peers = []string{"none"} }, v1alpha1.ReasonPeerNotFound},
	{"BGPAdvertisement.peerSelectors", func(o *objects) { o.advertisement.Spec.PeerSelectors = rack("r2") }, string(compile.WhyNoPeer)},
	{"BGPAdvertisement.communities", func(o *objects) { o.advertisement.Spec.Communities = []v1alpha1.CommunityValue{"64512:100"} }, " set community 64512:100"},
	{"BGPAdvertisement.aggregationLength", func(o *objects) { o.advertisement.Spec.AggregationLength = new(int32(24)) }, "ip route 203.0.113.0/24 blackhole 254"},
	{"BGPAdvertisement.aggregationLengthV6", func(o *objects) {
		o.pool.Spec.Addresses = append(o.pool.Spec.Addresses, "2001:db8:113::/64")
		o.advertisement.Spec.AggregationLengthV6 = new(int32(63))
	}, v1alpha1.ReasonAggregateExceedsPool},
	{"Community.communities", func(o *objects) { o.community.Spec.Communities = nil }, v1alpha1.ReasonUnknownCommunity},
	{"Community.communities.name", func(o *objects) { o.community.Spec.Communities[0].Name = "other" }, v1alpha1.ReasonUnknownCommunity},
	{"Community.communities.value", func(o *objects) { o.community.Spec.Communities[0].Value = "1:2:3" }, " set large-community 1:2:3"},
	{"BGPAdvertisement.med", func(o *objects) { o.advertisement.Spec.MED = new(int64(7)) }, " set metric 7"},
	{"BGPAdvertisement.asPathPrepend", func(o *objects) { o.advertisement.Spec.ASPathPrepend = new(int32(2)) }, " set as-path prepend 64512 64512"},
	{"BGPAdvertisement.weight", func(o *objects) { o.advertisement.Spec.Weight = v1alpha1.WeightLocalEndpoints }, " set extcommunity bandwidth 100"},
	{"BGPAdvertisement.nextHop", func(o *objects) { o.advertisement.Spec.NextHop = &v1alpha1.NextHop{IPv4: "192.0.2.77"} }, " set ip next-hop 192.0.2.77"},
	{"BGPAdvertisement.nextHop.ipv4", func(o *objects) { o.advertisement.Spec.NextHop = &v1alpha1.NextHop{IPv4: "192.0.2.78"} }, " set ip next-hop 192.0.2.78"},
	{"BGPAdvertisement.nextHop.ipv6", func(o *objects) {
		o.peer.Spec.AddressFamilies = []v1alpha1.AddressFamily{v1alpha1.AddressFamilyIPv4, v1alpha1.AddressFamilyIPv6}
		o.advertisement.Spec.NextHop = &v1alpha1.NextHop{IPv6: "2001:db8::77"}
	}, " set ipv6 next-hop global 2001:db8::77"},
	{"BGPAdvertisement.localPref", func(o *objects) {
		o.peer.Spec.PeerASN = o.peer.Spec.MyASN
		o.advertisement.Spec.LocalPref = new(int64(200))
	}, " set local-preference 200"},
}

type objects struct {
	pool          v1alpha1.IPAddressPool
	peer          v1alpha1.BGPPeer
	profile       v1alpha1.BFDProfile
	advertisement v1alpha1.BGPAdvertisement
	community     v1alpha1.Community
	snippet       v1alpha1.FRRSnippet
	flow          v1alpha1.FlowPolicy
}

func seconds(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Second}
}

func rack(name string) []metav1.LabelSelector {
	return []metav1.LabelSelector{{MatchLabels: map[string]string{"rack": name}}}
}

// receive lists prefixes of the peer's routes.
func (o *objects) receive(prefixes ...v1alpha1.ReceivePrefix) {
	o.peer.Spec.Receive = &v1alpha1.ReceivePolicy{Mode: v1alpha1.ReceiveFiltered, Prefixes: prefixes}
}

func baseObjects() *objects {
	return &objects{
		pool: v1alpha1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "pub"}, Spec: v1alpha1.IPAddressPoolSpec{
			Addresses: []v1alpha1.AddressBlock{"203.0.113.0/24"},
		}},
		peer: v1alpha1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor-a"}, Spec: v1alpha1.BGPPeerSpec{
			MyASN: 64512, PeerASN: 64513, PeerAddress: "192.0.2.1", BFDProfile: "fast",
		}},
		profile: v1alpha1.BFDProfile{ObjectMeta: metav1.ObjectMeta{Name: "fast"}},
		advertisement: v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.BGPAdvertisementSpec{
			Communities: []v1alpha1.CommunityValue{"alias"},
		}},
		community: v1alpha1.Community{ObjectMeta: metav1.ObjectMeta{Name: "names"}, Spec: v1alpha1.CommunitySpec{
			Communities: []v1alpha1.CommunityAlias{{Name: "alias", Value: "64512:1"}},
		}},
		snippet: v1alpha1.FRRSnippet{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha1.FRRSnippetSpec{
			Config: "ip prefix-list a permit any",
		}},
		flow: v1alpha1.FlowPolicy{ObjectMeta: metav1.ObjectMeta{Name: "keep"}},
	}
}

// decide is everything that comes out for the objects: the configuration, the
// issues, what is withheld, and what the allocator is told of the pool.
func (o *objects) decide(t *testing.T) string {
	t.Helper()
	s := snapshotOf(t, documents(fieldBase), situation{
		Network: map[string][]string{"eth1": {"10.1.0.3/31"}, "eth2": {"10.2.0.1/30"}}, Gateways: map[string][]string{"ipv4": {"10.0.0.254"}},
	}, "")
	s.Pools = []*v1alpha1.IPAddressPool{&o.pool}
	s.Peers = []*v1alpha1.BGPPeer{&o.peer}
	s.Advertisements, s.Communities = []*v1alpha1.BGPAdvertisement{&o.advertisement}, []*v1alpha1.Community{&o.community}
	s.BFDProfiles = []*v1alpha1.BFDProfile{&o.profile}
	s.Snippets = []*v1alpha1.FRRSnippet{&o.snippet, {ObjectMeta: metav1.ObjectMeta{Name: "b"}, Spec: v1alpha1.FRRSnippetSpec{Config: "ip prefix-list b permit any"}}}
	s.FlowPolicies = []*v1alpha1.FlowPolicy{&o.flow}
	result := compile.Compile(s)
	body, err := frrtemplates.Render(result.Config)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(string(body), showIssues(result), showWithheld(result), showRelay(t, result), o.allocate())
}

// allocate is what the allocator decides for a Service that asks for nothing and
// for one that asks for an address of the pool, beside another pool of one address
// and priority 10.
func (o *objects) allocate() string {
	other := &v1alpha1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha1.IPAddressPoolSpec{
		Addresses:         []v1alpha1.AddressBlock{"192.0.2.0/32"},
		ServiceAllocation: &v1alpha1.ServiceAllocation{Priority: 10},
	}}
	set, _ := pools.Accept([]*v1alpha1.IPAddressPool{&o.pool, other})
	a := allocator.New()
	a.Rebuild(set, nil)
	decide := func(name string, request allocator.Request) string {
		decision := a.Set(allocator.Demand{
			Service:  types.NamespacedName{Namespace: "default", Name: name},
			Families: []frrtemplates.Family{frrtemplates.IPv4}, Request: request,
		})
		return fmt.Sprintln(name+":", decision.Reason, decision.Addresses)
	}
	return decide("unasked", allocator.Request{}) + decide("next", allocator.Request{}) +
		decide("asked", allocator.Request{Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.1")}})
}

func TestEveryFieldTakesEffect(t *testing.T) {
	base := baseObjects().decide(t)
	for _, c := range fieldCases {
		t.Run(c.path, func(t *testing.T) {
			o := baseObjects()
			c.set(o)
			got := o.decide(t)
			if got == base {
				t.Fatalf("setting it changes nothing:\n%s", got)
			}
			if c.want != "" && (!strings.Contains(got, c.want) || strings.Contains(base, c.want)) {
				t.Errorf("want %q in\n%s", c.want, got)
			}
		})
	}
}

// TestEveryFieldHasACase walks the API's types: a field that nobody gave an
// effect fails here.
func TestEveryFieldHasACase(t *testing.T) {
	var have []string
	for _, c := range fieldCases {
		have = append(have, c.path)
	}
	specs := map[string]any{
		"IPAddressPool":    v1alpha1.IPAddressPoolSpec{},
		"BGPPeer":          v1alpha1.BGPPeerSpec{},
		"BFDProfile":       v1alpha1.BFDProfileSpec{},
		"BGPAdvertisement": v1alpha1.BGPAdvertisementSpec{},
		"Community":        v1alpha1.CommunitySpec{},
		"FRRSnippet":       v1alpha1.FRRSnippetSpec{},
		"FlowPolicy":       v1alpha1.FlowPolicySpec{},
	}
	var want []string
	for kind, spec := range specs {
		want = append(want, fieldPaths(kind, reflect.TypeOf(spec))...)
	}
	slices.Sort(have)
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("fields without a case (-), or the other way round (+):\n%s", diff)
	}
}

// fieldPaths goes into structs of the API's own package only.
func fieldPaths(prefix string, t reflect.Type) []string {
	var paths []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		path := prefix + "." + name
		paths = append(paths, path)
		inner := field.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.PkgPath() == t.PkgPath() {
			paths = append(paths, fieldPaths(path, inner)...)
		}
	}
	return paths
}

// TestWhatIsReadOfKubernetesTakesEffect does the same for the fields that Herald
// reads of Kubernetes' own Kinds.
func TestWhatIsReadOfKubernetesTakesEffect(t *testing.T) {
	local := strings.Replace(fieldBase, "spec: {ports", "spec: {externalTrafficPolicy: Local, ports", 1)
	elsewhere := strings.Replace(fieldBase, "nodeName: node-a", "nodeName: node-b", 1)
	cases := map[string]struct{ base, old, new string }{
		"service's labels":      {fieldBase, "name: web, labels: {rack: r1}", "name: web, labels: {rack: r2}"},
		"namespace's labels":    {fieldBase, "name: default, labels: {rack: r1}", "name: default, labels: {rack: r2}"},
		"service's address":     {fieldBase, "203.0.113.7", "203.0.113.8"},
		"externalTrafficPolicy": {elsewhere, "spec: {ports", "spec: {externalTrafficPolicy: Local, ports"},
		"loadBalancerClass":     {fieldBase, "spec: {ports", "spec: {loadBalancerClass: example.com/other, ports"},
		"slice's family":        {fieldBase, "addressType: IPv4", "addressType: IPv6"},
		"slice's service":       {fieldBase, "service-name: web", "service-name: other"},
		"endpoint's readiness":  {fieldBase, "ready: true", "ready: false"},
		"endpoint's node":       {local, "nodeName: node-a", "nodeName: node-b"},
		"node's exclusion":      {fieldBase, "labels: {rack: r1}", "labels: {node.kubernetes.io/exclude-from-external-load-balancers: x}"},
		"node's network":        {fieldBase, "status: {addresses:", `status: {conditions: [{type: NetworkUnavailable, status: "True"}], addresses:`},
		"node's address":        {fieldBase, "10.0.0.1", "10.0.0.2"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			after := strings.Replace(c.base, c.old, c.new, 1)
			if after == c.base {
				t.Fatal("the case edits nothing")
			}
			if decideYAML(t, c.base) == decideYAML(t, after) {
				t.Error("changes nothing")
			}
		})
	}
}

func decideYAML(t *testing.T, text string) string {
	t.Helper()
	o := baseObjects()
	s := snapshotOf(t, documents(text), situation{}, "")
	s.Pools, s.Peers = []*v1alpha1.IPAddressPool{&o.pool}, []*v1alpha1.BGPPeer{&o.peer}
	s.Advertisements, s.Communities = []*v1alpha1.BGPAdvertisement{&o.advertisement}, []*v1alpha1.Community{&o.community}
	for _, labelled := range []v1alpha1.BGPAdvertisementSpec{{ServiceSelectors: rack("r1")}, {NamespaceSelectors: rack("r1")}} {
		a := &v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("labelled-", len(s.Advertisements))}, Spec: labelled}
		s.Advertisements = append(s.Advertisements, a)
	}
	result := compile.Compile(s)
	body, err := frrtemplates.Render(result.Config)
	if err != nil {
		t.Fatal(err)
	}
	return string(body) + showIssues(result) + showWithheld(result)
}
