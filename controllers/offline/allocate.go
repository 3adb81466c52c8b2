package offline

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/allocator"
	"github.com/herald-lb/herald/controllers/pools"
	"github.com/herald-lb/herald/controllers/status"
)

// Pending is a Service that doesn't get what it asks for.
type Pending struct {
	Service         types.NamespacedName
	Reason, Message string
}

// Allocate gives Services their addresses as a manager does that takes over, and
// says which ones lack something and why.
func (o *Objects) Allocate(annotations status.Annotations) []Pending {
	set, _ := pools.Accept(o.Pools)
	labels := o.namespaceLabels()
	settings := o.Settings()
	var demands []allocator.Demand
	for _, service := range o.Services {
		if settings.IsHeralds(service) {
			demands = append(demands, annotations.DemandOf(service, labels[service.Namespace]))
		}
	}
	decided := allocator.New()
	decided.Rebuild(set, demands)
	var pending []Pending
	for at, service := range o.Services {
		decision, found := decided.Get(nameOf(service))
		if !found {
			continue
		}
		o.Services[at] = service.DeepCopy()
		status.ApplyDecision(o.Services[at], decision)
		if why, lacks := lacking(service, decision); lacks {
			pending = append(pending, why)
		}
	}
	slices.SortFunc(pending, func(a, b Pending) int { return strings.Compare(a.Service.String(), b.Service.String()) })
	return pending
}

func lacking(service *corev1.Service, decision allocator.Decision) (why Pending, lacks bool) {
	why = Pending{Service: nameOf(service), Reason: decision.Reason, Message: decision.Message}
	switch decision.Outcome {
	case allocator.Allocated:
		return why, false
	case allocator.Untouched:
		why.Reason = v1alpha1.ReasonNoPool
		why.Message = "there is no IPAddressPool: Herald writes to no Service until there is one"
	case allocator.Foreign, allocator.Pending:
	}
	return why, true
}

// namespaceLabels: a Namespace that isn't given has the label that Kubernetes
// gives to all of them.
func (o *Objects) namespaceLabels() map[string]map[string]string {
	labels := map[string]map[string]string{}
	for _, service := range o.Services {
		labels[service.Namespace] = map[string]string{corev1.LabelMetadataName: service.Namespace}
	}
	for _, namespace := range o.Namespaces {
		labels[namespace.Name] = namespace.Labels
	}
	return labels
}
