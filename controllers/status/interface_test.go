package status

import (
	"testing"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/report"
)

// A peer behind an interface has it for name; its address is what FRR found there.
func TestSessionBehindAnInterface(t *testing.T) {
	view := goodView()
	end := frrtemplates.End{Interface: "eth1"}
	router := &view.Result.Config.Routers[0]
	router.Neighbors = append(router.Neighbors, frrtemplates.Neighbor{End: end, Dynamic: frrtemplates.AnyExternal})
	view.Result.Origins.Peers[compile.NeighborKey{End: end}] = "unnumbered"
	view.Report.Sessions = append(view.Report.Sessions, report.Session{Address: "eth1", State: "Idle"})
	session := func() Session { return Sessions(view)[1] }
	if s := session(); s.Spec.Peer != "unnumbered" || s.Status.Interface != "eth1" || s.Status.Address != "" || s.Status.State != "Idle" {
		t.Errorf("%+v", s)
	}
	seen := &view.Report.Sessions[len(view.Report.Sessions)-1]
	seen.State, seen.LinkLocal, seen.LocalASN, seen.RemoteASN = "Established", "fe80::1", 64512, 64500
	if s := session(); s.Status.Interface != "eth1" || s.Status.Address != "fe80::1" || s.Status.State != "Established" || s.Status.RemoteASN != 64500 {
		t.Errorf("%+v", s)
	}
	router.Families = append(router.Families, frrtemplates.RouterFamily{Family: frrtemplates.IPv4, Neighbors: []frrtemplates.NeighborFamily{{End: end}}})
	if told := Issues(view); len(told) != 1 || told[0].Object.Name != "unnumbered" || told[0].Reason != v1alpha1.ReasonNoNextHop {
		t.Errorf("a router that takes no IPv6 next hops: %+v", told)
	}
	seen.ExtendedNextHop = true
	if told := Issues(view); len(told) != 0 {
		t.Errorf("a router that takes them: %+v", told)
	}
	if s := Sessions(view)[0]; s.Status.Interface != "" || s.Status.Address != "192.0.2.1" {
		t.Errorf("%+v", s)
	}
}
