package offline

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/controllers/compile"
)

// Problem is why a manifest is left out, or a field of it.
type Problem struct {
	Source string
	Object compile.ObjectRef
	// Field that is left out; empty where the whole object is.
	Field string
	// Twice: another manifest of the same object holds.
	Twice   bool
	Message string
}

// Reader takes manifests in.
type Reader struct {
	// Namespace of objects that name none; "default" if it is empty.
	Namespace string
}

// Read takes in what Herald reads of the manifests, of several with one name the
// last, and says what it can't. Other Kinds are passed over.
func (r Reader) Read(manifests []Manifest) (*Objects, []Problem) {
	objects := &Objects{}
	lists := objects.lists()
	var problems []Problem
	seen := map[compile.ObjectRef]string{}
	for at := range manifests {
		manifest := r.Complete(manifests[at])
		into := lists[groupKind(manifest)]
		if into == nil {
			continue
		}
		ref := RefOf(manifest)
		if first, again := seen[ref]; again {
			problems = append(problems, Problem{Source: manifest.Source, Object: ref, Twice: true, Message: fmt.Sprintf(
				"is there twice, in %s too: the first one is left out here, in a cluster the one applied last would hold; remove one of them", first)})
			into.drop(nameOf(manifest.Object))
		}
		seen[ref] = manifest.Source
		unknown, err := into.read(manifest.Object.Object)
		for _, field := range unknown {
			problems = append(problems, unknownField(manifest.Source, ref, field))
		}
		if err != nil {
			problems = append(problems, Problem{Source: manifest.Source, Object: ref, Message: fmt.Sprintf("can't be read and is left out: %v", err)})
		}
	}
	objects.complete()
	return objects, problems
}

// unknownField reads the decoder's complaint, which is: unknown field "spec.x".
func unknownField(source string, ref compile.ObjectRef, err error) Problem {
	name := strings.Trim(strings.TrimPrefix(err.Error(), "unknown field "), `"`)
	return Problem{Source: source, Object: ref, Field: name, Message: name + ": there is no such field, it is left out: check its spelling and place"}
}

// Complete gives a manifest the namespace that it would be applied to.
func (r Reader) Complete(manifest Manifest) Manifest {
	if namespaced[manifest.Object.GetKind()] && manifest.Object.GetNamespace() == "" {
		manifest.Object = manifest.Object.DeepCopy()
		manifest.Object.SetNamespace(cmp.Or(r.Namespace, metav1.NamespaceDefault))
	}
	return manifest
}

func groupKind(manifest Manifest) metav1.GroupKind {
	kind := manifest.Object.GroupVersionKind()
	return metav1.GroupKind{Group: kind.Group, Kind: kind.Kind}
}

// RefOf names a manifest's object.
func RefOf(manifest Manifest) compile.ObjectRef {
	return compile.ObjectRef{
		Kind: manifest.Object.GetKind(), Namespace: manifest.Object.GetNamespace(), Name: manifest.Object.GetName(),
	}
}

// complete does what the API server does on writing.
func (o *Objects) complete() {
	for _, secret := range o.Secrets {
		for key, value := range secret.StringData {
			if secret.Data == nil {
				secret.Data = map[string][]byte{}
			}
			secret.Data[key] = []byte(value)
		}
		secret.StringData = nil
	}
	for _, service := range o.Services {
		service.Spec.IPFamilies = familiesOf(&service.Spec)
	}
	for _, namespace := range o.Namespaces {
		if namespace.Labels == nil {
			namespace.Labels = map[string]string{}
		}
		namespace.Labels[corev1.LabelMetadataName] = namespace.Name
	}
}

// familiesOf fills in a Service's families as a dual-stack cluster does whose
// first family is IPv4.
func familiesOf(spec *corev1.ServiceSpec) []corev1.IPFamily {
	families := spec.IPFamilies
	if len(families) == 0 {
		families = []corev1.IPFamily{corev1.IPv4Protocol}
	}
	single := spec.IPFamilyPolicy == nil || *spec.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack
	if len(families) > 1 || single {
		return families
	}
	if families[0] == corev1.IPv4Protocol {
		return []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
	}
	return []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}
}
