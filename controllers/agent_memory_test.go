package controllers

import (
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// What 10,000 Services with three endpoints each keep of an agent's heap, as they come from
// the API server: the informers' caches, the Store, and what compile and render remember.
func BenchmarkAgentHeap10000(b *testing.B) {
	for b.Loop() {
		agent, _ := benchAgent(b)
		for i := range benchServices {
			agent.Store.DeleteService(types.NamespacedName{Namespace: "shop", Name: fmt.Sprint("web-", i)})
		}
		before := heapInUse()
		options := AgentCache("node-a", "herald-system")
		services, slices := indexer(), indexer()
		for i := range benchServices {
			service, slice := servedService(i)
			feedBench(b, agent, options, services, overTheWire(b, service, &corev1.Service{}))
			feedBench(b, agent, options, slices, overTheWire(b, slice, &discoveryv1.EndpointSlice{}))
		}
		compiled := heapInUse()
		if _, err := agent.Reconcile(b.Context(), wake{}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(compiled-before)/benchServices, "B/Service-cached")
		b.ReportMetric(float64(heapInUse()-compiled)/benchServices, "B/Service-compiled")
		runtime.KeepAlive(services)
		runtime.KeepAlive(slices)
		runtime.KeepAlive(agent)
	}
}

func heapInUse() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func indexer() toolscache.Indexer {
	return toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc})
}

// transformOf a Kind in the agent's cache.
func transformOf(options cache.Options, kind client.Object) toolscache.TransformFunc {
	for object, by := range options.ByObject {
		if fmt.Sprintf("%T", object) == fmt.Sprintf("%T", kind) {
			return by.Transform
		}
	}
	return nil
}

type protobuf interface {
	client.Object
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// overTheWire decodes an object as a client does: each with strings of its own.
func overTheWire[T protobuf](b *testing.B, object, empty T) T {
	data, err := object.Marshal()
	if err == nil {
		err = empty.Unmarshal(data)
	}
	if err != nil {
		b.Fatal(err)
	}
	return empty
}

func servedService(i int) (*corev1.Service, *discoveryv1.EndpointSlice) {
	name := fmt.Sprint("web-", i)
	meta := metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", i)), ResourceVersion: fmt.Sprint(1000 + i),
		Labels:        map[string]string{"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop", "app.kubernetes.io/managed-by": "Helm"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "helm", FieldsV1: &metav1.FieldsV1{}}},
	}
	service := &corev1.Service{
		ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyCluster,
			ClusterIP: "10.96.0.1", Selector: map[string]string{"app": name},
			Ports: []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromInt32(8080), NodePort: 30000}},
		},
	}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: fmt.Sprintf("10.64.%d.%d", i>>8, i&255)}}
	meta.Name += "-x7k2p"
	meta.Labels[discoveryv1.LabelServiceName] = name
	slice := &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4}
	for _, node := range []string{"node-a", "node-b", "node-c"} {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{"10.244.1.2"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
		})
	}
	return service, slice
}

// feedBench gives an object to the cache and to the Store, as its source does.
func feedBench(b *testing.B, agent *NodeReconciler, options cache.Options, store toolscache.Indexer, object client.Object) {
	kept, err := transformOf(options, object)(object)
	if err == nil {
		err = store.Add(kept)
	}
	if err != nil {
		b.Fatal(err)
	}
	switch o := kept.(type) {
	case *held[*snapshot.Service]:
		agent.Store.SetService(o.key, o.trimmed)
	case *held[heldSlice]:
		agent.Store.SetSlice(o.trimmed.service, o.key.Name, o.trimmed.slice)
	default:
		b.Fatalf("the cache keeps %T", kept)
	}
}
