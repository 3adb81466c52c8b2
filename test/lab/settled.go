package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

// youth is how long a session may still collide with a second connection: neither end
// opens one any more, but one that was begun before may come when its daemon's turn comes.
const youth = 3 * time.Second

// WaitSettled is WaitEstablished for sessions that stay unless something resets them: at
// the nodes they are Established too, and they have been for a while. A router alone
// shows the old session of a node that crashed until a keepalive isn't answered. And where
// both ends connect at once, FRR 8.4 closes a session that is Established for a second
// connection whose OPEN comes late, and the other end closes that one (RFC 4271 section
// 6.8 keeps what is Established).
func (l *Lab) WaitSettled(ctx context.Context, r router.Router, family router.Family, nodes ...string) (map[netip.Addr]router.Session, error) {
	what := fmt.Sprintf("%s and the nodes agree on their sessions over %s", r.Config().Name, family)
	var settled map[netip.Addr]router.Session
	err := wait.Until(ctx, what, wait.Settled, func(ctx context.Context) (bool, error) {
		var err error
		if settled, err = l.WaitEstablished(ctx, r, family, nodes...); err != nil {
			return false, err
		}
		for addr, session := range settled {
			if age := time.Since(session.Since); age < youth {
				return false, fmt.Errorf("the session with %s is %s old", addr, age)
			}
		}
		if err := l.nodesAgree(r.Config().RouterID, settled); err != nil {
			return false, err
		}
		// What the nodes mean is what the router has had since it was asked.
		err = CheckNoReset(ctx, r, settled)
		return err == nil, err
	})
	return settled, err
}

// nodesAgree is nil if the nodes of these addresses have established sessions from
// there with the router of this id.
func (l *Lab) nodesAgree(routerID netip.Addr, sessions map[netip.Addr]router.Session) error {
	for _, n := range l.Nodes() {
		for _, addr := range []netip.Addr{n.Config().IPv4, n.Config().IPv6} {
			if _, ok := sessions[addr]; !ok {
				continue
			}
			if err := hasSession(n, addr, routerID); err != nil {
				return err
			}
		}
	}
	return nil
}

func hasSession(n *node.Node, from, routerID netip.Addr) error {
	out, err := frr.Show(n.FRRDir(), "bgpd", "show bgp vrf all neighbors json")
	if err != nil {
		return fmt.Errorf("%s: %w", n.Name(), err)
	}
	// Of each VRF an object, which has its neighbors among other things.
	var vrfs map[string]map[string]json.RawMessage
	if err := json.Unmarshal([]byte(out), &vrfs); err != nil {
		return fmt.Errorf("%s: neighbors: %w", n.Name(), err)
	}
	for _, vrf := range vrfs {
		for _, raw := range vrf {
			var neighbor struct {
				State     string `json:"bgpState"`
				RemoteID  string `json:"remoteRouterId"`
				HostLocal string `json:"hostLocal"`
			}
			if json.Unmarshal(raw, &neighbor) == nil && neighbor.State == router.Established &&
				neighbor.RemoteID == routerID.String() && neighbor.HostLocal == from.String() {
				return nil
			}
		}
	}
	return fmt.Errorf("%s: no session from %s with %s is Established there", n.Name(), from, routerID)
}
