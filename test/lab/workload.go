package lab

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab/node"
)

// sliceManager is the managed-by label of the lab's EndpointSlices.
const sliceManager = "lab.herald-lb.io"

// Pod is an echo pod and what the EndpointSlices say of it.
type Pod struct {
	Namespace string
	Name      string
	Node      string
	Labels    map[string]string
	// Ready, Serving and Terminating are the endpoint's conditions.
	Ready, Serving, Terminating bool
	// Listed is when the EndpointSlices with it were first written.
	Listed time.Time

	echo *node.Pod
}

// workload plays scheduler, kubelet and endpointslice controller.
type workload struct {
	lab  *Lab
	mu   sync.Mutex
	pods map[string]*Pod
}

// AddPod runs an echo pod with these labels on a node, listening on ports (8080
// if none), and writes the EndpointSlices. The pod is ready.
func (l *Lab) AddPod(ctx context.Context, nodeName, name string, podLabels map[string]string, ports ...int) (*Pod, error) {
	if len(ports) == 0 {
		ports = []int{8080}
	}
	echo, err := l.Node(nodeName).AddPod(name, ports...)
	if err != nil {
		return nil, err
	}
	pod := &Pod{
		Namespace: "default", Name: name, Node: nodeName, Labels: maps.Clone(podLabels),
		Ready: true, Serving: true, echo: echo,
	}
	l.workload.mu.Lock()
	if l.workload.pods == nil {
		l.workload.pods = map[string]*Pod{}
	}
	l.workload.pods[name] = pod
	l.workload.mu.Unlock()
	pod.Listed, err = l.SyncEndpoints(ctx)
	return pod, err
}

// RemovePod takes a pod out of the EndpointSlices and then ends it. It returns
// when the slices were written.
func (l *Lab) RemovePod(ctx context.Context, name string) (time.Time, error) {
	l.workload.mu.Lock()
	pod := l.workload.pods[name]
	delete(l.workload.pods, name)
	l.workload.mu.Unlock()
	if pod == nil {
		return time.Time{}, fmt.Errorf("no pod %q", name)
	}
	at, err := l.SyncEndpoints(ctx)
	l.Node(pod.Node).RemovePod(name)
	return at, err
}

// MovePod replaces a pod by one of the same labels on another node, named as
// given: the new one is ready before the old one goes. It returns when the
// slices without the old one were written.
func (l *Lab) MovePod(ctx context.Context, name, toNode, newName string) (time.Time, error) {
	l.workload.mu.Lock()
	pod := l.workload.pods[name]
	l.workload.mu.Unlock()
	if pod == nil {
		return time.Time{}, fmt.Errorf("no pod %q", name)
	}
	if _, err := l.AddPod(ctx, toNode, newName, pod.Labels, pod.echo.Ports...); err != nil {
		return time.Time{}, err
	}
	return l.RemovePod(ctx, name)
}

// SetPod changes a pod's conditions and writes the EndpointSlices. It returns
// when they were written.
func (l *Lab) SetPod(ctx context.Context, name string, ready, serving, terminating bool) (time.Time, error) {
	l.workload.mu.Lock()
	pod := l.workload.pods[name]
	if pod != nil {
		pod.Ready, pod.Serving, pod.Terminating = ready, serving, terminating
	}
	l.workload.mu.Unlock()
	if pod == nil {
		return time.Time{}, fmt.Errorf("no pod %q", name)
	}
	return l.SyncEndpoints(ctx)
}

// TerminatePod begins a pod's graceful end: it still serves, and its endpoint
// says serving and terminating.
func (l *Lab) TerminatePod(ctx context.Context, name string) (time.Time, error) {
	return l.SetPod(ctx, name, false, true, true)
}

// Pods are all pods, by name.
func (l *Lab) Pods() []*Pod {
	l.workload.mu.Lock()
	defer l.workload.mu.Unlock()
	names := slices.Sorted(maps.Keys(l.workload.pods))
	pods := make([]*Pod, 0, len(names))
	for _, name := range names {
		pod := *l.workload.pods[name]
		pods = append(pods, &pod)
	}
	return pods
}

// SyncEndpoints writes the EndpointSlices of every Service with a selector, one
// per family, and removes those whose Service is gone. Call it after creating or
// changing a Service other than through the lab. It returns when the last write
// was made.
func (l *Lab) SyncEndpoints(ctx context.Context) (time.Time, error) {
	var services corev1.ServiceList
	if err := l.API().List(ctx, &services); err != nil {
		return time.Time{}, err
	}
	var existing discoveryv1.EndpointSliceList
	if err := l.API().List(ctx, &existing, crclient.MatchingLabels{discoveryv1.LabelManagedBy: sliceManager}); err != nil {
		return time.Time{}, err
	}
	have := map[crclient.ObjectKey]*discoveryv1.EndpointSlice{}
	for i := range existing.Items {
		have[crclient.ObjectKeyFromObject(&existing.Items[i])] = &existing.Items[i]
	}
	pods := l.Pods()
	at := time.Now()
	for i := range services.Items {
		for _, want := range slicesFor(&services.Items[i], pods) {
			key := crclient.ObjectKeyFromObject(want)
			if err := l.writeSlice(ctx, have[key], want, &at); err != nil {
				return at, err
			}
			delete(have, key)
		}
	}
	for _, slice := range have {
		if err := l.API().Delete(ctx, slice); err != nil && !apierrors.IsNotFound(err) {
			return at, err
		}
	}
	return at, nil
}

func (l *Lab) writeSlice(ctx context.Context, have, want *discoveryv1.EndpointSlice, at *time.Time) error {
	if have == nil {
		*at = time.Now()
		return l.API().Create(ctx, want)
	}
	if equality.Semantic.DeepEqual(have.Endpoints, want.Endpoints) && equality.Semantic.DeepEqual(have.Ports, want.Ports) {
		return nil
	}
	update := have.DeepCopy()
	update.Endpoints, update.Ports = want.Endpoints, want.Ports
	*at = time.Now()
	return l.API().Update(ctx, update)
}

// slicesFor are the EndpointSlices that a Service should have.
func slicesFor(svc *corev1.Service, pods []*Pod) []*discoveryv1.EndpointSlice {
	if len(svc.Spec.Selector) == 0 {
		return nil
	}
	var out []*discoveryv1.EndpointSlice
	for _, family := range svc.Spec.IPFamilies {
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: svc.Namespace, Name: svc.Name + map[corev1.IPFamily]string{corev1.IPv4Protocol: "-ipv4", corev1.IPv6Protocol: "-ipv6"}[family],
				Labels:          map[string]string{discoveryv1.LabelServiceName: svc.Name, discoveryv1.LabelManagedBy: sliceManager},
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(svc, corev1.SchemeGroupVersion.WithKind("Service"))},
			},
			AddressType: discoveryv1.AddressType(family),
		}
		for _, port := range svc.Spec.Ports {
			slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{
				Name: ptr.To(port.Name), Port: ptr.To(port.TargetPort.IntVal), Protocol: ptr.To(port.Protocol),
			})
		}
		selector := labels.SelectorFromSet(svc.Spec.Selector)
		for _, pod := range pods {
			if pod.Namespace == svc.Namespace && selector.Matches(labels.Set(pod.Labels)) {
				slice.Endpoints = append(slice.Endpoints, endpoint(pod, family))
			}
		}
		out = append(out, slice)
	}
	return out
}

func endpoint(pod *Pod, family corev1.IPFamily) discoveryv1.Endpoint {
	address := pod.echo.IPv4
	if family == corev1.IPv6Protocol {
		address = pod.echo.IPv6
	}
	return discoveryv1.Endpoint{
		Addresses: []string{address.String()}, NodeName: ptr.To(pod.Node),
		Conditions: discoveryv1.EndpointConditions{
			Ready: ptr.To(pod.Ready), Serving: ptr.To(pod.Serving), Terminating: ptr.To(pod.Terminating),
		},
		TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name},
	}
}
