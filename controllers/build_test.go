package controllers_test

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
)

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

// newService of type LoadBalancer; families as in "4", "6", "46", "64".
func newService(name, families string, change ...func(*corev1.Service)) *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{
			Type:  corev1.ServiceTypeLoadBalancer,
			Ports: []corev1.ServicePort{{Port: 80}},
		},
	}
	for _, f := range families {
		family := corev1.IPv4Protocol
		if f == '6' {
			family = corev1.IPv6Protocol
		}
		service.Spec.IPFamilies = append(service.Spec.IPFamilies, family)
	}
	if len(families) == 2 {
		policy := corev1.IPFamilyPolicyRequireDualStack
		service.Spec.IPFamilyPolicy = &policy
	}
	for _, c := range change {
		c(service)
	}
	return service
}

func preferDualStack(service *corev1.Service) {
	policy := corev1.IPFamilyPolicyPreferDualStack
	service.Spec.IPFamilyPolicy = &policy
}

func class(name string) func(*corev1.Service) {
	return func(service *corev1.Service) { service.Spec.LoadBalancerClass = &name }
}

func local(service *corev1.Service) {
	service.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
}

func newPool(name string, blocks ...v1alpha1.AddressBlock) *v1alpha1.IPAddressPool {
	return &v1alpha1.IPAddressPool{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.IPAddressPoolSpec{Addresses: blocks},
	}
}

func create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(k8s.Create(ctx, object)).To(Succeed())
	}
}

func deleteService(name string) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, newService(name, ""))).To(Succeed())
}

// change reads an object live, changes and writes it, until nobody interferes.
func change[T client.Object](object T, how func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		how(object)
		return k8s.Update(ctx, object)
	}).Should(Succeed())
}

func changeStatus[T client.Object](object T, how func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		how(object)
		return k8s.Status().Update(ctx, object)
	}).Should(Succeed())
}

func getService(name string) *corev1.Service {
	service := &corev1.Service{}
	if err := k8s.Get(ctx, key(name), service); err != nil {
		return nil
	}
	return service
}

// addresses in a Service's status, as text: "203.0.113.4 2001:db8::4".
func addresses(name string) func() string {
	return func() string {
		service := getService(name)
		if service == nil {
			return "no such Service"
		}
		return ingressOf(service)
	}
}

func ingressOf(service *corev1.Service) string {
	var all []string
	for _, entry := range service.Status.LoadBalancer.Ingress {
		all = append(all, entry.IP+entry.Hostname)
	}
	return strings.Join(all, " ")
}

// allocated is the condition herald-lb.io/Allocated as "True Allocated", "" if
// there is none.
func allocated(name string) func() string { return serviceCondition(name, v1alpha1.ConditionAllocated) }
func announced(name string) func() string { return serviceCondition(name, v1alpha1.ConditionAnnounced) }

func serviceCondition(name, kind string) func() string {
	return func() string {
		service := getService(name)
		if service == nil {
			return "no such Service"
		}
		return brief(service.Status.Conditions, kind)
	}
}

// brief is "status reason" of a condition.
func brief(conditions []metav1.Condition, kind string) string {
	condition := meta.FindStatusCondition(conditions, kind)
	if condition == nil {
		return ""
	}
	return string(condition.Status) + " " + condition.Reason
}

func message(conditions []metav1.Condition, kind string) string {
	condition := meta.FindStatusCondition(conditions, kind)
	if condition == nil {
		return ""
	}
	return condition.Message
}

// eventsOf a Service that exists, by Herald, as "Warning PoolExhausted", each as often as it was sent,
// sorted.
func eventsOf(name string) func() []string {
	return func() []string {
		all := []string{}
		for _, event := range listEvents(newService(name, "")) {
			all = append(all, event.Type+" "+event.Reason)
		}
		slices.Sort(all)
		return all
	}
}

// notesOf the events of a Service with a reason.
func notesOf(name, reason string) func() []string {
	return func() []string {
		var all []string
		for _, event := range listEvents(newService(name, "")) {
			if event.Reason == reason {
				all = append(all, event.Note)
			}
		}
		return all
	}
}

// eventCounts of an object counts its events, repetitions included, by type and reason.
func eventCounts(object client.Object) func() map[string]int {
	return func() map[string]int {
		told := map[string]int{}
		for _, event := range listEvents(object) {
			told[event.Type+" "+event.Reason]++
			if event.Series != nil {
				told[event.Type+" "+event.Reason] += int(event.Series.Count) - 1
			}
		}
		return told
	}
}

// listEvents by Herald about an object that exists, not about an earlier one of its name:
// recorders send when they come to it. One that can't be read has not just no events.
func listEvents(object client.Object) []eventsv1.Event {
	GinkgoHelper()
	list := &eventsv1.EventList{}
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	Expect(k8s.List(ctx, list, client.InNamespace("default"))).To(Succeed())
	return slices.DeleteFunc(list.Items, func(e eventsv1.Event) bool {
		return e.Regarding.UID != object.GetUID() || e.ReportingController != "herald-lb.io/manager"
	})
}
