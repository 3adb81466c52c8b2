package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
)

const (
	// DefaultSecretsNamespace is where peers' password Secrets live: a
	// namespace of their own, the only one that agents may read Secrets in.
	DefaultSecretsNamespace = "herald-secrets"
	// DefaultLoadBalancerClass is the class that Herald serves beside Services
	// without one.
	DefaultLoadBalancerClass = GroupName + "/bgp"

	// AnnotationIPs on a Service asks for addresses: comma-separated, at most one
	// per family.
	AnnotationIPs = GroupName + "/ips"
	// AnnotationPool on a Service asks for addresses of the pool of that name.
	AnnotationPool = GroupName + "/pool"
	// AnnotationSharingKey on a Service lets it share an address with Services
	// that have the same key, if their ports are disjoint.
	AnnotationSharingKey = GroupName + "/sharing-key"

	maxObjectName = 253
	hashLength    = 10
)

// SessionName is the name of the BGPSession of a node and a peer: "node.peer",
// shortened with a hash of both where that would be ambiguous or longer than
// 253 characters (both names may contain dots, and each may have 253).
func SessionName(node, peer string) string {
	sum := sha256.Sum256([]byte(node + "/" + peer))
	suffix := "." + hex.EncodeToString(sum[:])[:hashLength]
	name := node + "." + peer
	if len(name)+len(suffix) > maxObjectName {
		name = name[:maxObjectName-len(suffix)]
		for name[len(name)-1] == '.' || name[len(name)-1] == '-' {
			name = name[:len(name)-1]
		}
	}
	return name + suffix
}
