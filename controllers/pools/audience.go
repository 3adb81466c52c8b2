package pools

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Asker is what a pool looks at to say whether it serves a Service.
type Asker struct {
	Namespace string
	// NamespaceLabels of the Service's namespace, Labels of the Service itself.
	NamespaceLabels, Labels labels.Set
}

// audience is who may have addresses of a pool.
type audience struct {
	// byNamespace and byLabels say that there is a restriction, even if nothing
	// of it can be read.
	byNamespace, byLabels bool
	namespaces            []string
	namespaceSelectors    []labels.Selector
	serviceSelectors      []labels.Selector
}

// Serves says whether a Service may have addresses of the pool.
func (p *Pool) Serves(asker Asker) bool {
	a := &p.audience
	if a.byNamespace && !slices.Contains(a.namespaces, asker.Namespace) && !matchesAny(a.namespaceSelectors, asker.NamespaceLabels) {
		return false
	}
	return !a.byLabels || matchesAny(a.serviceSelectors, asker.Labels)
}

// ServesAll says whether every Service may.
func (p *Pool) ServesAll() bool { return !p.audience.byNamespace && !p.audience.byLabels }

func matchesAny(selectors []labels.Selector, of labels.Set) bool {
	return slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(of) })
}

// readAllocation takes in who the pool serves. A malformed selector matches
// nothing, so that a mistake lets in fewer and never more.
func (p *Pool) readAllocation(spec *v1alpha1.ServiceAllocation) []Issue {
	if spec == nil {
		return nil
	}
	if spec.Priority > 0 {
		p.Priority = int64(spec.Priority)
	}
	a := &p.audience
	a.byNamespace = len(spec.Namespaces)+len(spec.NamespaceSelectors) > 0
	a.byLabels = len(spec.ServiceSelectors) > 0
	for _, name := range spec.Namespaces {
		a.namespaces = append(a.namespaces, string(name))
	}
	var issues, more []Issue
	a.namespaceSelectors, issues = p.readSelectors("namespaceSelectors", spec.NamespaceSelectors)
	a.serviceSelectors, more = p.readSelectors("serviceSelectors", spec.ServiceSelectors)
	return append(issues, more...)
}

func (p *Pool) readSelectors(field string, specs []metav1.LabelSelector) (selectors []labels.Selector, issues []Issue) {
	for i := range specs {
		selector, err := metav1.LabelSelectorAsSelector(&specs[i])
		if err != nil {
			message := fmt.Sprintf("spec.serviceAllocation.%s[%d] is malformed and matches nothing: %v", field, i, err)
			issues = append(issues, Issue{Pool: p.Name, Reason: v1alpha1.ReasonInvalidSelector, Message: message})
			continue
		}
		selectors = append(selectors, selector)
	}
	return selectors, issues
}
