package v1alpha1

// GatewayFamily is the family of a default gateway.
// +kubebuilder:validation:Enum=ipv4;ipv6
type GatewayFamily string

// The families of default gateways.
const (
	DefaultGatewayIPv4 GatewayFamily = "ipv4"
	DefaultGatewayIPv6 GatewayFamily = "ipv6"
)

// DynamicASN is what AS numbers a router may have.
// +kubebuilder:validation:Enum=internal;external
type DynamicASN string

// The values of dynamicASN.
const (
	DynamicASNInternal DynamicASN = "internal"
	DynamicASNExternal DynamicASN = "external"
)

// AddressFamily is a family of routes, SAFI unicast.
// +kubebuilder:validation:Enum=IPv4;IPv6
type AddressFamily string

// The address families.
const (
	AddressFamilyIPv4 AddressFamily = "IPv4"
	AddressFamilyIPv6 AddressFamily = "IPv6"
)

// SecretReference names a Secret in the namespace of Herald's secrets.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// NodeValueSource is a place where each node has a value of its own.
//
// +kubebuilder:validation:XValidation:rule="has(self.nodeLabel) != has(self.nodeAnnotation)",message="exactly one of nodeLabel and nodeAnnotation must be set"
type NodeValueSource struct {
	// nodeLabel is the key of a label of the Node.
	// +optional
	NodeLabel NodeKey `json:"nodeLabel,omitempty"`
	// nodeAnnotation is the key of an annotation of the Node.
	// +optional
	NodeAnnotation NodeKey `json:"nodeAnnotation,omitempty"`
}

// NodeAddressSource is a place where each node has an address of its own.
//
// +kubebuilder:validation:XValidation:rule="[has(self.nodeLabel), has(self.nodeAnnotation), has(self.interface), has(self.cidr)].filter(x, x).size() == 1",message="exactly one of nodeLabel, nodeAnnotation, interface and cidr must be set"
type NodeAddressSource struct {
	// nodeLabel is the key of a label of the Node. Labels hold no colons: for IPv6
	// addresses use nodeAnnotation.
	// +optional
	NodeLabel NodeKey `json:"nodeLabel,omitempty"`
	// nodeAnnotation is the key of an annotation of the Node.
	// +optional
	NodeAnnotation NodeKey `json:"nodeAnnotation,omitempty"`
	// interface is the name of an interface of the node that has the address: of
	// the session's family (an IPv4 address for routerIDFrom), of several the first
	// IPv4 address, or the lowest global IPv6 address before unique local ones.
	// Temporary and deprecated addresses are used where there is no other,
	// link-local ones never. In peerAddressFrom: the other end of the
	// point-to-point link that the interface is, by its prefix length of 30, 31,
	// 126 or 127.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][-A-Za-z0-9_.]*$')",message="must be the name of an interface, for example eth1"
	Interface string `json:"interface,omitempty"`
	// cidr holds exactly one of the node's addresses, on whatever interface. In
	// peerAddressFrom: the other end of the point-to-point link with that address.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self) && cidr(self) == cidr(self).masked()",message="must be a CIDR without bits set behind the prefix length, for example 10.1.0.0/16 or 2001:db8::/48"
	CIDR string `json:"cidr,omitempty"`
}

// NodeKey is the key of a label or annotation.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=317
// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')",message="must be the key of a label or annotation, for example example.com/asn"
type NodeKey string
