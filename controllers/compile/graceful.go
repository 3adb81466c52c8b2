package compile

import (
	"maps"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// kernel is what the node's kernel does with packets.
type kernel struct {
	forwarding frrtemplates.Forwarding
	// serves: Services are served, whatever FRR does; looked at only where a peer
	// asks for graceful restart.
	serves bool
}

func kernelOf(s *snapshot.Snapshot) kernel {
	return kernel{forwarding: s.Host.Forwarding, serves: anyGraceful(s.Peers) && serves(s)}
}

func anyGraceful(peers []*v1alpha1.BGPPeer) bool {
	return slices.ContainsFunc(peers, func(peer *v1alpha1.BGPPeer) bool { return peer.Spec.EnableGracefulRestart })
}

// serves says whether a router may be told that packets are forwarded while FRR
// restarts (RFC 4724 section 4.1): a gate has opened since the node booted. FRR
// starts after a boot without this promise; once made it stays.
func serves(s *snapshot.Snapshot) bool {
	switch {
	case s.Gates == nil, s.Gates.Cluster.IsOpen():
		return true
	case s.Applied != nil && (s.Applied.PreservesForwarding || len(s.Applied.Prefixes) > 0):
		return true
	}
	return slices.ContainsFunc(slices.Collect(maps.Values(s.Gates.Local)), snapshot.GateState.IsOpen)
}

// restartsGracefully says whether any peer in a VRF asks for graceful restart.
func (p *Policy) restartsGracefully(vrf string) bool {
	return slices.ContainsFunc(p.Peers, func(peer *Peer) bool { return peer.VRF == vrf && peer.Neighbor.GracefulRestart })
}
