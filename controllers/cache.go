package controllers

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/install"
	"github.com/herald-lb/herald/controllers/status"
)

// CacheOptions keep of each object only what the manager looks at: at 10,000
// Services that is most of its memory. Objects from this cache must never be
// written whole, only patched. Of pods it has those on nodes, in Herald's namespace.
func CacheOptions(namespace string) cache.Options {
	return cache.Options{
		DefaultTransform:         cache.TransformStripManagedFields(),
		DefaultWatchErrorHandler: tellRefusedReads,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Service{}:            {Transform: trim(trimService)},
			&corev1.Namespace{}:          {Transform: trim(trimNamespace)},
			&corev1.Node{}:               {Transform: trim(trimNode)},
			&discoveryv1.EndpointSlice{}: {Transform: trim(trimSlice)},
			&corev1.Pod{}: {
				Namespaces: map[string]cache.Config{namespace: {}},
				Label:      nodePods, Transform: trim(trimPod),
			},
			// Everywhere: another installation is one in another namespace.
			&appsv1.DaemonSet{}:  {Label: labels.SelectorFromSet(labels.Set{install.PartOfLabel: install.PartOf}), Transform: trim(trimDaemonSet)},
			&appsv1.Deployment{}: {Label: labels.SelectorFromSet(managerLabels), Transform: trim(trimDeployment)},
		},
	}
}

// trim makes a transform of the cache out of a function of one type.
func trim[T client.Object](of func(T)) func(any) (any, error) {
	return func(object any) (any, error) {
		if typed, ok := object.(T); ok {
			typed.SetManagedFields(nil)
			of(typed)
		}
		return object, nil
	}
}

// trimService keeps what decides who it is, which address it gets and where it is
// announced, the status, Herald's own annotations and those that say the same.
func trimService(service *corev1.Service) {
	service.OwnerReferences = nil
	for name := range service.Annotations {
		if !strings.HasPrefix(name, v1alpha1.GroupName+"/") && !status.IsTwin(name) {
			delete(service.Annotations, name)
		}
	}
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		service.Labels, service.Annotations = nil, nil
		service.Spec = corev1.ServiceSpec{Type: service.Spec.Type}
		return
	}
	ports := portNumbers(service.Spec.Ports)
	service.Spec = corev1.ServiceSpec{
		Type:                  service.Spec.Type,
		LoadBalancerClass:     service.Spec.LoadBalancerClass,
		LoadBalancerIP:        service.Spec.LoadBalancerIP,
		IPFamilies:            service.Spec.IPFamilies,
		IPFamilyPolicy:        service.Spec.IPFamilyPolicy,
		Ports:                 ports,
		Selector:              service.Spec.Selector,
		ExternalTrafficPolicy: service.Spec.ExternalTrafficPolicy,
		HealthCheckNodePort:   service.Spec.HealthCheckNodePort,
	}
}

// trimNamespace keeps the labels.
func trimNamespace(namespace *corev1.Namespace) {
	*namespace = corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace.Name, UID: namespace.UID, ResourceVersion: namespace.ResourceVersion, Labels: namespace.Labels,
	}}
}

// trimDaemonSet and trimDeployment keep whose they are; of a DaemonSet its state too.
func trimDaemonSet(set *appsv1.DaemonSet) {
	set.Annotations, set.Spec = nil, appsv1.DaemonSetSpec{}
}

func trimDeployment(deployment *appsv1.Deployment) {
	deployment.Annotations, deployment.Spec, deployment.Status = nil, appsv1.DeploymentSpec{}, appsv1.DeploymentStatus{}
}

// trimPod keeps where it runs, its image of FRR, whether it is ready, and why a
// container doesn't run.
func trimPod(pod *corev1.Pod) {
	var conditions []corev1.PodCondition
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodReady {
			conditions = append(conditions, pod.Status.Conditions[i])
		}
	}
	pod.Annotations, pod.OwnerReferences = nil, nil
	var images []corev1.Container
	for i := range pod.Spec.Containers {
		images = append(images, corev1.Container{Name: pod.Spec.Containers[i].Name, Image: pod.Spec.Containers[i].Image})
	}
	pod.Spec = corev1.PodSpec{NodeName: pod.Spec.NodeName, Containers: images}
	pod.Status = corev1.PodStatus{
		Conditions:            conditions,
		InitContainerStatuses: failing(pod.Status.InitContainerStatuses), ContainerStatuses: failing(pod.Status.ContainerStatuses),
	}
}

// failing are those that wait or have ended, or had to be started again.
func failing(containers []corev1.ContainerStatus) []corev1.ContainerStatus {
	var kept []corev1.ContainerStatus
	for i := range containers {
		if c := &containers[i]; !c.Ready && (c.State.Running == nil || c.LastTerminationState.Terminated != nil) {
			kept = append(kept, corev1.ContainerStatus{Name: c.Name, State: c.State, LastTerminationState: c.LastTerminationState})
		}
	}
	return kept
}

// trimNode keeps labels and annotations, which peers may have values from, the
// InternalIPs and the condition that says whether the node's network is up.
func trimNode(node *corev1.Node) {
	delete(node.Annotations, corev1.LastAppliedConfigAnnotation)
	node.OwnerReferences = nil
	node.Spec = corev1.NodeSpec{}
	var addresses []corev1.NodeAddress
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			addresses = append(addresses, address)
		}
	}
	var conditions []corev1.NodeCondition
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeNetworkUnavailable {
			conditions = append(conditions, corev1.NodeCondition{Type: condition.Type, Status: condition.Status})
		}
	}
	node.Status = corev1.NodeStatus{Addresses: addresses, Conditions: conditions}
}

// trimSlice keeps which Service it belongs to and where its usable endpoints are.
func trimSlice(slice *discoveryv1.EndpointSlice) {
	slice.Annotations = nil
	slice.OwnerReferences = nil
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: slice.Labels[discoveryv1.LabelServiceName]}
	slice.Ports = nil
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		*endpoint = discoveryv1.Endpoint{
			Addresses:  endpoint.Addresses[:min(1, len(endpoint.Addresses))],
			NodeName:   endpoint.NodeName,
			Conditions: endpoint.Conditions,
		}
	}
}
