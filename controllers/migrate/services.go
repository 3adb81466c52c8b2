package migrate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
)

// ours are Herald's annotations in the order in which they are written.
var ours = []string{v1alpha1.AnnotationIPs, v1alpha1.AnnotationPool, v1alpha1.AnnotationSharingKey}

// services says what to change on Services, and which would not keep their
// address.
func (p *planner) services(all []*corev1.Service) {
	annotated := make([]*corev1.Service, 0, len(all))
	for _, service := range all {
		if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
			continue
		}
		p.ref, p.remarks = compile.ObjectRef{Kind: "Service", Namespace: service.Namespace, Name: service.Name}, nil
		if class := service.Spec.LoadBalancerClass; class != nil && *class != v1alpha1.DefaultLoadBalancerClass {
			if strings.Contains(*class, "metallb") {
				p.remark("spec.loadBalancerClass %s is MetalLB's and can't be changed: Herald leaves the Service alone; make it anew without a class, or with %s, and with %s: its present addresses", *class, v1alpha1.DefaultLoadBalancerClass, v1alpha1.AnnotationIPs)
			}
			continue
		}
		annotated = append(annotated, p.annotate(service.DeepCopy()))
	}
	slices.Sort(p.plan.Annotate)
	p.checkAddresses(annotated)
}

// annotate gives a Service Herald's annotations for those of MetalLB.
func (p *planner) annotate(service *corev1.Service) *corev1.Service {
	var pairs []string
	for _, annotation := range ours {
		theirs, value := status.MetalLBTwins[annotation], ""
		for _, name := range theirs {
			if found := service.Annotations[name]; value == "" {
				value = found
			} else if found != "" && found != value {
				p.remark("annotations %s and %s disagree (%q, %q): the first one is taken", theirs[0], theirs[1], value, found)
			}
		}
		if value == "" || service.Annotations[annotation] != "" {
			continue
		}
		service.Annotations[annotation] = value
		pairs = append(pairs, annotation+"="+shellQuoted(value))
	}
	if len(pairs) > 0 && !p.options.Annotations.MetalLB {
		p.plan.Annotate = append(p.plan.Annotate, fmt.Sprintf("kubectl -n %s annotate service %s %s", service.Namespace, service.Name, strings.Join(pairs, " ")))
	}
	return service
}

// shellQuoted is one word for a shell.
func shellQuoted(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:_/-") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// checkAddresses asks Herald's allocator what the Services would have.
func (p *planner) checkAddresses(services []*corev1.Service) {
	var manifests []offline.Manifest
	for _, output := range p.plan.Outputs {
		manifests = append(manifests, offline.Manifest{Object: &unstructured.Unstructured{Object: output.Object}})
	}
	objects, _ := p.options.Reader.Read(manifests)
	objects.Services = services
	before := map[string][]netip.Addr{}
	for _, service := range services {
		before[service.Namespace+"/"+service.Name] = addressesOf(service)
	}
	why := map[string]string{}
	for _, pending := range objects.Allocate(p.options.Annotations) {
		why[pending.Service.String()] = pending.Reason + ": " + pending.Message
	}
	for _, service := range objects.Services {
		key := service.Namespace + "/" + service.Name
		p.ref, p.remarks = compile.ObjectRef{Kind: "Service", Namespace: service.Namespace, Name: service.Name}, nil
		had, has := before[key], addressesOf(service)
		switch lost := slices.ContainsFunc(had, func(a netip.Addr) bool { return !slices.Contains(has, a) }); {
		case lost:
			p.remark("status.loadBalancer: %s would become %s: %s", joined(had), joined(has), cmp.Or(why[key], "its annotations ask for that"))
		case len(had) > 0 && why[key] != "":
			p.remark("keeps %s, but: %s", joined(had), why[key])
		}
	}
}

func addressesOf(service *corev1.Service) []netip.Addr {
	if trimmed := snapshot.TrimService(service); trimmed != nil {
		return trimmed.Addresses
	}
	return nil
}

func joined(addresses []netip.Addr) string {
	if len(addresses) == 0 {
		return "none"
	}
	var texts []string
	for _, address := range addresses {
		texts = append(texts, address.String())
	}
	return strings.Join(texts, ", ")
}
