package status

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/allocator"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

func serviceWith(ingress ...corev1.LoadBalancerIngress) *corev1.Service {
	return &corev1.Service{Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: ingress}}}
}

func decided(addresses ...string) allocator.Decision {
	d := allocator.Decision{Outcome: allocator.Allocated, Reason: v1alpha1.ReasonAllocated, Message: "has it"}
	for _, a := range addresses {
		d.Addresses = append(d.Addresses, netip.MustParseAddr(a))
	}
	return d
}

// What others write beside an address stays while the address stays.
func TestApplyDecisionKeepsEntriesOfAddressesThatStay(t *testing.T) {
	vip := corev1.LoadBalancerIPModeVIP
	six := corev1.LoadBalancerIngress{IP: "2001:db8::1", IPMode: &vip}
	four := corev1.LoadBalancerIngress{IP: "203.0.113.1"}
	service := serviceWith(six, four)
	if !ApplyDecision(service, decided("203.0.113.1", "2001:db8::1")) || !reflect.DeepEqual(service.Status.LoadBalancer.Ingress, []corev1.LoadBalancerIngress{six, four}) {
		t.Errorf("another order is no change: %v", service.Status.LoadBalancer.Ingress)
	}
	if ApplyDecision(service, decided("203.0.113.1", "2001:db8::1")) {
		t.Error("the same decision again is a change")
	}
	ApplyDecision(service, decided("203.0.113.9", "2001:db8::1"))
	if want := []corev1.LoadBalancerIngress{{IP: "203.0.113.9"}, six}; !reflect.DeepEqual(service.Status.LoadBalancer.Ingress, want) {
		t.Errorf("ingress %v, want %v", service.Status.LoadBalancer.Ingress, want)
	}
}

func TestApplyDecisionLeavesWhatIsNotHeralds(t *testing.T) {
	foreign := corev1.LoadBalancerIngress{Hostname: "elsewhere.example"}
	service := serviceWith(foreign)
	if ApplyDecision(service, allocator.Decision{}) || len(service.Status.Conditions) > 0 {
		t.Error("an untouched Service was changed")
	}
	ApplyDecision(service, allocator.Decision{Outcome: allocator.Foreign, Reason: v1alpha1.ReasonForeignAddress})
	if !reflect.DeepEqual(service.Status.LoadBalancer.Ingress, []corev1.LoadBalancerIngress{foreign}) {
		t.Errorf("ingress %v", service.Status.LoadBalancer.Ingress)
	}
}

func TestDemandOf(t *testing.T) {
	prefer, since := corev1.IPFamilyPolicyPreferDualStack, metav1.NewTime(time.Unix(1_700_000_000, 0))
	service := serviceWith(corev1.LoadBalancerIngress{IP: "203.0.113.1"}, corev1.LoadBalancerIngress{Hostname: "x"})
	service.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}
	service.Spec.IPFamilyPolicy = &prefer
	service.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionAllocated, Status: metav1.ConditionTrue, LastTransitionTime: since,
	}}
	want := allocator.Demand{
		Families: []frrtemplates.Family{frrtemplates.IPv6, frrtemplates.IPv4}, AnyFamily: true,
		Current: []netip.Addr{netip.MustParseAddr("203.0.113.1")}, OtherIngress: true,
		Known: true, Owned: true, HeldSince: since.Time,
	}
	if got := DemandOf(service, nil); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	service.Status.Conditions[0].Status = metav1.ConditionFalse
	if got := DemandOf(service, nil); got.Owned || !got.HeldSince.IsZero() || !got.Known {
		t.Errorf("%+v: what Herald didn't give isn't Herald's", got)
	}
}
