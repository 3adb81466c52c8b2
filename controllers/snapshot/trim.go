package snapshot

import (
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// PasswordKey is the key of a password in a Secret of type
// kubernetes.io/basic-auth.
const PasswordKey = corev1.BasicAuthPasswordKey

// labelOtherProxy leaves a Service to another service proxy than kube-proxy
// (https://kubernetes.io/docs/reference/labels-annotations-taints/).
const labelOtherProxy = "service.kubernetes.io/service-proxy-name"

// AllNodes as the node of TrimSlice keeps every node's name.
const AllNodes = ""

// TrimService keeps what matters of a Service. It is nil where there is nothing
// to announce: the Service is of another type, or has no address. Whether it is
// Herald's is for Settings to say. Entries of status.loadBalancer.ingress that are
// not addresses are left out.
func TrimService(service *corev1.Service) *Service {
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	addresses := ingressAddresses(service)
	if len(addresses) == 0 {
		return nil
	}
	trimmed := &Service{
		Key:       types.NamespacedName{Namespace: service.Namespace, Name: service.Name},
		Labels:    service.Labels,
		Class:     service.Spec.LoadBalancerClass,
		Addresses: addresses,
		Local:     service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal,
	}
	if port := service.Spec.HealthCheckNodePort; trimmed.Local && port > 0 && port <= 65535 {
		trimmed.HealthCheckNodePort = uint16(port)
	}
	_, trimmed.OtherProxy = service.Labels[labelOtherProxy]
	trimmed.Ports = portsOf(service)
	return trimmed
}

// portsOf are those of TCP and UDP; a Service of which the API server hasn't said the
// protocol is TCP's.
func portsOf(service *corev1.Service) []Port {
	var ports []Port
	for i := range service.Spec.Ports {
		protocol := protocolOf(service.Spec.Ports[i].Protocol)
		if port := service.Spec.Ports[i].Port; port > 0 && port <= 65535 && protocol != corev1.ProtocolSCTP {
			ports = append(ports, Port{Protocol: protocol, Port: uint16(port)})
		}
	}
	return ports
}

// protocolOf a port, without the memory that the name was decoded into.
func protocolOf(name corev1.Protocol) corev1.Protocol {
	switch name {
	case "", corev1.ProtocolTCP:
		return corev1.ProtocolTCP
	case corev1.ProtocolUDP:
		return corev1.ProtocolUDP
	default:
		return name
	}
}

// TrimNamespace keeps what matters of a Namespace.
func TrimNamespace(namespace *corev1.Namespace) *Namespace {
	return &Namespace{Name: namespace.Name, Labels: namespace.Labels}
}

func ingressAddresses(service *corev1.Service) []netip.Addr {
	var addresses []netip.Addr
	for i := range service.Status.LoadBalancer.Ingress {
		address, ok := parseAddress(service.Status.LoadBalancer.Ingress[i].IP)
		if ok && !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// parseAddress takes an address without a zone: a zone means something on one
// host only and is never announced.
func parseAddress(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return netip.Addr{}, false
	}
	return address.Unmap(), true
}

// TrimSlice keeps what matters of an EndpointSlice, with the Service that it
// belongs to. Of the nodes it keeps only the given one, or all for AllNodes. It
// is nil for slices that carry no addresses (of names, or of no Service).
func TrimSlice(slice *discoveryv1.EndpointSlice, node string) (types.NamespacedName, *Slice) {
	service := types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
	family, ok := sliceFamily(slice.AddressType)
	if !ok || service.Name == "" {
		return service, nil
	}
	trimmed := &Slice{Family: family}
	ready := map[string]int{}
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		if !IsUsable(endpoint) {
			continue
		}
		trimmed.Usable = true
		if name := endpoint.NodeName; name != nil && *name != "" && (node == AllNodes || *name == node) {
			own := *name
			if own == node {
				own = node // not the memory that it was decoded into
			}
			ready[own] += readiness(endpoint)
		}
	}
	trimmed.Nodes = slices.Sorted(maps.Keys(ready))
	for _, name := range trimmed.Nodes {
		trimmed.Ready = append(trimmed.Ready, ready[name])
	}
	return service, trimmed
}

func sliceFamily(kind discoveryv1.AddressType) (frrtemplates.Family, bool) {
	switch kind {
	case discoveryv1.AddressTypeIPv4:
		return frrtemplates.IPv4, true
	case discoveryv1.AddressTypeIPv6:
		return frrtemplates.IPv6, true
	default:
		return 0, false
	}
}

// IsUsable says whether an endpoint takes connections: it is ready, or still
// serving while it terminates. kube-proxy falls back to the latter when no
// endpoint is ready (KEP-1669). What is not said is read as the API documents it:
// ready, serving as ready is, and not terminating.
func IsUsable(endpoint *discoveryv1.Endpoint) bool {
	if len(endpoint.Addresses) == 0 {
		return false
	}
	conditions := endpoint.Conditions
	serving := conditions.Serving != nil && *conditions.Serving
	terminating := conditions.Terminating != nil && *conditions.Terminating
	return readiness(endpoint) > 0 || (serving && terminating)
}

// IsReadyEndpoint says whether an endpoint is ready, and so doesn't terminate.
func IsReadyEndpoint(endpoint *discoveryv1.Endpoint) bool { return readiness(endpoint) > 0 }

// readiness is 1 for an endpoint that is ready, else 0.
func readiness(endpoint *discoveryv1.Endpoint) int {
	if ready := endpoint.Conditions.Ready; ready == nil || *ready {
		return 1
	}
	return 0
}

// TrimNode keeps what matters of a Node.
func TrimNode(node *corev1.Node) *Node {
	trimmed := &Node{
		Name: node.Name, Labels: node.Labels, Annotations: node.Annotations,
		Taints: node.Spec.Taints, Cordoned: node.Spec.Unschedulable, ShuttingDown: IsShuttingDown(node),
	}
	_, trimmed.Excluded = node.Labels[corev1.LabelNodeExcludeBalancers]
	for i := range node.Status.Conditions {
		condition := &node.Status.Conditions[i]
		if condition.Type == corev1.NodeNetworkUnavailable {
			trimmed.NetworkUnavailable = condition.Status == corev1.ConditionTrue
		}
	}
	for _, entry := range node.Status.Addresses {
		if entry.Type != corev1.NodeInternalIP {
			continue
		}
		if address, ok := parseAddress(entry.Address); ok {
			trimmed.Addresses = append(trimmed.Addresses, address)
		}
	}
	return trimmed
}

// TrimSecret keeps what matters of a Secret.
func TrimSecret(secret *corev1.Secret) *Secret {
	password, found := secret.Data[PasswordKey]
	return &Secret{
		Type:        string(secret.Type),
		Password:    frrtemplates.NewSecret(string(password)),
		HasPassword: found,
	}
}
