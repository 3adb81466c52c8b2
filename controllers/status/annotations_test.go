package status

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// TestTwins: MetalLB's annotations are read where that is wanted, Herald's hold,
// and disagreement is told with both names.
func TestTwins(t *testing.T) {
	const new, old = "metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs"
	for name, c := range map[string]struct {
		annotations map[string]string
		off         bool
		want        string
	}{
		"only the newer one":       {annotations: map[string]string{new: "203.0.113.7"}, want: "[203.0.113.7]"},
		"only the older one":       {annotations: map[string]string{old: "203.0.113.7"}, want: "[203.0.113.7]"},
		"not wanted":               {annotations: map[string]string{new: "203.0.113.7"}, off: true, want: "[]"},
		"all agree, other spelled": {annotations: map[string]string{v1alpha1.AnnotationIPs: "203.0.113.7,2001:db8::7", new: "2001:DB8::7 , 203.0.113.7", old: ""}, want: "[203.0.113.7 2001:db8::7]"},
		"Herald's and another": {annotations: map[string]string{v1alpha1.AnnotationIPs: "203.0.113.7", old: "203.0.113.8"},
			want: `annotation herald-lb.io/ips says "203.0.113.7", metallb.universe.tf/loadBalancerIPs says "203.0.113.8": remove one of them or let them agree`},
		"newer and older": {annotations: map[string]string{new: "203.0.113.7", old: "203.0.113.8"},
			want: `annotation metallb.io/loadBalancerIPs says "203.0.113.7", metallb.universe.tf/loadBalancerIPs says "203.0.113.8": remove one of them or let them agree`},
		"sharing keys": {annotations: map[string]string{v1alpha1.AnnotationSharingKey: "a", "metallb.io/allow-shared-ip": "b"},
			want: `annotation herald-lb.io/sharing-key says "a", metallb.io/allow-shared-ip says "b": remove one of them or let them agree`},
		"malformed, named as it is written": {annotations: map[string]string{old: "many"},
			want: `annotation metallb.universe.tf/loadBalancerIPs: "many" is not an address: write one such as 203.0.113.7 or 2001:db8::7, several separated by commas`},
		"disagreement that nobody reads": {annotations: map[string]string{v1alpha1.AnnotationIPs: "203.0.113.7", old: "203.0.113.8"}, off: true, want: "[203.0.113.7]"},
	} {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Annotations: c.annotations},
			Spec:       corev1.ServiceSpec{IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}},
		}
		request := Annotations{MetalLB: !c.off}.DemandOf(service, nil).Request
		got := request.Problem
		if got == "" {
			got = "["
			for i, address := range request.Addresses {
				if i > 0 {
					got += " "
				}
				got += address.String()
			}
			got += "]"
		}
		if got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
	}
	shared := Annotations{MetalLB: true}.DemandOf(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
		"metallb.universe.tf/allow-shared-ip": "k", "metallb.io/address-pool": "p",
	}}}, nil)
	if shared.Sharing.Key != "k" || shared.Request.Pool != "p" || shared.Request.PoolFrom != "metallb.io/address-pool" {
		t.Errorf("%+v %+v", shared.Sharing, shared.Request)
	}
}
