package status

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/report"
)

// A peer in a VRF that the node doesn't have is told on node, session and peer, as
// long as that is so; its twin in the default VRF has nothing to do with it.
func TestVRFThatIsMissing(t *testing.T) {
	tor := netip.MustParseAddr("192.0.2.1")
	view := goodView()
	view.Result.Config.Routers = append(view.Result.Config.Routers, frrtemplates.Router{
		VRF: "red", ASN: 64600, Neighbors: []frrtemplates.Neighbor{{End: frrtemplates.End{Address: tor}, RemoteASN: 64513}},
	})
	view.Result.Origins.Peers[compile.NeighborKey{VRF: "red", End: frrtemplates.End{Address: tor}}] = "tor-red"
	view.Result.Issues = []compile.Issue{{Object: compile.ObjectRef{Kind: "BGPPeer", Name: "z"}, Reason: "SecretNotFound"}}
	view.Report.Sessions = []report.Session{
		{Address: "192.0.2.1", State: "Established", LocalASN: 64512, RemoteASN: 64513},
		{Address: "192.0.2.1", VRF: "red", VRFMissing: true, State: "Idle", LastResetReason: `the node has no VRF device "red"`},
	}

	sessions := Sessions(view)
	if len(sessions) != 2 || sessions[0].Status.State != "Established" || sessions[0].Status.VRF != "" {
		t.Fatalf("%+v", sessions)
	}
	if s := sessions[1]; s.Spec.Peer != "tor-red" || s.Status.VRF != "red" || s.Status.LocalASN != 64600 || s.Status.State != "Idle" ||
		s.Status.LastReset.Reason != `the node has no VRF device "red"` {
		t.Errorf("%+v", s)
	}
	told := Node(view, v1alpha1.BGPNodeStatus{}, 1).Issues
	if len(told) != 2 || told[0].Kind != "BGPPeer" || told[0].Name != "tor-red" || told[0].Reason != v1alpha1.ReasonVRFNotFound ||
		!strings.Contains(told[0].Message, `node "node-a" has no VRF device "red"`) || !strings.Contains(told[0].Message, "ip link add red type vrf") {
		t.Errorf("%+v", told)
	}
	if len(view.Result.Issues) != 1 {
		t.Errorf("the Result was changed: %+v", view.Result.Issues)
	}

	unknown := view
	unknown.Fresh = false
	if told := Issues(unknown); len(told) != 1 {
		t.Errorf("told by a report that can't be believed: %+v", told)
	}
	view.Report.Sessions[1].VRFMissing = false
	if told := Issues(view); len(told) != 1 {
		t.Errorf("told after the device came: %+v", told)
	}
}
