package controllers_test

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// newNode with an address and labels as "role=edge".
func newNode(name string, labels map[string]string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func newPeer(name, address string) *v1alpha1.BGPPeer {
	return &v1alpha1.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513, PeerAddress: address},
	}
}

func newCommunity(name, alias string, value v1alpha1.CommunityValue) *v1alpha1.Community {
	return &v1alpha1.Community{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.CommunitySpec{Communities: []v1alpha1.CommunityAlias{{Name: alias, Value: value}}},
	}
}

func communityAccepted(name string) func() string {
	return func() string {
		community := &v1alpha1.Community{}
		_ = k8s.Get(ctx, client.ObjectKey{Name: name}, community)
		return brief(community.Status.Conditions, v1alpha1.ConditionAccepted)
	}
}

func newAdvertisement(name string) *v1alpha1.BGPAdvertisement {
	return &v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// reports makes a BGPNode as an agent writes it.
func reports(node string, programmed bool, issues ...v1alpha1.NodeIssue) {
	GinkgoHelper()
	object := &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: node}}
	Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, object))).To(Succeed())
	changeStatus(object, func(n *v1alpha1.BGPNode) {
		status, reason := metav1.ConditionTrue, v1alpha1.ReasonApplied
		if !programmed {
			status, reason = metav1.ConditionFalse, v1alpha1.ReasonApplyFailed
		}
		n.Status.Issues = issues
		meta.SetStatusCondition(&n.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionProgrammed, Status: status, Reason: reason})
	})
}

// session makes a BGPSession as an agent writes it.
func session(node, peer string, state v1alpha1.SessionState) {
	GinkgoHelper()
	object := &v1alpha1.BGPSession{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SessionName(node, peer)},
		Spec:       v1alpha1.BGPSessionSpec{Node: node, Peer: peer},
	}
	Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, object))).To(Succeed())
	changeStatus(object, func(s *v1alpha1.BGPSession) { s.Status.State = state })
}

// endpoints of a Service: one ready endpoint on each node.
func endpoints(service, family string, nodes ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: service + "-" + strings.ToLower(family),
			Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressType(family),
	}
	for i, node := range nodes {
		address, ready := fmt.Sprintf("10.0.0.%d", i+1), true
		if family == "IPv6" {
			address = fmt.Sprintf("fd00::%d", i+1)
		}
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{address}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	return slice
}

func getPeer(name string) *v1alpha1.BGPPeer {
	peer := &v1alpha1.BGPPeer{}
	_ = k8s.Get(ctx, client.ObjectKey{Name: name}, peer)
	return peer
}

// peerStatus as "Accepted; Established; established/selected".
func peerStatus(name string) func() string {
	return func() string {
		s := getPeer(name).Status
		return fmt.Sprintf("%s; %s; %d/%d", brief(s.Conditions, v1alpha1.ConditionAccepted),
			brief(s.Conditions, v1alpha1.ConditionEstablished), s.NodesEstablished, s.NodesSelected)
	}
}

func poolStatus(name string) func() v1alpha1.IPAddressPoolStatus {
	return func() v1alpha1.IPAddressPoolStatus {
		pool := &v1alpha1.IPAddressPool{}
		_ = k8s.Get(ctx, client.ObjectKey{Name: name}, pool)
		return pool.Status
	}
}

// counted are a pool's addresses of IPv4, nothing while its status says nothing.
func counted(name string) func() v1alpha1.AddressCount {
	return func() v1alpha1.AddressCount {
		if count := poolStatus(name)().IPv4; count != nil {
			return *count
		}
		return v1alpha1.AddressCount{}
	}
}

func poolAccepted(name string) func() string {
	return func() string { return brief(poolStatus(name)().Conditions, v1alpha1.ConditionAccepted) }
}

func advertisementAccepted(name string) func() string {
	return func() string {
		advertisement := &v1alpha1.BGPAdvertisement{}
		_ = k8s.Get(ctx, client.ObjectKey{Name: name}, advertisement)
		return brief(advertisement.Status.Conditions, v1alpha1.ConditionAccepted)
	}
}

var _ = Describe("IPAddressPool status", func() {
	It("M4 A14 counts per family, also of huge pools", func() {
		runManager()
		create(newPool("p", "203.0.113.0/30", "2001:db8::/32"), newService("a", "46"), newService("b", "4"))
		Eventually(func() []any {
			s := poolStatus("p")()
			return []any{s.IPv4, s.IPv6}
		}).Should(Equal([]any{
			&v1alpha1.AddressCount{Total: "4", Assigned: "2", Free: "2"},
			&v1alpha1.AddressCount{Total: "79228162514264337593543950336", Assigned: "1", Free: "79228162514264337593543950335"},
		}))
		deleteService("a")
		Eventually(func() any { return poolStatus("p")().IPv4 }).Should(Equal(&v1alpha1.AddressCount{Total: "4", Assigned: "1", Free: "3"}))
		condition := meta.FindStatusCondition(poolStatus("p")().Conditions, v1alpha1.ConditionAccepted)
		Expect(condition.ObservedGeneration).To(Equal(int64(1)))
	})

	It("V1 reversed and overlapping blocks are refused at once and heal, nothing else is disturbed", func() {
		runManager()
		older := newPool("z-older", "203.0.113.0/24")
		create(older)
		Eventually(poolAccepted("z-older")).Should(Equal("True Accepted"))
		// creationTimestamps have whole seconds: the younger must be seen to be.
		born := older.CreationTimestamp
		Eventually(func() bool { return time.Since(born.Time) > time.Second }).Should(BeTrue())
		create(newPool("a-younger", "203.0.113.128/25", "198.51.100.0/30"), newPool("reversed", "2001:db8::9-2001:db8::1"))
		Eventually(poolAccepted("a-younger")).Should(Equal("False Overlap"))
		Expect(message(poolStatus("a-younger")().Conditions, v1alpha1.ConditionAccepted)).To(ContainSubstring(`"z-older"`))
		Eventually(poolAccepted("reversed")).Should(Equal("False InvalidAddress"))
		Expect(message(poolStatus("reversed")().Conditions, v1alpha1.ConditionAccepted)).To(ContainSubstring("2001:db8::1-2001:db8::9"))
		create(newService("a", "4"))
		Eventually(addresses("a")).Should(Equal("198.51.100.0"))
		Expect(poolAccepted("z-older")()).To(Equal("True Accepted"))
		Expect(k8s.Delete(ctx, older)).To(Succeed())
		Eventually(poolAccepted("a-younger")).Should(Equal("True Accepted"))
	})
})

var _ = Describe("BGPPeer status", func() {
	BeforeEach(func() {
		create(newNode("n1", map[string]string{"rack": "a"}), newNode("n2", map[string]string{"rack": "b"}))
		runManager()
	})

	It("M1 follows the nodes' sessions", func() {
		create(newPeer("tor", "192.0.2.1"))
		Eventually(peerStatus("tor")).Should(Equal("True Accepted; False NoneEstablished; 0/2"))
		session("n1", "tor", v1alpha1.SessionActive)
		session("n2", "tor", v1alpha1.SessionEstablished)
		Eventually(peerStatus("tor")).Should(Equal("True Accepted; False SomeEstablished; 1/2"))
		Expect(message(getPeer("tor").Status.Conditions, v1alpha1.ConditionEstablished)).To(ContainSubstring("n1"))
		session("n1", "tor", v1alpha1.SessionEstablished)
		Eventually(peerStatus("tor")).Should(Equal("True Accepted; True AllEstablished; 2/2"))
		session("n1", "tor", v1alpha1.SessionIdle)
		Eventually(peerStatus("tor")).Should(Equal("True Accepted; False SomeEstablished; 1/2"))

		By("M7 events that tell each transition")
		Eventually(eventCounts(newPeer("tor", ""))).Should(Equal(map[string]int{"Warning SomeEstablished": 2, "Normal AllEstablished": 1}))
		session("n2", "tor", v1alpha1.SessionConnect)
		Eventually(eventCounts(newPeer("tor", ""))).Should(HaveKeyWithValue("Warning NoneEstablished", 1))
	})

	It("N1 counts the nodes that the selectors match, label edits included", func() {
		peer := newPeer("tor", "192.0.2.1")
		peer.Spec.NodeSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"rack": "c"}}}
		create(peer)
		Eventually(peerStatus("tor")).Should(Equal("True Accepted; False NoNodeSelected; 0/0"))
		raw := &unstructured.Unstructured{}
		raw.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("BGPPeer"))
		Expect(k8s.Get(ctx, client.ObjectKey{Name: "tor"}, raw)).To(Succeed())
		Expect(raw.Object["status"]).To(HaveKeyWithValue("nodesSelected", int64(0)), "kubectl shows nothing otherwise")
		change(newNode("n1", nil), func(n *corev1.Node) { n.Labels["rack"] = "c" })
		Eventually(peerStatus("tor")).Should(Equal("True Accepted; False NoneEstablished; 0/1"))
	})

	It("V3 shows what the nodes report of its Secret, and heals", func() {
		peer := newPeer("tor", "192.0.2.1")
		peer.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: "tor"}
		create(peer)
		missing := v1alpha1.NodeIssue{Kind: "BGPPeer", Name: "tor", Reason: v1alpha1.ReasonSecretNotFound, Message: `Secret "tor" does not exist`}
		reports("n1", true, missing)
		Eventually(peerStatus("tor")).Should(Equal("True PartiallyAccepted; False NoneEstablished; 0/2"))
		Expect(message(getPeer("tor").Status.Conditions, v1alpha1.ConditionAccepted)).To(Equal(`refused on n1: Secret "tor" does not exist`))
		reports("n2", true, missing)
		Eventually(peerStatus("tor")).Should(Equal("False SecretNotFound; False NotAccepted; 0/2"))
		reports("n1", true)
		reports("n2", true)
		Eventually(peerStatus("tor")).Should(Equal("True Accepted; False NoneEstablished; 0/2"))
	})

	It("V4 the younger of two with one address is refused where they meet", func() {
		older, younger := newPeer("z-older", "192.0.2.1"), newPeer("a-younger", "192.0.2.1")
		older.Spec.NodeSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"rack": "a"}}}
		create(older)
		born := older.CreationTimestamp
		Eventually(func() bool { return time.Since(born.Time) > time.Second }).Should(BeTrue())
		create(younger)
		Eventually(peerStatus("a-younger")).Should(Equal("True PartiallyAccepted; False NoneEstablished; 0/1"))
		Eventually(peerStatus("z-older")).Should(Equal("True Accepted; False NoneEstablished; 0/1"))
		Expect(message(getPeer("a-younger").Status.Conditions, v1alpha1.ConditionAccepted)).To(And(ContainSubstring("z-older"), ContainSubstring("n1")))
		change(younger, func(p *v1alpha1.BGPPeer) { p.Spec.PeerAddress = "192.0.2.2" })
		Eventually(peerStatus("a-younger")).Should(Equal("True Accepted; False NoneEstablished; 0/2"))
	})

	It("V9 a malformed selector is told on the peer", func() {
		peer := newPeer("tor", "192.0.2.1")
		peer.Spec.NodeSelectors = []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}
		create(peer)
		Eventually(peerStatus("tor")).Should(HavePrefix("False InvalidSelector; False NotAccepted"))
	})
})

var _ = Describe("BGPAdvertisement status", func() {
	It("V7 a younger one with another local-pref is Accepted, Overruled by the older, until that goes", func() {
		runManager()
		peer := newPeer("rr", "192.0.2.1")
		peer.Spec.PeerASN = peer.Spec.MyASN
		// Created in the same second: the name decides.
		older, younger := newAdvertisement("a"), newAdvertisement("b")
		older.Spec.LocalPref, younger.Spec.LocalPref = new(int64(300)), new(int64(200))
		create(newNode("n1", nil), newPool("p", "203.0.113.0/24"), peer, older)
		create(younger)
		Eventually(advertisementAccepted("b")).Should(Equal("True Overruled"))
		Eventually(advertisementAccepted("a")).Should(Equal("True Accepted"))
		Expect(k8s.Delete(ctx, older)).To(Succeed())
		Eventually(advertisementAccepted("b")).Should(Equal("True Accepted"))
	})

	It("V7 what a node alone can see, because Services bring the two together, is told too", func() {
		runManager()
		create(newNode("n1", nil), newPool("p", "203.0.113.0/24"), newPeer("tor", "192.0.2.1"), newAdvertisement("a"))
		reports("n1", true)
		Eventually(advertisementAccepted("a")).Should(Equal("True Accepted"))
		told := v1alpha1.NodeIssue{Kind: "BGPAdvertisement", Name: "a", Reason: v1alpha1.ReasonOverruled, Message: "spec.localPref yields"}
		reports("n1", true, told)
		Eventually(advertisementAccepted("a")).Should(Equal("True Overruled"))
		reports("n1", true)
		Eventually(advertisementAccepted("a")).Should(Equal("True Accepted"))
	})

	It("P2 local-pref to eBGP peers only is Accepted, and says that it has no effect", func() {
		runManager()
		advertisement := newAdvertisement("a")
		advertisement.Spec.LocalPref = new(int64(300))
		create(newNode("n1", nil), newPool("p", "203.0.113.0/24"), newPeer("tor", "192.0.2.1"), advertisement)
		Eventually(advertisementAccepted("a")).Should(Equal("True NoEffect"))
	})

	It("V6 an alias that no Community has is told, and heals when it comes", func() {
		runManager()
		advertisement := newAdvertisement("a")
		advertisement.Spec.Communities = []v1alpha1.CommunityValue{"gold"}
		create(advertisement)
		Eventually(advertisementAccepted("a")).Should(Equal("False UnknownCommunity"))
		names := newCommunity("names", "gold", "64512:100")
		create(names)
		Eventually(advertisementAccepted("a")).Should(Equal("True Accepted"))
		Eventually(communityAccepted("names")).Should(Equal("True Accepted"))

		create(newCommunity("same-names", "gold", "64512:200"))
		Eventually(communityAccepted("same-names")).Should(Equal("False DuplicateAlias"))
		Expect(k8s.Delete(ctx, names)).To(Succeed())
		Eventually(communityAccepted("same-names")).Should(Equal("True Accepted"))
		Expect(advertisementAccepted("a")()).To(Equal("True Accepted"))
	})

	It("V9 names that don't exist are told, and heal when they come", func() {
		runManager()
		advertisement := newAdvertisement("a")
		advertisement.Spec.IPAddressPools = []string{"p"}
		advertisement.Spec.Peers = []string{"tor"}
		create(advertisement)
		Eventually(advertisementAccepted("a")).Should(Equal("False PeerNotFound"))
		create(newPeer("tor", "192.0.2.1"))
		Eventually(advertisementAccepted("a")).Should(Equal("False PoolNotFound"))
		create(newPool("p", "203.0.113.0/24"))
		Eventually(advertisementAccepted("a")).Should(Equal("True Accepted"))
	})
})

var _ = Describe("What is gone", func() {
	It("R9 M1 BGPNodes and BGPSessions go with their Node and peer", func() {
		create(newNode("n1", nil), newNode("n2", nil), newPeer("p", "192.0.2.1"), newPeer("q", "192.0.2.2"))
		for _, node := range []string{"n1", "n2"} {
			reports(node, true)
			session(node, "p", v1alpha1.SessionEstablished)
			session(node, "q", v1alpha1.SessionEstablished)
		}
		reports("never-was", true)
		runManager()
		names := func() []string {
			var all []string
			nodes, sessions := &v1alpha1.BGPNodeList{}, &v1alpha1.BGPSessionList{}
			Expect(k8s.List(ctx, nodes)).To(Succeed())
			Expect(k8s.List(ctx, sessions)).To(Succeed())
			for _, n := range nodes.Items {
				all = append(all, n.Name)
			}
			for _, s := range sessions.Items {
				all = append(all, s.Spec.Node+"/"+s.Spec.Peer)
			}
			return all
		}
		Eventually(names).Should(ConsistOf("n1", "n2", "n1/p", "n1/q", "n2/p", "n2/q"))
		Expect(k8s.Delete(ctx, getPeer("q"))).To(Succeed())
		Eventually(names).Should(ConsistOf("n1", "n2", "n1/p", "n2/p"))
		Expect(k8s.Delete(ctx, newNode("n2", nil))).To(Succeed())
		Eventually(names).Should(ConsistOf("n1", "n1/p"))
		Consistently(names).Should(ConsistOf("n1", "n1/p"))
	})
})

// nodeOf is the node n1 without its "inclusion" or its "network".
func nodeOf(without string) *corev1.Node {
	node := newNode("n1", nil)
	switch without {
	case "inclusion":
		node.Labels = map[string]string{corev1.LabelNodeExcludeBalancers: ""}
	case "network":
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeNetworkUnavailable, Status: corev1.ConditionTrue}}
	}
	return node
}

var _ = Describe("The condition Announced", func() {
	It("D9 follows the labels of the Service and of its namespace", func() {
		runManager()
		advertisement := newAdvertisement("marked")
		advertisement.Spec.ServiceSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"public": "yes"}}}
		advertisement.Spec.NamespaceSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"env": "prod"}}}
		create(newNode("n1", nil), newPool("p", "203.0.113.0/31"), newPeer("tor", "192.0.2.1"), advertisement)
		reports("n1", true)
		session("n1", "tor", v1alpha1.SessionEstablished)
		public := func(s *corev1.Service) { s.Labels = map[string]string{"public": "yes"} }
		create(newService("a", "4", public), endpoints("a", "IPv4", "n1"))
		label := func(object client.Object, name, value string) {
			GinkgoHelper()
			change(object, func(o client.Object) {
				labels := o.GetLabels()
				if labels == nil {
					labels = map[string]string{}
				}
				labels[name] = value
				o.SetLabels(labels)
			})
		}
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		DeferCleanup(func() { label(namespace, "env", "") })

		// One Service's condition is rewritten at most every 30 s: each is moved once.
		Eventually(announced("a")).Should(Equal("False NoAdvertisement"))
		label(namespace, "env", "prod")
		Eventually(announced("a")).Should(Equal("True AllNodes"))
		create(newService("b", "4"), endpoints("b", "IPv4", "n1"))
		Eventually(announced("b")).Should(Equal("False NoAdvertisement"))
		label(newService("b", "4"), "public", "yes")
		Eventually(announced("b")).Should(Equal("True AllNodes"))
	})

	It("M3 follows what is missing, what the nodes report, and sessions", func() {
		create(newNode("n1", nil), newNode("n2", nil))
		for _, node := range []string{"n1", "n2"} {
			reports(node, true)
			session(node, "tor", v1alpha1.SessionEstablished)
		}
		create(newPeer("tor", "192.0.2.1"), newPool("p", "203.0.113.0/24"), newAdvertisement("all"))
		create(newService("a", "4"), endpoints("a", "IPv4", "n1"))
		runManager()
		Eventually(announced("a")).Should(Equal("True AllNodes"))
		By("a session goes down")
		session("n2", "tor", v1alpha1.SessionActive)
		Eventually(announced("a")).Should(Equal("True SomeNodes"))
		By("all sessions go down: the third write in 30 s waits")
		session("n1", "tor", v1alpha1.SessionActive)
		Consistently(announced("a")).Should(Equal("True SomeNodes"))
		Eventually(announced("a")).Should(Equal("False NoNode"))
		Eventually(eventsOf("a")).Should(ConsistOf("Normal Allocated", "Warning NoNode"))
	})

	DescribeTable("says what is missing",
		func(want string, without string, change ...func(*corev1.Service)) {
			objects := map[string]client.Object{
				"node": nodeOf(without), "peer": newPeer("tor", "192.0.2.1"), "pool": newPool("p", "203.0.113.0/24", "2001:db8::/64"),
				"advertisement": newAdvertisement("all"), "endpoint": endpoints("a", "IPv4", "n1"),
			}
			for kind, object := range objects {
				if kind != without {
					create(object)
				}
			}
			if without != "node" {
				reports("n1", without != "programmed")
				if without != "session" && without != "peer" {
					session("n1", "tor", v1alpha1.SessionEstablished)
				}
			}
			runManager()
			family := "4"
			if without == "family" {
				family = "6"
			}
			create(newService("a", family, change...))
			Eventually(announced("a")).Should(Equal(want))
		},
		Entry("nothing", "True AllNodes", ""),
		Entry("nothing, Local", "True AllNodes", "", local),
		Entry("a node that isn't excluded", "False NodesExcluded", "inclusion"),
		Entry("a node with network", "False NetworkUnavailable", "network"),
		Entry("an advertisement", "False NoAdvertisement", "advertisement"),
		Entry("a peer", "False NoPeer", "peer"),
		Entry("a peer of the family", "False NoPeer", "family"),
		Entry("an endpoint", "False NoEndpoint", "endpoint"),
		Entry("an endpoint, Local", "False NoEndpoint", "endpoint", local),
		Entry("a session", "False NoNode", "session"),
		Entry("a node", "False NoNode", "node"),
		Entry("that FRR takes it", "True SomeNodes", "programmed"),
	)

	It("NoAddress while the pool is exhausted; nothing at all without a pool", func() {
		create(newNode("n1", nil))
		runManager()
		create(newService("a", "4"))
		Consistently(announced("a")).Should(BeEmpty())
		create(newPool("p", "2001:db8::/64"))
		Eventually(announced("a")).Should(Equal("False NoAddress"))
	})

	It("L1 with Local only nodes with an endpoint count", func() {
		create(newNode("n1", nil), newNode("n2", nil), newPeer("tor", "192.0.2.1"), newPool("p", "203.0.113.0/24"), newAdvertisement("all"))
		reports("n1", true)
		session("n1", "tor", v1alpha1.SessionEstablished)
		create(newService("a", "4", local), endpoints("a", "IPv4", "n1"))
		runManager()
		Eventually(announced("a")).Should(Equal("True AllNodes"))
		change(endpoints("a", "IPv4"), func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].NodeName = ptr("n2") })
		Eventually(announced("a")).Should(Equal("False NoNode"))
	})

	It("M3 leaves the conditions of others alone", func() {
		create(newNode("n1", nil), newPool("p", "203.0.113.0/24"), newService("a", "4"))
		other := metav1.Condition{Type: "example.com/Other", Status: metav1.ConditionTrue, Reason: "Fine", LastTransitionTime: metav1.Now()}
		changeStatus(getService("a"), func(s *corev1.Service) { s.Status.Conditions = []metav1.Condition{other} })
		runManager()
		Eventually(announced("a")).Should(Equal("False NoAdvertisement"))
		Expect(serviceCondition("a", "example.com/Other")()).To(Equal("True Fine"))
		change(getService("a"), func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
		Eventually(allocated("a")).Should(BeEmpty())
		Eventually(announced("a")).Should(BeEmpty())
		Expect(serviceCondition("a", "example.com/Other")()).To(Equal("True Fine"))
	})
})

func ptr[T any](value T) *T { return &value }
