package model

import (
	"fmt"
	"math/rand"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Cluster is what the operations are done to.
type Cluster interface {
	State() State
	CreateService(*corev1.Service)
	UpdateService(*corev1.Service)
	DeleteService(name string)
	// WriteIngress is somebody else, or a former leader, who writes an address.
	WriteIngress(name, ip string)
	CreatePool(*v1alpha1.IPAddressPool)
	UpdatePool(*v1alpha1.IPAddressPool)
	DeletePool(name string)
	// Restart the manager, or have another one take over while the former one's
	// last writes are still under way.
	Restart()
	Failover()
}

// Generator draws operations.
type Generator struct {
	Random *rand.Rand
	// Most is how many Services there are at most.
	Most int
	born int
}

var blocks = []v1alpha1.AddressBlock{
	"203.0.113.0/30", "203.0.113.0/29", "203.0.113.4-203.0.113.6", "203.0.113.252-203.0.114.1", "198.51.100.0/31", "198.51.100.1/32",
	"2001:db8::/127", "2001:db8::/126", "2001:db8::3/128", "2001:db8:1::/126",
}

var askable = []string{
	"203.0.113.0", "203.0.113.2", "203.0.113.5", "203.0.113.255", "198.51.100.1", "192.0.2.1", "junk", "203.0.113.1,203.0.113.2",
	"2001:db8::1", "2001:db8::3", "203.0.113.3,2001:db8::2", "2001:db8:9::1",
}

var poolNames = []string{"a", "b", "c", "d"}

func pick[T any](r *rand.Rand, all []T) T { return all[r.Intn(len(all))] }

// Step does one operation and says which Services are excused from keeping their
// address.
func (g *Generator) Step(c Cluster) (what string, excused []string) {
	state := c.State()
	n := g.Random.Intn(100)
	if len(state.Services) == 0 || n < 30 && len(state.Services) < g.Most {
		service := g.newService()
		c.CreateService(service)
		return "create " + service.Name, nil
	}
	service := pick(g.Random, state.Services).DeepCopy()
	switch {
	case n < 45:
		c.DeleteService(service.Name)
		return "delete " + service.Name, nil
	case n < 68:
		g.change(service)
		c.UpdateService(service)
		return "change " + service.Name, []string{service.Name}
	case n < 74:
		ip := pick(g.Random, []string{"203.0.113.1", "198.51.100.0", "2001:db8::1", "192.0.2.7"})
		c.WriteIngress(service.Name, ip)
		excused = []string{service.Name}
		for _, other := range state.Services {
			if slices.ContainsFunc(other.Status.LoadBalancer.Ingress, func(e corev1.LoadBalancerIngress) bool { return e.IP == ip }) {
				excused = append(excused, other.Name)
			}
		}
		return "write " + ip + " to " + service.Name, excused
	case n < 90:
		return g.changePools(c, state), nil
	case n < 95:
		c.Restart()
		return "restart", nil
	default:
		c.Failover()
		return "failover", nil
	}
}

func (g *Generator) newService() *corev1.Service {
	g.born++
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("s%05d", g.born), Annotations: map[string]string{}, Labels: map[string]string{}},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyCluster},
	}
	four, six := corev1.IPv4Protocol, corev1.IPv6Protocol
	policy := corev1.IPFamilyPolicySingleStack
	switch g.Random.Intn(6) {
	case 0, 1, 2:
		service.Spec.IPFamilies = []corev1.IPFamily{four}
	case 3:
		service.Spec.IPFamilies = []corev1.IPFamily{six}
	case 4:
		policy, service.Spec.IPFamilies = corev1.IPFamilyPolicyPreferDualStack, []corev1.IPFamily{four, six}
	default:
		policy, service.Spec.IPFamilies = corev1.IPFamilyPolicyRequireDualStack, []corev1.IPFamily{six, four}
	}
	service.Spec.IPFamilyPolicy = &policy
	g.setPorts(service)
	for range g.Random.Intn(3) {
		g.change(service)
	}
	return service
}

func (g *Generator) setPorts(service *corev1.Service) {
	service.Spec.Ports = []corev1.ServicePort{{
		Protocol: pick(g.Random, []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP}), Port: pick(g.Random, []int32{53, 80, 443}),
	}}
}

// change one thing that a Service asks for.
func (g *Generator) change(service *corev1.Service) {
	set := func(name, value string) {
		if service.Annotations[name] = value; value == "" {
			delete(service.Annotations, name)
		}
	}
	if service.Annotations == nil {
		service.Annotations = map[string]string{}
	}
	switch g.Random.Intn(8) {
	case 0:
		set(v1alpha1.AnnotationIPs, pick(g.Random, askable))
	case 1:
		set(v1alpha1.AnnotationIPs, "")
		set(v1alpha1.AnnotationPool, "")
		service.Spec.LoadBalancerIP = ""
	case 2:
		set(v1alpha1.AnnotationPool, pick(g.Random, append(poolNames, "", "none-such")))
	case 3:
		service.Spec.LoadBalancerIP = pick(g.Random, []string{"", "203.0.113.2", "2001:db8::1"})
	case 4, 5:
		set(v1alpha1.AnnotationSharingKey, pick(g.Random, []string{"", "k", "k", "l"}))
	case 6:
		g.setPorts(service)
	default:
		service.Labels = map[string]string{"app": pick(g.Random, []string{"web", "db"})}
		service.Spec.Selector = service.Labels
		service.Spec.ExternalTrafficPolicy = pick(g.Random, []corev1.ServiceExternalTrafficPolicy{
			corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal,
		})
	}
}

func (g *Generator) changePools(c Cluster, state State) string {
	name := pick(g.Random, poolNames)
	at := slices.IndexFunc(state.Pools, func(p *v1alpha1.IPAddressPool) bool { return p.Name == name })
	switch {
	case at < 0:
		pool := &v1alpha1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: name}}
		g.fill(&pool.Spec)
		c.CreatePool(pool)
		return "create pool " + name
	case g.Random.Intn(4) == 0:
		c.DeletePool(name)
		return "delete pool " + name
	default:
		pool := state.Pools[at].DeepCopy()
		g.fill(&pool.Spec)
		c.UpdatePool(pool)
		return "change pool " + name
	}
}

func (g *Generator) fill(spec *v1alpha1.IPAddressPoolSpec) {
	rarely := func() bool { return g.Random.Intn(5) == 0 }
	if spec.Addresses == nil || g.Random.Intn(2) == 0 {
		spec.Addresses = []v1alpha1.AddressBlock{pick(g.Random, blocks), pick(g.Random, blocks)}
	}
	auto, requests := !rarely(), !rarely()
	spec.AutoAssign, spec.AllowRequests = &auto, &requests
	spec.AvoidBuggyIPs, spec.Disabled = rarely(), rarely()
	spec.Exclude, spec.ServiceAllocation = nil, nil
	if rarely() {
		spec.Exclude = []v1alpha1.AddressBlock{"203.0.113.1-203.0.113.2", "2001:db8::/128"}
	}
	if rarely() {
		spec.ServiceAllocation = &v1alpha1.ServiceAllocation{Priority: int32(g.Random.Intn(3))}
		switch g.Random.Intn(3) {
		case 0:
			spec.ServiceAllocation.Namespaces = []v1alpha1.NamespaceName{"elsewhere"}
		case 1:
			spec.ServiceAllocation.ServiceSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"app": "web"}}}
		}
	}
}
