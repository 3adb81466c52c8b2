package explain

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// Input is a cluster as it is read.
type Input struct {
	Objects *offline.Objects
	States  *offline.States
	Assume  offline.Assumptions
}

// Service explains one Service on all nodes. The error says that there is none.
func Service(in Input, namespace, name string) (*Explanation, error) {
	at := slices.IndexFunc(in.Objects.Services, func(s *corev1.Service) bool { return s.Namespace == namespace && s.Name == name })
	if at < 0 {
		return nil, fmt.Errorf("there is no Service %s/%s: say its namespace by -n", namespace, name)
	}
	service := in.Objects.Services[at]
	e := &Explanation{
		Namespace: namespace, Name: name, Addresses: []string{}, Nodes: []Node{},
		Policy: string(service.Spec.ExternalTrafficPolicy), Verdict: ofService(service, in.Objects.Settings()),
	}
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		e.Addresses = append(e.Addresses, ingress.IP)
	}
	if e.Reason != "" {
		return e, nil
	}
	world := offline.NewWorld(in.Objects.Sharing(service), in.Assume)
	for _, node := range world.Nodes() {
		view, err := newView(world, in.States, node)
		if err != nil {
			return nil, err
		}
		e.Pools = view.pools(snapshot.TrimService(service))
		e.Nodes = append(e.Nodes, view.service(snapshot.TrimService(service)))
	}
	settleHolders(e.Nodes)
	e.Verdict = overall(e.Nodes)
	return e, nil
}

// settleHolders: a draining node keeps only what no other node announces, so where one
// does it has withdrawn the Service, whatever it doesn't name.
func settleHolders(nodes []Node) {
	if !slices.ContainsFunc(nodes, func(n Node) bool { return n.State == Announced }) {
		return
	}
	for i := range nodes {
		if n := &nodes[i]; n.State == Unknown && n.Reason == string(compile.WhyNodeDrains) {
			n.Verdict = withdrawn()
		}
	}
}

// ofService says why no node needs to be asked; it is zero where one does.
func ofService(service *corev1.Service, settings *snapshot.Settings) Verdict {
	no := func(reason, format string, args ...any) Verdict {
		return Verdict{State: NotAnnounced, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	switch allocated := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionAllocated); {
	case service.Spec.Type != corev1.ServiceTypeLoadBalancer:
		return no(ReasonNotLoadBalancer, "spec.type is %s: only Services of type LoadBalancer are announced", service.Spec.Type)
	case !settings.IsHeralds(service):
		return no(ReasonOtherClass, "%s", otherClass(service.Spec.LoadBalancerClass, settings))
	case allocated != nil && allocated.Status == metav1.ConditionFalse && len(service.Status.LoadBalancer.Ingress) == 0:
		return no(allocated.Reason, "%s", allocated.Message)
	case len(service.Status.LoadBalancer.Ingress) == 0:
		return no(v1alpha1.ReasonNoAddress, "it has no address, and the manager says nothing about it: does the manager run, and is there an IPAddressPool?")
	}
	return Verdict{}
}

// otherClass says why a Service is another load balancer's.
func otherClass(class *string, settings *snapshot.Settings) string {
	ours := settings.LoadBalancerClass()
	switch {
	case class == nil:
		return fmt.Sprintf("it has no spec.loadBalancerClass, and the Herald object's claimClassless is false: make the Service anew with %s", ours)
	case !settings.Claims(nil):
		return fmt.Sprintf("spec.loadBalancerClass is %q, which isn't Herald's: make the Service anew with %s", *class, ours)
	default:
		return fmt.Sprintf("spec.loadBalancerClass is %q, which isn't Herald's: make the Service anew with %s, or without a class", *class, ours)
	}
}

// overall is Announced where some node is; where all say the same it is that. Nodes that
// Herald leaves out don't count where there are others.
func overall(all []Node) Verdict {
	if len(all) == 0 {
		return Verdict{State: NotAnnounced, Reason: v1alpha1.ReasonNoNode, Message: "there is no Node"}
	}
	nodes := slices.DeleteFunc(slices.Clone(all), func(n Node) bool { return n.Reason == ReasonNodeNotSelected })
	if len(nodes) == 0 {
		nodes = all
	}
	order := []State{Announced, Unknown, NotAnnounced}
	best := slices.MinFunc(nodes, func(a, b Node) int {
		return cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State))
	})
	if best.State == Announced {
		return Verdict{State: Announced}
	}
	if slices.ContainsFunc(nodes, func(n Node) bool { return n.Reason != best.Reason }) {
		return Verdict{State: best.State, Reason: v1alpha1.ReasonNoNode, Message: "no node announces it, each for its own reason"}
	}
	return Verdict{State: best.State, Reason: best.Reason, Message: "so it is on every node: " + best.Message}
}

// issuesOf are what a node refuses of peers and advertisements, by its own report
// and by what the objects show.
func issuesOf(result []compile.Issue, reported *v1alpha1.BGPNode) []string {
	var notes []string
	add := func(kind, name, reason, message string) {
		if (kind == "BGPPeer" || kind == "BGPAdvertisement") && !compile.IsNote(reason) {
			notes = append(notes, fmt.Sprintf("%s %s: %s: %s", kind, name, reason, message))
		}
	}
	for _, issue := range result {
		add(issue.Object.Kind, issue.Object.Name, issue.Reason, issue.Message)
	}
	if reported != nil {
		for _, issue := range reported.Status.Issues {
			add(issue.Kind, issue.Name, issue.Reason, issue.Message)
		}
	}
	slices.Sort(notes)
	return slices.Compact(notes)
}
