package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/status"
)

// site is two nodes of which both announce a Service to one router.
type site struct {
	in       explain.Input
	service  *corev1.Service
	slice    *discoveryv1.EndpointSlice
	peer     *v1alpha1.BGPPeer
	pool     *v1alpha1.IPAddressPool
	adv      *v1alpha1.BGPAdvertisement
	node     *corev1.Node
	reported *v1alpha1.BGPNode
	session  *v1alpha1.BGPSession
}

func newSite() *site {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
	s := &site{
		service: &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyCluster},
			Status:     corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "203.0.113.1"}}}},
		},
		slice: &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.244.1.1"}, NodeName: ptr.To("n1")}},
		},
		peer: &v1alpha1.BGPPeer{ObjectMeta: named("tor"), Spec: v1alpha1.BGPPeerSpec{MyASN: 64512, PeerASN: 64500, PeerAddress: "192.0.2.1"}},
		pool: &v1alpha1.IPAddressPool{ObjectMeta: named("public"), Spec: v1alpha1.IPAddressPoolSpec{Addresses: []v1alpha1.AddressBlock{"203.0.113.0/24"}}},
		adv: &v1alpha1.BGPAdvertisement{ObjectMeta: named("all"), Spec: v1alpha1.BGPAdvertisementSpec{
			Communities: []v1alpha1.CommunityValue{"64512:1", "64512:1:2"}, MED: ptr.To[int64](7), ASPathPrepend: ptr.To[int32](2),
		}},
	}
	for i, name := range []string{"n1", "n2"} {
		node := &corev1.Node{ObjectMeta: named(name), Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0." + string(rune('1'+i))}}}}
		reported := &v1alpha1.BGPNode{ObjectMeta: named(name), Status: v1alpha1.BGPNodeStatus{Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReporting},
			{Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonApplied},
		}}}
		session := &v1alpha1.BGPSession{Spec: v1alpha1.BGPSessionSpec{Node: name, Peer: "tor"}, Status: v1alpha1.BGPSessionStatus{State: v1alpha1.SessionEstablished, Address: "192.0.2.1"}}
		if s.in.Objects == nil {
			s.node, s.reported, s.session = node, reported, session
			s.in.Objects = &offline.Objects{}
			s.in.States = &offline.States{Nodes: map[string]*v1alpha1.BGPNode{}, Sessions: map[status.SessionKey]*v1alpha1.BGPSession{}}
		}
		s.in.Objects.Nodes = append(s.in.Objects.Nodes, node)
		s.in.States.Nodes[name] = reported
		s.in.States.Sessions[status.SessionKey{Node: name, Peer: "tor"}] = session
	}
	o := s.in.Objects
	o.Services, o.Slices, o.Peers = []*corev1.Service{s.service}, []*discoveryv1.EndpointSlice{s.slice}, []*v1alpha1.BGPPeer{s.peer}
	o.Pools, o.Advertisements = []*v1alpha1.IPAddressPool{s.pool}, []*v1alpha1.BGPAdvertisement{s.adv}
	return s
}

// leaveOut has the Herald object select the second node only.
func (s *site) leaveOut() {
	s.in.Objects.Nodes[1].Labels = map[string]string{"edge": "yes"}
	s.in.Objects.Heralds = []*v1alpha1.Herald{{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}, Spec: v1alpha1.HeraldSpec{NodeSelector: map[string]string{"edge": "yes"}}}}
}

// share has another Service share the address.
func (s *site) share() {
	twin, slice := s.service.DeepCopy(), s.slice.DeepCopy()
	twin.Name, slice.Name, slice.Labels = "twin", "twin-1", map[string]string{discoveryv1.LabelServiceName: "twin"}
	s.in.Objects.Services, s.in.Objects.Slices = append(s.in.Objects.Services, twin), append(s.in.Objects.Slices, slice)
}

// preserve has a FlowPolicy select the Service.
func (s *site) preserve() {
	s.service.Spec.Ports = []corev1.ServicePort{{Port: 443}}
	s.in.Objects.FlowPolicies = []*v1alpha1.FlowPolicy{{ObjectMeta: metav1.ObjectMeta{Name: "all"}}}
}

func (s *site) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	s.reported.Status.Conditions = append([]metav1.Condition{{Type: kind, Status: status, Reason: reason, Message: message}}, s.reported.Status.Conditions...)
}

// keeping65 is a drain that keeps 65 Services, of which 64 are named, none of them ours.
func keeping65() *v1alpha1.DrainStatus {
	held := &v1alpha1.HeldServices{Total: 65}
	for i := range 64 {
		held.Services = append(held.Services, fmt.Sprintf("shop/other%d", i))
	}
	return &v1alpha1.DrainStatus{Stage: v1alpha1.DrainServing, LastHolderOf: held}
}

// TestServiceOnNode breaks one thing after another and asks what becomes of the
// Service on the first node.
func TestServiceOnNode(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*site)
		state   explain.State
		reason  string
		message string // a part of it
	}{
		"all is well": {change: func(*site) {}, state: explain.Announced},
		"no pool": {
			change: func(s *site) { s.pool.Spec.Addresses = []v1alpha1.AddressBlock{"198.51.100.0/24"} },
			state:  explain.NotAnnounced, reason: "NoPool", message: "in no IPAddressPool",
		},
		"no advertisement": {
			change: func(s *site) { s.adv.Spec.IPAddressPools = []string{"other"} },
			state:  explain.NotAnnounced, reason: "NoAdvertisement", message: "no BGPAdvertisement selects it on this node",
		},
		"no peer": {
			change: func(s *site) { s.adv.Spec.Peers = []string{"other"} },
			state:  explain.NotAnnounced, reason: "NoPeer", message: "reach no BGPPeer",
		},
		"a peer whose address only the node knows": {
			change: func(s *site) { s.peer.Spec.PeerAddress, s.peer.Spec.DefaultGateway = "", v1alpha1.DefaultGatewayIPv4 },
			state:  explain.Unknown, reason: explain.ReasonOnlyNodeKnows, message: "BGPPeer tor",
		},
		"the node is excluded": {
			change: func(s *site) { s.node.Labels = map[string]string{corev1.LabelNodeExcludeBalancers: ""} },
			state:  explain.NotAnnounced, reason: "NodeExcluded", message: corev1.LabelNodeExcludeBalancers,
		},
		"the node has no network": {
			change: func(s *site) {
				s.node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeNetworkUnavailable, Status: corev1.ConditionTrue}}
			},
			state: explain.NotAnnounced, reason: "NoNetwork", message: "CNI",
		},
		"no endpoint": {
			change: func(s *site) { s.slice.Endpoints[0].Conditions.Ready = ptr.To(false) },
			state:  explain.NotAnnounced, reason: "NoEndpoint", message: "no endpoint",
		},
		"no local endpoint": {
			change: func(s *site) {
				s.service.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
				s.slice.Endpoints[0].NodeName = ptr.To("n2")
			},
			state: explain.NotAnnounced, reason: "NoLocalEndpoint", message: "Local",
		},
		"the node holds it back after its boot": {
			change: func(s *site) {
				s.reported.Status.HeldBack = &v1alpha1.HeldBack{Total: 1, Services: []string{s.service.Namespace + "/" + s.service.Name}}
			},
			state: explain.NotAnnounced, reason: "GateClosed", message: "look at kube-proxy",
		},
		"kube-proxy refuses it": {
			change: func(s *site) {
				s.reported.Status.HeldBack = &v1alpha1.HeldBack{Total: 1, Services: []string{s.service.Namespace + "/" + s.service.Name}}
				s.reported.Status.Issues = []v1alpha1.NodeIssue{
					{Kind: "Service", Namespace: "elsewhere", Name: s.service.Name, Reason: v1alpha1.ReasonGateRefused, Message: "another"},
					{Kind: "Service", Namespace: s.service.Namespace, Name: s.service.Name, Reason: v1alpha1.ReasonGateRefused, Message: "nothing listens"},
				}
			},
			state: explain.NotAnnounced, reason: "GateClosed", message: "nothing listens",
		},
		"the node holds another one back": {
			change: func(s *site) {
				s.reported.Status.HeldBack = &v1alpha1.HeldBack{Total: 1, Services: []string{"elsewhere/" + s.service.Name}}
			},
			state: explain.Announced,
		},
		"the node waits for its relay": {
			change: func(s *site) {
				s.preserve()
				s.reported.Status.Issues = []v1alpha1.NodeIssue{{Kind: "Node", Name: "n1", Reason: v1alpha1.ReasonRelayPending, Message: "wait"}}
			},
			state: explain.NotAnnounced, reason: "RelayPending", message: "RelayReady",
		},
		"the node waits for its relay, and no FlowPolicy selects it": {
			change: func(s *site) {
				s.reported.Status.Issues = []v1alpha1.NodeIssue{{Kind: "Node", Name: "n1", Reason: v1alpha1.ReasonRelayPending, Message: "wait"}}
			},
			state: explain.Announced,
		},
		"the node drains, and has withdrawn": {
			change: func(s *site) { s.reported.Status.Drain = &v1alpha1.DrainStatus{Stage: v1alpha1.DrainServing} },
			state:  explain.NotAnnounced, reason: "NodeDrains", message: "kubectl herald undrain",
		},
		"the node drains, and has only told the routers": {
			change: func(s *site) {
				s.reported.Status.Drain = &v1alpha1.DrainStatus{Stage: v1alpha1.DrainGracefulShutdown}
			},
			state: explain.Announced,
		},
		"the node drains, and no other can announce it": {
			change: func(s *site) {
				s.reported.Status.Drain = &v1alpha1.DrainStatus{Stage: v1alpha1.DrainServing,
					LastHolderOf: &v1alpha1.HeldServices{Total: 1, Services: []string{"shop/web"}}}
			},
			state: explain.Announced,
		},
		"the node drains, keeps more than it names, and no other can announce it": {
			change: func(s *site) {
				s.reported.Status.Drain = keeping65()
				s.in.Objects.Nodes[1].Labels = map[string]string{corev1.LabelNodeExcludeBalancers: ""}
			},
			state: explain.Unknown, reason: "NodeDrains",
			message: "still announces 65 Services that no other node can, of which status.drain.lastHolderOf of BGPNode n1 names only 64",
		},
		"the node drains, keeps more than it names, and names this one": {
			change: func(s *site) {
				s.reported.Status.Drain = keeping65()
				s.reported.Status.Drain.LastHolderOf.Services[63] = "shop/web"
				s.in.Objects.Nodes[1].Labels = map[string]string{corev1.LabelNodeExcludeBalancers: ""}
			},
			state: explain.Announced,
		},
		"the node drains, keeps more than it names, and another announces it": {
			change: func(s *site) { s.reported.Status.Drain = keeping65() },
			state:  explain.NotAnnounced, reason: "NodeDrains", message: "other nodes announce it",
		},
		"Herald doesn't run on the node": {
			change: func(s *site) { s.leaveOut(); delete(s.in.States.Nodes, "n1") },
			state:  explain.NotAnnounced, reason: explain.ReasonNodeNotSelected, message: "spec.nodeSelector",
		},
		"Herald doesn't tolerate the node's taint": {
			change: func(s *site) {
				s.in.Objects.Heralds = []*v1alpha1.Herald{{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}}}
				s.node.Spec.Taints = []corev1.Taint{{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule}}
				delete(s.in.States.Nodes, "n1")
			},
			state: explain.NotAnnounced, reason: explain.ReasonNodeNotSelected,
			message: "spec.tolerations of the Herald object has nothing for its taint dedicated=gpu:NoSchedule",
		},
		"Herald is to leave the node, and is there yet": {
			change: func(s *site) { s.leaveOut() },
			state:  explain.Announced,
		},
		"the node has another operating system": {
			change: func(s *site) {
				s.node.Labels = map[string]string{corev1.LabelOSStable: "windows"}
				delete(s.in.States.Nodes, "n1")
			},
			state: explain.NotAnnounced, reason: explain.ReasonNodeNotSelected, message: "its operating system is windows",
		},
		"no report at all": {
			change: func(s *site) { delete(s.in.States.Nodes, "n1") },
			state:  explain.Unknown, reason: explain.ReasonNotReported, message: "BGPNode n1",
		},
		"the agent is silent": {
			change: func(s *site) {
				s.condition(v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonAgentNotReporting, "its pod is gone")
			},
			state: explain.Unknown, reason: v1alpha1.ReasonAgentNotReporting, message: "its pod is gone",
		},
		"FRR doesn't run": {
			change: func(s *site) {
				s.condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonFRRNotRunning, "bgpd doesn't answer")
			},
			state: explain.NotAnnounced, reason: v1alpha1.ReasonFRRNotRunning, message: "bgpd",
		},
		"FRR refuses": {
			change: func(s *site) {
				s.condition(v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed, "% Unknown command")
			},
			state: explain.Unknown, reason: v1alpha1.ReasonApplyFailed, message: "% Unknown command",
		},
		"the session is down": {
			change: func(s *site) {
				s.session.Status.State = v1alpha1.SessionActive
				s.session.Status.LastReset = &v1alpha1.SessionReset{Reason: "Hold Timer Expired"}
			},
			state: explain.NotAnnounced, reason: explain.ReasonSessionDown, message: "Active, last: Hold Timer Expired",
		},
		"no session is reported": {
			change: func(s *site) { delete(s.in.States.Sessions, status.SessionKey{Node: "n1", Peer: "tor"}) },
			state:  explain.Unknown, reason: explain.ReasonNotReported, message: "BGPPeer tor",
		},
		"the node withholds the peer": {
			change: func(s *site) {
				delete(s.in.States.Sessions, status.SessionKey{Node: "n1", Peer: "tor"})
				s.reported.Status.Issues = []v1alpha1.NodeIssue{{Kind: "BGPPeer", Name: "tor", Reason: v1alpha1.ReasonSecretNotFound, Message: "no Secret"}}
			},
			state: explain.NotAnnounced, reason: v1alpha1.ReasonSecretNotFound, message: "no Secret",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			test.change(s)
			e, err := explain.Service(s.in, "shop", "web")
			if err != nil {
				t.Fatal(err)
			}
			got := e.Nodes[0]
			if got.State != test.state || got.Reason != test.reason || !strings.Contains(got.Message, test.message) {
				t.Errorf("got %q %q %q, want %q %q %q", got.State, got.Reason, got.Message, test.state, test.reason, test.message)
			}
		})
	}
}

// A node that announces before its relay has its rules says so of what the relay is to
// preserve.
func TestNotesOfALateRelay(t *testing.T) {
	for preserved, notes := range map[bool]int{true: 1, false: 0} {
		s := newSite()
		if preserved {
			s.preserve()
		}
		s.reported.Status.Issues = []v1alpha1.NodeIssue{{Kind: "Node", Name: "n1", Reason: v1alpha1.ReasonRelayTimedOut, Message: "look at its log"}}
		e, err := explain.Service(s.in, "shop", "web")
		if err != nil {
			t.Fatal(err)
		}
		n1, n2 := e.Nodes[0], e.Nodes[1]
		if n1.State != explain.Announced || len(n1.Notes) != notes || len(n2.Notes) != 0 {
			t.Errorf("%+v %+v", n1, n2)
		}
		if notes > 0 && !strings.Contains(n1.Notes[0], "look at its log") {
			t.Error(n1.Notes)
		}
	}
}

// TestServiceItself asks for Services that no node is asked about.
func TestServiceItself(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*corev1.Service)
		reason string
	}{
		"another type":  {func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort }, explain.ReasonNotLoadBalancer},
		"another class": {func(s *corev1.Service) { s.Spec.LoadBalancerClass = ptr.To("example.com/lb") }, explain.ReasonOtherClass},
		"nothing said":  {func(s *corev1.Service) { s.Status = corev1.ServiceStatus{} }, v1alpha1.ReasonNoAddress},
		"pool exhausted": {func(s *corev1.Service) {
			s.Status = corev1.ServiceStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionAllocated, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonPoolExhausted}}}
		}, v1alpha1.ReasonPoolExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			test.change(s.service)
			e, err := explain.Service(s.in, "shop", "web")
			if err != nil {
				t.Fatal(err)
			}
			if e.State != explain.NotAnnounced || e.Reason != test.reason || len(e.Nodes) > 0 {
				t.Errorf("got %q %q and %d nodes, want NotAnnounced %q and none", e.State, e.Reason, len(e.Nodes), test.reason)
			}
		})
	}
}

// TestOtherClass: what is said about another load balancer's Services is a remedy
// that holds with what the Herald object says.
func TestOtherClass(t *testing.T) {
	for name, test := range map[string]struct {
		spec  v1alpha1.HeraldSpec
		class *string
		want  string
	}{
		"another class":           {v1alpha1.HeraldSpec{}, ptr.To("example.com/lb"), `spec.loadBalancerClass is "example.com/lb", which isn't Herald's: make the Service anew with herald-lb.io/bgp, or without a class`},
		"classless not claimed":   {v1alpha1.HeraldSpec{ClaimClassless: ptr.To(false)}, nil, `it has no spec.loadBalancerClass, and the Herald object's claimClassless is false: make the Service anew with herald-lb.io/bgp`},
		"the class of before":     {v1alpha1.HeraldSpec{LoadBalancerClass: "example.com/bgp"}, ptr.To("herald-lb.io/bgp"), `spec.loadBalancerClass is "herald-lb.io/bgp", which isn't Herald's: make the Service anew with example.com/bgp, or without a class`},
		"another, none of either": {v1alpha1.HeraldSpec{ClaimClassless: ptr.To(false)}, ptr.To("example.com/lb"), `spec.loadBalancerClass is "example.com/lb", which isn't Herald's: make the Service anew with herald-lb.io/bgp`},
	} {
		s := newSite()
		s.service.Spec.LoadBalancerClass = test.class
		s.in.Objects.Heralds = []*v1alpha1.Herald{{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}, Spec: test.spec}}
		e, err := explain.Service(s.in, "shop", "web")
		if err != nil {
			t.Fatal(err)
		}
		if e.Reason != explain.ReasonOtherClass || e.Message != test.want {
			t.Errorf("%s: %s %q, want %q", name, e.Reason, e.Message, test.want)
		}
	}
}

func TestRoutesHaveTheirAttributes(t *testing.T) {
	s := newSite()
	routes, err := explain.Routes(s.in, "n2")
	if err != nil {
		t.Fatal(err)
	}
	want := []explain.Route{{
		Node: "n2", Prefix: "203.0.113.1/32", Peer: "tor", Address: "192.0.2.1", Session: "Established",
		Verdict:  explain.Verdict{State: explain.Announced},
		Services: []string{"shop/web"},
		Attributes: explain.Attributes{
			Communities: []string{"64512:1"}, LargeCommunities: []string{"64512:1:2"}, MED: ptr.To[uint32](7), Prepend: 2,
		},
	}}
	if diff := cmp.Diff(&explain.RouteList{Routes: want}, routes); diff != "" {
		t.Error(diff)
	}
	if _, err := explain.Routes(s.in, "n3"); err == nil {
		t.Error("a node that there isn't has routes")
	}
}

// TestRoutesThatGatesHoldBack: what the node doesn't announce yet is no announced route;
// a prefix is held back where it is for all of its Services.
func TestRoutesThatGatesHoldBack(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*site)
		want   explain.Verdict
	}{
		"nothing": {func(*site) {}, explain.Verdict{State: explain.Announced}},
		"the dataplane": {
			func(s *site) {
				s.reported.Status.HeldBack = &v1alpha1.HeldBack{Total: 1, Services: []string{"shop/web"}}
			},
			explain.Verdict{State: explain.NotAnnounced, Reason: "GateClosed"},
		},
		"the dataplane, of another Service": {
			func(s *site) {
				s.reported.Status.HeldBack = &v1alpha1.HeldBack{Total: 1, Services: []string{"shop/other"}}
			},
			explain.Verdict{State: explain.Announced},
		},
		"the dataplane, of one of two that share the address": {
			func(s *site) {
				s.share()
				s.reported.Status.HeldBack = &v1alpha1.HeldBack{Total: 1, Services: []string{"shop/web"}}
			},
			explain.Verdict{State: explain.Announced},
		},
		"the dataplane, of both that share the address": {
			func(s *site) {
				s.share()
				s.reported.Status.HeldBack = &v1alpha1.HeldBack{Total: 2, Services: []string{"shop/twin", "shop/web"}}
			},
			explain.Verdict{State: explain.NotAnnounced, Reason: "GateClosed"},
		},
		"the relay": {
			func(s *site) {
				s.preserve()
				s.reported.Status.Issues = []v1alpha1.NodeIssue{{Kind: "Node", Name: "n1", Reason: v1alpha1.ReasonRelayPending, Message: "wait"}}
			},
			explain.Verdict{State: explain.NotAnnounced, Reason: "RelayPending"},
		},
		"the relay, of what isn't preserved": {
			func(s *site) {
				s.reported.Status.Issues = []v1alpha1.NodeIssue{{Kind: "Node", Name: "n1", Reason: v1alpha1.ReasonRelayPending, Message: "wait"}}
			},
			explain.Verdict{State: explain.Announced},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			test.change(s)
			list, err := explain.Routes(s.in, "n1")
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Routes) != 1 || list.Routes[0].State != test.want.State || list.Routes[0].Reason != test.want.Reason || len(list.Unnamed) > 0 {
				t.Errorf("got %+v, want one route, %+v", list, test.want)
			}
		})
	}
}

// TestOverallWithoutNodesThatHeraldLeavesOut: the reason of the nodes that count is that of
// the Service.
func TestOverallWithoutNodesThatHeraldLeavesOut(t *testing.T) {
	s := newSite()
	s.leaveOut()
	delete(s.in.States.Nodes, "n1")
	s.in.Objects.Slices = nil
	s.in.Assume = offline.Assumptions{}
	e, err := explain.Service(s.in, "shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	if e.State != explain.NotAnnounced || e.Reason != "NoEndpoint" || e.Nodes[0].Reason != explain.ReasonNodeNotSelected {
		t.Errorf("%+v", e)
	}
}

// TestRoutesOfNodesThatHeraldLeavesOut: there are none, unless somebody asks for the node.
func TestRoutesOfNodesThatHeraldLeavesOut(t *testing.T) {
	s := newSite()
	s.leaveOut()
	delete(s.in.States.Nodes, "n1")
	for asked, want := range map[string]string{"": "n2 Announced", "n1": "n1 NotAnnounced NodeNotSelected"} {
		list, err := explain.Routes(s.in, asked)
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Routes) != 1 || strings.TrimSpace(fmt.Sprint(list.Routes[0].Node, " ", list.Routes[0].State, " ", list.Routes[0].Reason)) != want {
			t.Errorf("of %q: %+v, want one route, %s", asked, list.Routes, want)
		}
	}
}

// TestRoutesCountWhatNodesDoNotName: a node names 64 of the Services that it keeps or
// holds back.
func TestRoutesCountWhatNodesDoNotName(t *testing.T) {
	s := newSite()
	s.reported.Status.Drain = keeping65()
	s.reported.Status.HeldBack = &v1alpha1.HeldBack{Total: 70, Services: make([]string, 64)}
	list, err := explain.Routes(s.in, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]explain.Unnamed{{Node: "n1", Kept: 1, HeldBack: 6}}, list.Unnamed); diff != "" {
		t.Error(diff)
	}
	s.reported.Status.Drain.Stage = v1alpha1.DrainGracefulShutdown // everything is announced yet
	s.reported.Status.HeldBack = nil
	if list, err = explain.Routes(s.in, ""); err != nil || len(list.Unnamed) > 0 {
		t.Error(list.Unnamed, err)
	}
}
