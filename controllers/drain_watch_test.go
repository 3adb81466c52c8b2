package controllers

import (
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// Of a node's endpoints one is kept, a ready one where there is one, in whatever order
// they stand.
func TestOtherSliceKeepsReadyEndpoints(t *testing.T) {
	endpoint := func(node string, ready, terminating bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{
			Addresses: []string{"10.244.0.1"}, NodeName: &node,
			Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: ptr.To(true), Terminating: &terminating},
		}
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{
			endpoint("a", false, true), endpoint("a", true, false), endpoint("a", true, false),
			endpoint("b", true, false), endpoint("b", false, true),
			endpoint("c", false, true), endpoint("c", false, true),
			endpoint("d", false, false),
		},
	}
	trimmed, err := otherSlice(slice)
	if err != nil {
		t.Fatal(err)
	}
	if kept := trimmed.(*discoveryv1.EndpointSlice).Endpoints; len(kept) != 3 {
		t.Errorf("%+v", kept)
	}
	_, seen := snapshot.TrimSlice(trimmed.(*discoveryv1.EndpointSlice), snapshot.AllNodes)
	if len(seen.Nodes) != 3 || seen.ReadyOn("a") != 1 || seen.ReadyOn("b") != 1 || seen.ReadyOn("c") != 0 {
		t.Errorf("%+v", seen)
	}
	if pod, err := otherSlice(&corev1.Pod{}); err != nil || pod == nil {
		t.Error(pod, err)
	}
}

// What another node lacks to take over is told, and by which peers it has its sessions.
func TestOthersSeen(t *testing.T) {
	o := newOthersSeen("node-a")
	session := func(node, peer string, state v1alpha1.SessionState) *v1alpha1.BGPSession {
		return &v1alpha1.BGPSession{
			ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SessionName(node, peer)},
			Spec:       v1alpha1.BGPSessionSpec{Node: node, Peer: peer}, Status: v1alpha1.BGPSessionStatus{State: state},
		}
	}
	report := func(programmed metav1.ConditionStatus) *v1alpha1.BGPNode {
		return &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "node-b"}, Status: v1alpha1.BGPNodeStatus{Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}, {Type: v1alpha1.ConditionProgrammed, Status: programmed},
		}}}
	}
	expect := func(what string, lacks snapshot.Lack, peers ...string) {
		t.Helper()
		others := o.others()
		if len(others.Nodes) != 1 || others.Nodes[0].Lacks != lacks {
			t.Fatalf("%s: %+v", what, others.Nodes)
		}
		if !slices.Equal(slices.Sorted(maps.Keys(others.Nodes[0].Sessions)), peers) {
			t.Errorf("%s: sessions %v, want %v", what, others.Nodes[0].Sessions, peers)
		}
	}
	for _, name := range []string{"node-a", "node-b"} {
		o.set(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		}})
	}
	expect("no BGPNode", snapshot.LackReport)
	o.set(report(metav1.ConditionTrue))
	o.set(session("node-a", "tor-a", v1alpha1.SessionEstablished))
	expect("no session", snapshot.LackNothing)
	o.set(session("node-b", "tor-b", v1alpha1.SessionEstablished))
	o.set(session("node-b", "red", v1alpha1.SessionEstablished))
	before := o.others()
	expect("two sessions", snapshot.LackNothing, "red", "tor-b")
	o.set(session("node-b", "red", v1alpha1.SessionActive))
	expect("one is down", snapshot.LackNothing, "tor-b")
	if len(before.Nodes[0].Sessions) != 2 {
		t.Error("what was told before has changed")
	}
	o.set(report(metav1.ConditionFalse))
	expect("FRR doesn't run what it should", snapshot.LackProgrammed, "tor-b")
	held := report(metav1.ConditionTrue)
	held.Status.HeldBack = &v1alpha1.HeldBack{Total: 1}
	o.set(held)
	expect("its dataplane isn't ready", snapshot.LackDataplane, "tor-b")
	o.set(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "node-b"}})
	expect("FRR doesn't answer", snapshot.LackReady, "tor-b")
	o.set(report(metav1.ConditionTrue))
	o.remove(session("node-b", "tor-b", v1alpha1.SessionEstablished))
	expect("the last is gone", snapshot.LackNothing)
	o.set(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-b"}})
	expect("its Node isn't Ready", snapshot.LackNode)
}
