package status

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// withdrawn is a view of a node that has withdrawn for an hour, and owns no connection.
func withdrawn() View {
	view := goodView()
	view.OthersKnown, view.Connections = true, new(int64)
	view.Drain = drain.State{Stage: drain.Withdrawn, Trigger: "annotation", Since: noon.Add(-time.Hour), Confirmed: noon.Add(-time.Hour)}
	view.DrainLimits = snapshot.DrainLimits{Converge: 10 * time.Second, Connections: time.Minute}
	return view
}

func safeToShutdown(view View) string {
	status := Node(view, v1alpha1.BGPNodeStatus{}, 1)
	safe := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSafeToShutdown)
	return string(safe.Status) + " " + safe.Reason + " " + safe.Message
}

// What is waited for is told, with the remedy.
func TestLastHolderSaysWhatItWaitsFor(t *testing.T) {
	web := snapshot.Route{Service: types.NamespacedName{Namespace: "shop", Name: "web"}, Address: netip.MustParseAddr("203.0.113.7")}
	red := web
	red.VRF = "red"
	lacks := func(lack snapshot.Lack) []compile.Missing {
		return []compile.Missing{{Node: "n2", Lacks: lack, Peer: "tor"}}
	}
	const before = "False LastHolder no other node announces the Services in status.drain.lastHolderOf; shop/web (203.0.113.7): "
	for want, wait := range map[string]compile.Wait{
		before + "the other nodes aren't known yet: ":                                                           {Unknown: true},
		before + "no other node has a ready endpoint: let its pods run elsewhere (kubectl drain node-a)":        {NoEndpoint: true},
		before + "there is no other node: add one, or end the drain (kubectl herald undrain node-a)":            {},
		before + "n2 takes over when it has been able to for 10s (spec.drain.convergeTime, at least 3s)":        {Nodes: lacks(snapshot.LackTime)},
		before + "n2 has no Established session with tor (kubectl get bgpsessions)":                             {Nodes: lacks(snapshot.LackSession)},
		before + "n2 drains too (kubectl herald undrain n2)":                                                    {Nodes: lacks(snapshot.LackDrains)},
		before + "n2 holds routes back until its dataplane or relay is ready (kubectl describe bgpnode n2)":     {Nodes: lacks(snapshot.LackDataplane)},
		before + "n2 isn't Programmed (kubectl describe bgpnode n2)":                                            {Nodes: lacks(snapshot.LackProgrammed)},
		before + "n2 isn't Ready as BGPNode (kubectl describe bgpnode n2)":                                      {Nodes: lacks(snapshot.LackReady)},
		before + "n2 isn't Ready as Node (kubectl describe node n2)":                                            {Nodes: lacks(snapshot.LackNode)},
		before + "n2 has no BGPNode (does a herald-agent pod run on it?)":                                       {Nodes: lacks(snapshot.LackReport)},
		before + "n2 has no BGPAdvertisement and BGPPeer that announce it (kubectl herald explain shop/web)":    {Nodes: lacks(snapshot.LackRoute)},
		before[:len(before)-len(" (203.0.113.7): ")] + " and 2 more (203.0.113.7 in VRF red): n2 drains too (k": {Route: red, Services: 3, Nodes: lacks(snapshot.LackDrains)},
		before + "n2 isn't Programmed (kubectl describe bgpnode n2), and 7 more":                                {Nodes: lacks(snapshot.LackProgrammed), More: 7},
	} {
		if wait.Services == 0 {
			wait.Route, wait.Services = web, 1
		}
		view := withdrawn()
		view.Result.Kept, view.Result.Waits = []types.NamespacedName{web.Service}, []compile.Wait{wait}
		if got := safeToShutdown(view); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// However long the names are, the message is bounded.
func TestLastHolderIsBounded(t *testing.T) {
	long := strings.Repeat("n", 253)
	wait := compile.Wait{Route: snapshot.Route{Service: types.NamespacedName{Namespace: long, Name: long}}, Services: 1}
	for range 3 {
		wait.Nodes = append(wait.Nodes, compile.Missing{Node: long, Lacks: snapshot.LackDataplane})
	}
	view := withdrawn()
	view.Result.Kept, view.Result.Waits = []types.NamespacedName{wait.Route.Service}, []compile.Wait{wait, wait, wait}
	if got := safeToShutdown(view); len(got) > maxMessage+len("False LastHolder ") || !strings.Contains(got, long) {
		t.Errorf("%d bytes", len(got))
	}
}

// A node that can't tell FRR to withdraw isn't safe, whatever it would announce.
func TestNotSafeWhatFRRWasNotTold(t *testing.T) {
	view := withdrawn()
	if got := safeToShutdown(view); !strings.HasPrefix(got, "True NoConnections") {
		t.Fatal(got)
	}
	view.WriteError = "no space left on device"
	if got := safeToShutdown(view); !strings.HasPrefix(got, "False NotConfirmed") {
		t.Error(got)
	}
}

// A drain that its agent can't keep says so: neither a begin nor an end comes of it.
func TestDrainThatCannotBeKept(t *testing.T) {
	view := goodView()
	view.DrainError = "the state of the drain can't be kept: no space left on device"
	if got := safeToShutdown(view); !strings.HasPrefix(got, "False NotDraining the drain can't begin: the state of the drain can't be kept: no space left") {
		t.Error(got)
	}
	view = withdrawn()
	view.DrainError = "the state of the drain can't be kept: no space left on device"
	if got := safeToShutdown(view); !strings.Contains(got, "nor be ended: the state of the drain can't be kept: no space left") {
		t.Error(got)
	}
}

// A last holder names 64 Services: of another one that it keeps nobody says that no node
// announces it.
func TestLastHolderKeepsMoreThanItNames(t *testing.T) {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
	key := types.NamespacedName{Namespace: "shop", Name: "web"}
	fleet := &Fleet{Reports: map[string]NodeReport{}, Established: map[SessionKey]bool{}}
	for _, name := range []string{"n1", "n2"} {
		fleet.Policies = append(fleet.Policies, compile.NewPolicy(&snapshot.Snapshot{
			Node:           &snapshot.Node{Name: name, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}},
			Pools:          []*v1alpha1.IPAddressPool{{ObjectMeta: named("p"), Spec: v1alpha1.IPAddressPoolSpec{Addresses: []v1alpha1.AddressBlock{"203.0.113.0/24"}}}},
			Peers:          []*v1alpha1.BGPPeer{{ObjectMeta: named("tor"), Spec: v1alpha1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513, PeerAddress: "192.0.2.1"}}},
			Advertisements: []*v1alpha1.BGPAdvertisement{{ObjectMeta: named("all")}},
		}))
		fleet.Established[SessionKey{Node: name, Peer: "tor"}] = true
	}
	subject := compile.Subject{
		Service: &snapshot.Service{Key: key, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.7")}},
		Slices:  map[string]*snapshot.Slice{"web-1": {Family: frrtemplates.IPv4, Usable: true}},
	}
	for _, test := range []struct {
		total int32
		other NodeReport
		want  string
	}{
		{total: 65, other: NodeReport{Withdrawn: true}, want: v1alpha1.ReasonAllNodes},
		{total: 64, other: NodeReport{Withdrawn: true}, want: v1alpha1.ReasonNodesDraining},
		{total: 65, other: NodeReport{}, want: v1alpha1.ReasonSomeNodes}, // it isn't Programmed
	} {
		held := &v1alpha1.HeldServices{Total: test.total}
		for range 64 {
			held.Services = append(held.Services, "shop/another")
		}
		fleet.Reports["n1"] = ReportOf(&v1alpha1.BGPNode{Status: v1alpha1.BGPNodeStatus{
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionTrue}},
			Drain:      &v1alpha1.DrainStatus{Stage: v1alpha1.DrainServing, LastHolderOf: held},
		}})
		fleet.Reports["n2"] = test.other
		if got := AnnouncedOf(fleet, subject).Reason; got != test.want {
			t.Errorf("%d kept, the other %+v: %s, want %s", test.total, test.other, got, test.want)
		}
	}
}
