package status

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// Annotations says which annotations of Services are read beside Herald's.
type Annotations struct {
	// MetalLB: those of MetalLB that say the same. Herald's hold where both are
	// set and agree; where they disagree the request is refused.
	MetalLB bool
}

// MetalLBTwins are MetalLB's annotations by the one of Herald that says the same,
// the newer name first.
var MetalLBTwins = map[string][]string{
	v1alpha1.AnnotationIPs:        {"metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs"},
	v1alpha1.AnnotationPool:       {"metallb.io/address-pool", "metallb.universe.tf/address-pool"},
	v1alpha1.AnnotationSharingKey: {"metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip"},
}

// IsTwin says whether an annotation is one of MetalLB's that may be read.
func IsTwin(annotation string) bool {
	for _, twins := range MetalLBTwins {
		if slices.Contains(twins, annotation) {
			return true
		}
	}
	return false
}

// said is what an annotation says, and under which name.
type said struct{ value, name string }

// read gives what an annotation of Herald, or a twin of it, says. The problem is
// that they disagree.
func (a Annotations) read(service *corev1.Service, annotation string) (found said, problem string) {
	names := []string{annotation}
	if a.MetalLB {
		names = append(names, MetalLBTwins[annotation]...)
	}
	for _, name := range names {
		value := service.Annotations[name]
		switch {
		case strings.TrimSpace(value) == "":
		case found.name == "":
			found = said{value: value, name: name}
		case canonical(annotation, value) != canonical(annotation, found.value):
			return found, fmt.Sprintf("annotation %s says %.64q, %s says %.64q: remove one of them or let them agree", found.name, found.value, name, value)
		}
	}
	found.name = cmp.Or(found.name, annotation)
	return found, ""
}

// canonical is a value as it is compared: addresses in any order and spelling.
func canonical(annotation, value string) string {
	if annotation != v1alpha1.AnnotationIPs {
		return strings.TrimSpace(value)
	}
	parts := strings.Split(value, ",")
	for i, part := range parts {
		parts[i] = strings.TrimSpace(part)
		if address, err := netip.ParseAddr(parts[i]); err == nil {
			parts[i] = address.String()
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
