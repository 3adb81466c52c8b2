package status

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/allocator"
	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// DemandOf is what a Service in a namespace with these labels asks of the
// allocator by Herald's annotations.
func DemandOf(service *corev1.Service, namespace map[string]string) allocator.Demand {
	return Annotations{}.DemandOf(service, namespace)
}

// DemandOf is what a Service in a namespace with these labels asks of the
// allocator.
func (a Annotations) DemandOf(service *corev1.Service, namespace map[string]string) allocator.Demand {
	ips, ipsProblem := a.read(service, v1alpha1.AnnotationIPs)
	pool, poolProblem := a.read(service, v1alpha1.AnnotationPool)
	key, keyProblem := a.read(service, v1alpha1.AnnotationSharingKey)
	demand := allocator.Demand{
		Service:  types.NamespacedName{Namespace: service.Namespace, Name: service.Name},
		Created:  service.CreationTimestamp.Time,
		Families: familiesOf(service),
		Asker:    pools.Asker{Namespace: service.Namespace, NamespaceLabels: namespace, Labels: service.Labels},
		Sharing:  sharingOf(service, key.value),
		Version:  VersionOf(service),
	}
	demand.Request = allocator.ReadRequest(allocator.Asked{
		IPs: ips.value, IPsFrom: ips.name, Pool: pool.value, PoolFrom: pool.name, LoadBalancerIP: service.Spec.LoadBalancerIP,
	}, demand.Families)
	if problem := cmp.Or(ipsProblem, poolProblem, keyProblem); problem != "" {
		demand.Request = allocator.Request{Problem: problem}
	}
	if policy := service.Spec.IPFamilyPolicy; policy != nil {
		demand.AnyFamily = *policy == corev1.IPFamilyPolicyPreferDualStack
	}
	for i := range service.Status.LoadBalancer.Ingress {
		addr, err := netip.ParseAddr(service.Status.LoadBalancer.Ingress[i].IP)
		if err != nil {
			demand.OtherIngress = true
			continue
		}
		demand.Current = append(demand.Current, addr.Unmap())
	}
	if condition := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionAllocated); condition != nil {
		demand.Known = true
		demand.Owned = condition.Status == metav1.ConditionTrue || condition.Reason == v1alpha1.ReasonAddressKept
		demand.HeldSince = heldSince(demand, condition.LastTransitionTime)
	}
	return demand
}

func heldSince(demand allocator.Demand, since metav1.Time) time.Time {
	if !demand.Owned {
		return time.Time{}
	}
	return since.Time
}

// VersionOf orders what is seen of one Service. Kubernetes lets resourceVersions
// be compared as numbers; 0 where this one isn't a number.
func VersionOf(service *corev1.Service) uint64 {
	version, err := strconv.ParseUint(service.ResourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return version
}

// sharingOf is whom a Service would share an address with.
func sharingOf(service *corev1.Service, key string) allocator.Sharing {
	if key == "" {
		return allocator.Sharing{}
	}
	sharing := allocator.Sharing{Key: key}
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		sharing.Ports = append(sharing.Ports, allocator.Port(string(cmp.Or(port.Protocol, corev1.ProtocolTCP)), port.Port))
	}
	slices.Sort(sharing.Ports)
	if service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		sharing.Local, sharing.Selector = true, labels.Set(service.Spec.Selector).String()
	}
	return sharing
}

// familiesOf are spec.ipFamilies, which the API server fills in. A Service
// without any (of an older object) gets IPv4.
func familiesOf(service *corev1.Service) []frrtemplates.Family {
	var families []frrtemplates.Family
	for _, family := range service.Spec.IPFamilies {
		switch family {
		case corev1.IPv4Protocol:
			families = append(families, frrtemplates.IPv4)
		case corev1.IPv6Protocol:
			families = append(families, frrtemplates.IPv6)
		default: // a family that Kubernetes itself doesn't know
		}
	}
	if len(families) == 0 {
		families = []frrtemplates.Family{frrtemplates.IPv4}
	}
	return families
}

// ApplyDecision writes a decision into a Service's status and says whether that
// changed anything.
func ApplyDecision(service *corev1.Service, decision allocator.Decision) bool {
	if decision.Outcome == allocator.Untouched {
		return false
	}
	changed := false
	if decision.Outcome != allocator.Foreign {
		changed = setIngress(service, decision.Addresses)
	}
	condition := metav1.Condition{
		Type: v1alpha1.ConditionAllocated, Status: metav1.ConditionFalse,
		Reason: decision.Reason, Message: shorten(decision.Message, maxMessage), ObservedGeneration: service.Generation,
	}
	if decision.Outcome == allocator.Allocated {
		condition.Status = metav1.ConditionTrue
	}
	if changed {
		// The time of the condition says since when the Service has what it has.
		meta.RemoveStatusCondition(&service.Status.Conditions, condition.Type)
	}
	return meta.SetStatusCondition(&service.Status.Conditions, condition) || changed
}

// setIngress leaves entries whose address stays as they are: their order and
// what others have written beside the address.
func setIngress(service *corev1.Service, addresses []netip.Addr) bool {
	old := service.Status.LoadBalancer.Ingress
	if sameAddresses(old, addresses) {
		return false
	}
	var ingress []corev1.LoadBalancerIngress
	for _, addr := range addresses {
		entry := corev1.LoadBalancerIngress{IP: addr.String()}
		at := slices.IndexFunc(old, func(e corev1.LoadBalancerIngress) bool { return e.IP == entry.IP && e.Hostname == "" })
		if at >= 0 {
			entry = old[at]
		}
		ingress = append(ingress, entry)
	}
	service.Status.LoadBalancer.Ingress = ingress
	return true
}

func sameAddresses(ingress []corev1.LoadBalancerIngress, addresses []netip.Addr) bool {
	if len(ingress) != len(addresses) {
		return false
	}
	for i := range ingress {
		addr, err := netip.ParseAddr(ingress[i].IP)
		if err != nil || ingress[i].Hostname != "" || !slices.Contains(addresses, addr) {
			return false
		}
	}
	return true
}

// ClearService takes Herald's marks off a Service that is no longer its: its
// conditions, and the addresses if Herald had given them.
func ClearService(service *corev1.Service) bool {
	demand := DemandOf(service, nil)
	changed := false
	if demand.Owned && len(service.Status.LoadBalancer.Ingress) > 0 {
		service.Status.LoadBalancer.Ingress = nil
		changed = true
	}
	for _, kind := range []string{v1alpha1.ConditionAllocated, v1alpha1.ConditionAnnounced} {
		changed = meta.RemoveStatusCondition(&service.Status.Conditions, kind) || changed
	}
	return changed
}

// HasMarks says whether a Service has conditions of Herald.
func HasMarks(service *corev1.Service) bool {
	return meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionAllocated) != nil ||
		meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionAnnounced) != nil
}

// Transition is an event worth telling.
type Transition struct {
	Warning         bool
	Reason, Message string
}

// TransitionOf says which event a change of a Service's status is worth; false:
// none.
func TransitionOf(before, after *corev1.Service) (Transition, bool) {
	old := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionAllocated)
	now := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionAllocated)
	was, is := ingressText(before), ingressText(after)
	switch {
	case now == nil && old == nil:
		return Transition{}, false
	case now == nil:
		return Transition{Reason: v1alpha1.ReasonReleased, Message: "no longer Herald's Service; released " + orNothing(was)}, true
	case old != nil && old.Status == metav1.ConditionTrue && was != "" && was != is:
		return Transition{Warning: true, Reason: v1alpha1.ReasonAddressReplaced, Message: was + " is replaced by " + orNothing(is) + ": " + now.Message}, true
	case old == nil || old.Status != now.Status || old.Reason != now.Reason:
		return Transition{Warning: now.Status != metav1.ConditionTrue, Reason: now.Reason, Message: now.Message}, true
	default:
		return Transition{}, false
	}
}

func ingressText(service *corev1.Service) string {
	text := ""
	for i := range service.Status.LoadBalancer.Ingress {
		if i > 0 {
			text += ", "
		}
		text += service.Status.LoadBalancer.Ingress[i].IP + service.Status.LoadBalancer.Ingress[i].Hostname
	}
	return text
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}
