package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

// The steady sessions: every node with every router, over both families, from
// the first spec to the last. Bringing them up takes seconds, so specs share
// them; and that they outlive all specs is itself the test of S8.

// peerName is the name of the steady BGPPeer of a router over a family: "tor-a",
// "tor-a-ipv6".
func peerName(routerName string, family router.Family) string {
	if family == router.IPv4 {
		return routerName
	}
	return routerName + "-" + string(family)
}

// steadyPeer makes the BGPPeer that stays for the whole run.
func steadyPeer(routerName string, family router.Family) *v1alpha1.BGPPeer {
	peer := site.Peer(routerName, family)
	peer.Name = peerName(routerName, family)
	return peer
}

// steadyPeers are all of them.
func steadyPeers() []crclient.Object {
	var peers []crclient.Object
	for _, r := range site.Routers() {
		for _, family := range families {
			peers = append(peers, steadyPeer(r.Config().Name, family))
		}
	}
	return peers
}

// sessions are each router's as they were when they were last restored, by the
// router's name.
var sessions = map[string]map[netip.Addr]router.Session{}

// resetsExpected are names that the spec gave to mayReset; everything is "".
var resetsExpected []string

// mayReset says that this spec resets sessions on purpose: those of the nodes,
// routers or steady BGPPeers named; all if none is.
func mayReset(names ...string) {
	if len(names) == 0 {
		names = []string{""}
	}
	resetsExpected = append(resetsExpected, names...)
}

// restoreSessions brings the steady sessions up, where they aren't, and
// remembers them.
func restoreSessions(ctx context.Context) error {
	for _, obj := range steadyPeers() {
		if err := restorePeer(ctx, obj.(*v1alpha1.BGPPeer)); err != nil {
			return err
		}
	}
	for _, r := range site.Routers() {
		all := map[netip.Addr]router.Session{}
		for _, family := range families {
			established, err := site.WaitSettled(ctx, r, family)
			if err != nil {
				return err
			}
			for addr, session := range established {
				all[addr] = session
			}
		}
		sessions[r.Config().Name] = all
	}
	return nil
}

// restorePeer makes the peer as it should be. It is only written if it isn't:
// else every spec would begin with an apply.
func restorePeer(ctx context.Context, want *v1alpha1.BGPPeer) error {
	var have v1alpha1.BGPPeer
	err := site.API().Get(ctx, crclient.ObjectKeyFromObject(want), &have)
	if apierrors.IsNotFound(err) {
		return site.Create(ctx, want)
	}
	if err != nil {
		return err
	}
	if want.Spec.PeerPort == nil {
		want.Spec.PeerPort = ptr.To(int32(179)) // the API server's default
	}
	if equality.Semantic.DeepEqual(have.Spec, want.Spec) {
		return nil
	}
	// Whoever wrote the status meanwhile is no conflict.
	before := have.DeepCopy()
	have.Spec = want.Spec
	return site.API().Patch(ctx, &have, crclient.MergeFrom(before))
}

// checkSessions compares the steady sessions with what they were before the
// spec, those that it may reset left out.
func checkSessions(ctx context.Context) error {
	var failed []error
	for _, r := range site.Routers() {
		before := map[netip.Addr]router.Session{}
		for addr, session := range sessions[r.Config().Name] {
			if !resetExpected(r.Config().Name, addr) {
				before[addr] = session
			}
		}
		failed = append(failed, lab.CheckNoReset(ctx, r, before))
	}
	return errors.Join(failed...)
}

// resetExpected is whether the spec may reset the session of a router with a
// node's address.
func resetExpected(routerName string, neighbor netip.Addr) bool {
	family := router.FamilyOf(lab.HostRoute(neighbor))
	names := []string{"", routerName, peerName(routerName, family)}
	for _, n := range site.Nodes() {
		if n.Config().IPv4 == neighbor || n.Config().IPv6 == neighbor {
			names = append(names, n.Name())
		}
	}
	return slices.ContainsFunc(resetsExpected, func(name string) bool { return slices.Contains(names, name) })
}

// expectNoReset checks in the middle of a spec that no steady session was reset
// since it began.
func expectNoReset(ctx context.Context) {
	GinkgoHelper()
	Expect(checkSessions(ctx)).To(Succeed())
}

// sessionOf is a router's session with a node over a family, now.
func sessionOf(ctx context.Context, routerName, nodeName string, family router.Family) (router.Session, error) {
	all, err := site.Router(routerName).Sessions(ctx)
	if err != nil {
		return router.Session{}, err
	}
	addr := site.NodeAddresses(family, nodeName)[0]
	session, ok := all[addr]
	if !ok {
		return session, fmt.Errorf("%s has no neighbor %s", routerName, addr)
	}
	return session, nil
}
