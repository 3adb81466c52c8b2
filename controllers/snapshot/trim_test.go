package snapshot

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

var webKey = types.NamespacedName{Namespace: "shop", Name: "web"}

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

func webService(edit func(*corev1.Service), ingress ...string) *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: webKey.Namespace, Name: webKey.Name},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer},
	}
	for _, ip := range ingress {
		service.Status.LoadBalancer.Ingress = append(service.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: ip})
	}
	if edit != nil {
		edit(service)
	}
	return service
}

func TestTrimService(t *testing.T) {
	class := func(name string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Spec.LoadBalancerClass = ptr.To(name) }
	}
	local := func(s *corev1.Service) {
		s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		s.Spec.HealthCheckNodePort = 31000
	}
	tests := map[string]struct {
		in   *corev1.Service
		want *Service
	}{
		"classless":              {webService(nil, "203.0.113.7"), &Service{Key: webKey, Addresses: addrs("203.0.113.7")}},
		"of a class":             {webService(class("example.com/lb"), "203.0.113.7"), &Service{Key: webKey, Class: ptr.To("example.com/lb"), Addresses: addrs("203.0.113.7")}},
		"ClusterIP":              {webService(func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP }, "203.0.113.7"), nil},
		"no address yet":         {webService(nil), nil},
		"only a hostname":        {webService(nil, ""), nil},
		"garbage beside":         {webService(nil, "nonsense", "203.0.113.7", "fe80::1%eth0"), &Service{Key: webKey, Addresses: addrs("203.0.113.7")}},
		"twice the same":         {webService(nil, "203.0.113.7", "::ffff:203.0.113.7"), &Service{Key: webKey, Addresses: addrs("203.0.113.7")}},
		"dual stack keeps order": {webService(nil, "2001:db8::7", "203.0.113.7"), &Service{Key: webKey, Addresses: addrs("2001:db8::7", "203.0.113.7")}},
		"another proxy's": {
			webService(func(s *corev1.Service) { s.Labels = map[string]string{labelOtherProxy: "mesh"} }, "203.0.113.7"),
			&Service{Key: webKey, Labels: map[string]string{labelOtherProxy: "mesh"}, Addresses: addrs("203.0.113.7"), OtherProxy: true},
		},
		"Local": {webService(local, "203.0.113.7"), &Service{Key: webKey, Addresses: addrs("203.0.113.7"), Local: true, HealthCheckNodePort: 31000}},
		"labels": {webService(func(s *corev1.Service) { s.Labels = map[string]string{"tier": "gold"} }, "203.0.113.7"),
			&Service{Key: webKey, Labels: map[string]string{"tier": "gold"}, Addresses: addrs("203.0.113.7")}},
		"Cluster has no health check": {webService(func(s *corev1.Service) { s.Spec.HealthCheckNodePort = 31000 }, "203.0.113.7"),
			&Service{Key: webKey, Addresses: addrs("203.0.113.7")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := TrimService(test.in); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestIsUsable(t *testing.T) {
	yes, no := new(bool), new(bool)
	*yes = true
	tests := []struct {
		ready, serving, terminating *bool
		want                        bool
	}{
		{nil, nil, nil, true},
		{yes, nil, nil, true},
		{yes, yes, no, true},
		{no, nil, nil, false},
		{no, yes, no, false}, // not yet ready, whatever it serves
		{no, yes, yes, true}, // last breath of a pod
		{no, no, yes, false},
		{no, nil, yes, false},
		{no, yes, nil, false},
	}
	for _, test := range tests {
		endpoint := discoveryv1.Endpoint{
			Addresses:  []string{"10.0.0.1"},
			Conditions: discoveryv1.EndpointConditions{Ready: test.ready, Serving: test.serving, Terminating: test.terminating},
		}
		if got := IsUsable(&endpoint); got != test.want {
			t.Errorf("ready %v serving %v terminating %v: %v, want %v", show(test.ready), show(test.serving), show(test.terminating), got, test.want)
		}
	}
	if IsUsable(&discoveryv1.Endpoint{}) {
		t.Error("an endpoint without addresses is usable")
	}
}

func show(b *bool) string {
	if b == nil {
		return "unset"
	}
	return fmt.Sprint(*b)
}

func readyOn(nodes ...string) []discoveryv1.Endpoint {
	var out []discoveryv1.Endpoint
	for i, node := range nodes {
		out = append(out, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.0.0.%d", i+1)}, NodeName: &node})
	}
	return out
}

func webSlice(name string, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: webKey.Namespace, Name: name,
			Labels: map[string]string{discoveryv1.LabelServiceName: webKey.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   endpoints,
	}
}

func TestTrimSlice(t *testing.T) {
	slice := webSlice("web-1", readyOn("node-b", "node-a", "node-b", "")...)
	slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{"10.0.0.9"}})

	key, all := TrimSlice(slice, AllNodes)
	if want := (&Slice{Family: frrtemplates.IPv4, Usable: true, Nodes: []string{"node-a", "node-b"}, Ready: []int{1, 2}}); key != webKey || !reflect.DeepEqual(all, want) {
		t.Errorf("all nodes: %v %+v, want %v %+v", key, all, webKey, want)
	}
	if _, own := TrimSlice(slice, "node-b"); !reflect.DeepEqual(own.Nodes, []string{"node-b"}) {
		t.Errorf("own node: %v", own.Nodes)
	}
	if _, other := TrimSlice(slice, "node-z"); !other.Usable || len(other.Nodes) != 0 {
		t.Errorf("a node without endpoints: %+v", other)
	}
	if _, empty := TrimSlice(webSlice("web-2"), AllNodes); empty == nil || empty.Usable {
		t.Errorf("no endpoints: %+v", empty)
	}

	slice.AddressType = discoveryv1.AddressTypeFQDN
	if _, got := TrimSlice(slice, AllNodes); got != nil {
		t.Errorf("a slice of names: %+v", got)
	}
	orphan := webSlice("web-3")
	orphan.Labels = nil
	if _, got := TrimSlice(orphan, AllNodes); got != nil {
		t.Errorf("a slice of no Service: %+v", got)
	}
}

func TestTrimNode(t *testing.T) {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "node-a", Labels: map[string]string{"rack": "1"}},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: "node-a"},
			{Type: corev1.NodeInternalIP, Address: "10.0.0.1"},
			{Type: corev1.NodeExternalIP, Address: "198.51.100.1"},
			{Type: corev1.NodeInternalIP, Address: "2001:db8::1"},
			{Type: corev1.NodeInternalIP, Address: "nonsense"},
		}},
	}
	want := &Node{Name: "node-a", Labels: map[string]string{"rack": "1"}, Addresses: addrs("10.0.0.1", "2001:db8::1")}
	if got := TrimNode(node); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	node.Labels[corev1.LabelNodeExcludeBalancers] = "false"
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeNetworkUnavailable, Status: corev1.ConditionUnknown}}
	if got := TrimNode(node); !got.Excluded || got.NetworkUnavailable {
		t.Errorf("excluded, network unknown: %+v", got)
	}
	node.Status.Conditions[0].Status = corev1.ConditionTrue
	if got := TrimNode(node); !got.NetworkUnavailable {
		t.Errorf("without network: %+v", got)
	}
}

func TestTrimSecretNeverPrintsThePassword(t *testing.T) {
	got := TrimSecret(&corev1.Secret{Type: corev1.SecretTypeBasicAuth, Data: map[string][]byte{"password": []byte("hunter2")}})
	if !got.HasPassword || got.Password.Reveal() != "hunter2" || got.Type != "kubernetes.io/basic-auth" {
		t.Errorf("got %+v", got)
	}
	if text := fmt.Sprintf("%v %+v %#v", got, *got, *got); strings.Contains(text, "hunter2") {
		t.Errorf("printed: %s", text)
	}
	if none := TrimSecret(&corev1.Secret{}); none.HasPassword || !none.Password.IsZero() {
		t.Errorf("without the key: %+v", none)
	}
}
