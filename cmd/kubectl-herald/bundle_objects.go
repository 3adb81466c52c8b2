package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/offline"
)

// lastApplied is what kubectl keeps of what was applied: the object twice.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// collect adds the objects that decide, in a form that -f reads, a file a Kind.
func (b *bundle) collect(ctx context.Context, cluster client.Client, secretsNamespace string) {
	for kind := range maps.Keys(cluster.Scheme().KnownTypes(v1alpha1.GroupVersion)) {
		list, err := cluster.Scheme().New(v1alpha1.GroupVersion.WithKind(kind + "List"))
		if objects, isList := list.(client.ObjectList); err == nil && isList {
			b.list(ctx, cluster, "objects/"+kind+".yaml", objects, nil)
		}
	}
	b.list(ctx, cluster, "objects/Node.yaml", &corev1.NodeList{}, nil)
	b.list(ctx, cluster, "objects/Namespace.yaml", &corev1.NamespaceList{}, nil)
	b.list(ctx, cluster, "objects/ServiceCIDR.yaml", &networkingv1.ServiceCIDRList{}, nil)
	balanced := map[string]bool{}
	b.list(ctx, cluster, "objects/Service.yaml", &corev1.ServiceList{}, func(object client.Object) bool {
		service, isService := object.(*corev1.Service)
		wanted := isService && service.Spec.Type == corev1.ServiceTypeLoadBalancer
		balanced[object.GetNamespace()+"/"+object.GetName()] = wanted
		return wanted
	})
	b.list(ctx, cluster, "objects/EndpointSlice.yaml", &discoveryv1.EndpointSliceList{}, func(object client.Object) bool {
		return balanced[object.GetNamespace()+"/"+object.GetLabels()[discoveryv1.LabelServiceName]]
	})
	b.secrets(ctx, cluster, secretsNamespace)
}

// around adds what runs Herald, and events.
func (b *bundle) around(ctx context.Context, cluster client.Client, namespace string) {
	in := client.InNamespace(namespace)
	b.list(ctx, cluster, "installation/DaemonSet.yaml", &appsv1.DaemonSetList{}, nil, in)
	b.list(ctx, cluster, "installation/Deployment.yaml", &appsv1.DeploymentList{}, nil, in)
	b.list(ctx, cluster, "installation/Pod.yaml", &corev1.PodList{}, nil, in)
	b.list(ctx, cluster, "installation/Event.yaml", &eventsv1.EventList{}, nil, in)
	b.list(ctx, cluster, "events.yaml", &eventsv1.EventList{}, func(object client.Object) bool {
		event, isEvent := object.(*eventsv1.Event)
		return isEvent && (event.Regarding.GroupVersionKind().Group == v1alpha1.GroupName || event.Regarding.Kind == "Service")
	})
}

// list adds the wanted objects of a list as one file of YAML documents.
func (b *bundle) list(ctx context.Context, cluster client.Client, path string, list client.ObjectList, wanted func(client.Object) bool, options ...client.ListOption) {
	if err := cluster.List(ctx, list, options...); err != nil {
		b.lacks(path, err)
		return
	}
	var text bytes.Buffer
	err := meta.EachListItem(list, func(item runtime.Object) error {
		object, isObject := item.(client.Object)
		if !isObject || wanted != nil && !wanted(object) {
			return nil
		}
		return document(&text, object, cluster.Scheme())
	})
	if err != nil {
		b.lacks(path, err)
		return
	}
	b.add(path, text.Bytes())
}

func document(text *bytes.Buffer, object client.Object, scheme *runtime.Scheme) error {
	kind, err := apiutil.GVKForObject(object, scheme)
	if err != nil {
		return err
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	object.SetManagedFields(nil)
	annotations := object.GetAnnotations()
	delete(annotations, lastApplied)
	object.SetAnnotations(annotations)
	content, err := yaml.Marshal(object)
	text.WriteString("---\n")
	text.Write(content)
	return err
}

// secrets adds what a Secret is, without any value.
func (b *bundle) secrets(ctx context.Context, cluster client.Client, namespace string) {
	var list corev1.SecretList
	if err := cluster.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		b.lacks("Secrets of namespace "+namespace, err)
		return
	}
	var text bytes.Buffer
	for i := range list.Items {
		secret := &list.Items[i]
		keys := slices.Sorted(maps.Keys(secret.Data))
		fmt.Fprintf(&text, "%s/%s type %s keys %v\n", secret.Namespace, secret.Name, secret.Type, keys)
	}
	b.add("secrets.txt", text.Bytes())
}

// configurations adds what each node should run, but for passwords.
func (b *bundle) configurations(ctx context.Context, cluster client.Client) {
	objects, _, err := offline.FromCluster(ctx, cluster, "")
	if err != nil {
		b.lacks("configurations", err)
		return
	}
	world := offline.NewWorld(objects, offline.Assumptions{})
	for _, node := range world.Nodes() {
		path := "configurations/" + node + ".conf"
		result, err := world.Compile(node)
		if err != nil {
			b.lacks(path, err)
			continue
		}
		text, err := offline.Render(result, false)
		if err != nil {
			b.lacks(path, err)
			continue
		}
		b.add(path, text)
	}
}
