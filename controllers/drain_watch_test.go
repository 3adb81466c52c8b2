package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

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
