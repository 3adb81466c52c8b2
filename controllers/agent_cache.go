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
			&corev1.Service{}:   {Field: only("spec.type", string(corev1.ServiceTypeLoadBalancer)), Transform: holdService},
			&discoveryv1.EndpointSlice{}: {
				Label:     slicesOfServices(),
				Transform: func(in any) (any, error) { return holdSlice(in, node), nil },
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

// portNumbers leaves out everything else of a Service's ports.
func portNumbers(all []corev1.ServicePort) []corev1.ServicePort {
	ports := make([]corev1.ServicePort, 0, len(all))
	for i := range all {
		ports = append(ports, corev1.ServicePort{Protocol: all[i].Protocol, Port: all[i].Port})
	}
	return ports
}
