package snapshot

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/bigmap"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Snapshot is everything that one node's configuration is compiled from. It is
// immutable once made.
type Snapshot struct {
	// Node whose configuration is compiled.
	Node *Node
	// Settings of the Herald object; nil: every default.
	Settings *Settings
	// Pools, Peers, Advertisements and Communities in no particular order.
	Pools          []*v1alpha1.IPAddressPool
	Peers          []*v1alpha1.BGPPeer
	Advertisements []*v1alpha1.BGPAdvertisement
	Communities    []*v1alpha1.Community
	BFDProfiles    []*v1alpha1.BFDProfile
	Snippets       []*v1alpha1.FRRSnippet
	FlowPolicies   []*v1alpha1.FlowPolicy
	// Secrets in the namespace of Herald's secrets, by name. Nil where Secrets
	// can't be read (in the manager): then passwords are unknown, not missing.
	Secrets map[string]*Secret
	// Namespaces by name.
	Namespaces map[string]*Namespace
	// Services of type LoadBalancer and of Herald's class that have an address.
	Services bigmap.View[types.NamespacedName, *Service]
	// Slices of these Services, by Service and by the slice's name.
	Slices bigmap.View[types.NamespacedName, map[string]*Slice]
	// Cluster is what the whole cluster has for itself; nil where that isn't known.
	Cluster *Cluster
	// Nodes of the cluster that Herald runs on, this one too, sorted by name; nil where
	// that isn't known.
	Nodes []*ClusterNode
	// Gates of the node's dataplane; nil outside the agent: every gate is open.
	Gates *Gates
	// Applied is what the last accepted file held; nil where there was none.
	Applied *Applied
	// Host is what the node's kernel says; the zero value outside the agent.
	Host Host
	// Refused are the objects that this node's FRR refuses; nil outside the agent.
	Refused map[ObjectKey]Refusal
	// Network is what it says of the node's interfaces. Nil where it can't be asked
	// (outside the agent): then their addresses are unknown, not missing.
	Network *Network
	// Others are the other nodes, while this one drains; nil: not known.
	Others *Others
	// FRREnds: the node's pod of FRR is being deleted.
	FRREnds bool
	// Drain is how far the node's drain is.
	Drain Drain
	// Mark stands for this Snapshot, and Changes are those since another one; none
	// where no Store made it.
	Mark    *Mark
	Changes Changes
}

// Node is what matters of a Node.
type Node struct {
	Name   string
	Labels map[string]string
	// Annotations; those that no peer names don't matter.
	Annotations map[string]string
	// Addresses are the InternalIPs, in the order of the Node's status.
	Addresses []netip.Addr
	// Excluded: the node has the label
	// node.kubernetes.io/exclude-from-external-load-balancers, of whatever value.
	Excluded bool
	// NetworkUnavailable: the node's condition of that name is True.
	NetworkUnavailable bool
	// Taints, Cordoned and ShuttingDown (the kubelet says so) may drain the node.
	Taints                 []corev1.Taint
	Cordoned, ShuttingDown bool
}

// Secret is what matters of a Secret.
type Secret struct {
	Type string
	// Password is the value of the key "password"; HasPassword says whether the
	// key exists.
	Password    frrtemplates.Secret
	HasPassword bool
}

// Namespace is what matters of a Namespace.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Service is what matters of a Service.
type Service struct {
	Key    types.NamespacedName
	Labels map[string]string
	// Class is spec.loadBalancerClass.
	Class *string
	// Addresses in status.loadBalancer.ingress, in that order.
	Addresses []netip.Addr
	// Local is externalTrafficPolicy: Local.
	Local bool
	// HealthCheckNodePort of a Local Service, else 0.
	HealthCheckNodePort uint16
	// OtherProxy: its label leaves it to another service proxy than kube-proxy.
	OtherProxy bool
	// Ports in the order of the Service's spec.
	Ports []Port
}

// Port is one that a Service takes connections on.
type Port struct {
	Protocol corev1.Protocol
	Port     uint16
}

// Slice is what matters of an EndpointSlice: where a usable endpoint is. An
// endpoint is usable when it is ready, or serving while it terminates.
type Slice struct {
	Family frrtemplates.Family
	// Usable says whether there is a usable endpoint anywhere.
	Usable bool
	// Nodes that have a usable endpoint, sorted. A node's agent keeps only its
	// own name here.
	Nodes []string
	// Ready says how many of each of these nodes' endpoints are ready, as Nodes is
	// sorted.
	Ready []int
}

// ReadyOn is how many endpoints are ready on a node.
func (s *Slice) ReadyOn(node string) int {
	if at, found := slices.BinarySearch(s.Nodes, node); found && at < len(s.Ready) {
		return s.Ready[at]
	}
	return 0
}

// GateState says whether a Service may be announced for the first time.
type GateState uint8

// The states of a gate.
const (
	GateClosed GateState = iota
	GateOpen
	// GateTimedOut is open, because nothing answered in time.
	GateTimedOut
	// GateRefused is closed: kube-proxy answers for itself, and nothing has listened
	// at the Service's health check port for long.
	GateRefused
)

// Gates are closed until the node's dataplane serves, and never close again
// while the node is up.
type Gates struct {
	// Cluster is the gate of all Services with externalTrafficPolicy: Cluster.
	Cluster GateState
	// Local are the gates of the others; absent is closed.
	Local map[types.NamespacedName]GateState
	// Relay is that of all Services whose connections the relay is to preserve, beside
	// the former. It is of a node that starts: once open it concerns nobody any more.
	Relay GateState
	// Announced are the prefixes that Relay doesn't hold back, as they are announced
	// already; kept while it is closed.
	Announced map[netip.Prefix]struct{}
}

// Applied is what the last accepted configuration file held. Its prefixes are
// open, and its numbers stay with their classes for life.
type Applied struct {
	Prefixes map[netip.Prefix]struct{}
	// PreservesForwarding: it tells routers that the node forwards while FRR
	// restarts.
	PreservesForwarding bool
	// Tags by the name of the class's route-map.
	Tags map[string]frrtemplates.Tag
	// Sequences in the outbound maps, by tag.
	Sequences map[frrtemplates.Tag]uint16
}

// Host is what the node's kernel says.
type Host struct {
	Forwarding frrtemplates.Forwarding
}
