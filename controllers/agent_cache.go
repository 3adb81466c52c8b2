package controllers

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// AgentCache limits an agent's watches to what its node needs: there is one
// agent per node, so what each one watches and keeps counts a thousand times.
func AgentCache(node, secretsNamespace string) cache.Options {
	only := func(field, value string) fields.Selector { return fields.OneTermEqualSelector(field, value) }
	return cache.Options{
		DefaultTransform:         cache.TransformStripManagedFields(),
		DefaultWatchErrorHandler: tellRefusedReads,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Node{}:      {Field: only("metadata.name", node), Transform: agentNode},
			&corev1.Namespace{}: {Transform: trim(trimNamespace)},
			&corev1.Service{}:   {Field: only("spec.type", string(corev1.ServiceTypeLoadBalancer)), Transform: agentService},
			&discoveryv1.EndpointSlice{}: {
				Label:     slicesOfServices(),
				Transform: func(in any) (any, error) { return agentSlice(in, node), nil },
			},
			&corev1.Secret{}:       {Namespaces: map[string]cache.Config{secretsNamespace: {}}},
			&v1alpha1.BGPNode{}:    {Field: only("metadata.name", node)},
			&v1alpha1.BGPSession{}: {Field: only("spec.node", node)},
		},
	}
}

// slicesOfServices leaves out headless Services: they are never of type
// LoadBalancer. kube-proxy's own watch does the same.
func slicesOfServices() labels.Selector {
	selector, err := labels.Parse(discoveryv1.LabelServiceName + ",!" + corev1.IsHeadlessService)
	if err != nil {
		panic(err) // a constant
	}
	return selector
}

func identity(in *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: in.Namespace, Name: in.Name, UID: in.UID, ResourceVersion: in.ResourceVersion}
}

// agentNode keeps what snapshot.TrimNode reads; a Node's images alone can take
// 20 KiB.
func agentNode(in any) (any, error) {
	node, ok := in.(*corev1.Node)
	if !ok {
		return in, nil
	}
	trimmed := &corev1.Node{ObjectMeta: identity(&node.ObjectMeta)}
	trimmed.Labels, trimmed.Annotations = node.Labels, node.Annotations
	delete(trimmed.Annotations, corev1.LastAppliedConfigAnnotation)
	trimmed.Status.Addresses = node.Status.Addresses
	for i := range node.Status.Conditions {
		if condition := &node.Status.Conditions[i]; condition.Type == corev1.NodeNetworkUnavailable {
			trimmed.Status.Conditions = append(trimmed.Status.Conditions, corev1.NodeCondition{Type: condition.Type, Status: condition.Status})
		} else if condition.Type == corev1.NodeReady {
			// Its times tick with each heartbeat; what it says may drain the node.
			trimmed.Status.Conditions = append(trimmed.Status.Conditions,
				corev1.NodeCondition{Type: condition.Type, Status: condition.Status, Message: condition.Message})
		}
	}
	trimmed.Spec.Taints, trimmed.Spec.Unschedulable = node.Spec.Taints, node.Spec.Unschedulable
	return trimmed, nil
}

// agentService keeps what snapshot.TrimService reads.
func agentService(in any) (any, error) {
	service, ok := in.(*corev1.Service)
	if !ok {
		return in, nil
	}
	trimmed := &corev1.Service{
		ObjectMeta: identity(&service.ObjectMeta),
		Spec: corev1.ServiceSpec{
			Type:                  service.Spec.Type,
			LoadBalancerClass:     service.Spec.LoadBalancerClass,
			ExternalTrafficPolicy: service.Spec.ExternalTrafficPolicy,
			HealthCheckNodePort:   service.Spec.HealthCheckNodePort,
			Ports:                 portNumbers(service.Spec.Ports),
		},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: service.Status.LoadBalancer.Ingress}},
	}
	trimmed.Labels = service.Labels
	return trimmed, nil
}

// portNumbers leaves out everything else of a Service's ports.
func portNumbers(all []corev1.ServicePort) []corev1.ServicePort {
	ports := make([]corev1.ServicePort, 0, len(all))
	for i := range all {
		ports = append(ports, corev1.ServicePort{Protocol: all[i].Protocol, Port: all[i].Port})
	}
	return ports
}

// agentSlice keeps what snapshot.TrimSlice reads for one node: the usable endpoints
// there and at most one elsewhere.
func agentSlice(in any, node string) any {
	slice, ok := in.(*discoveryv1.EndpointSlice)
	if !ok {
		return in
	}
	trimmed := &discoveryv1.EndpointSlice{ObjectMeta: identity(&slice.ObjectMeta), AddressType: slice.AddressType}
	trimmed.Labels = map[string]string{discoveryv1.LabelServiceName: slice.Labels[discoveryv1.LabelServiceName]}
	elsewhere := false
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		if !snapshot.IsUsable(endpoint) {
			continue
		}
		own := endpoint.NodeName != nil && *endpoint.NodeName == node
		if !own && elsewhere {
			continue
		}
		elsewhere = elsewhere || !own
		trimmed.Endpoints = append(trimmed.Endpoints, discoveryv1.Endpoint{
			Addresses: endpoint.Addresses[:1], Conditions: endpoint.Conditions, NodeName: endpoint.NodeName,
		})
	}
	return trimmed
}
