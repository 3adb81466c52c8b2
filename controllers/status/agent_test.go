package status

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/report"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// goodView is a node where all is well.
func goodView() View {
	tor := netip.MustParseAddr("192.0.2.1")
	return View{
		Node: "node-a", Now: noon, DesiredHash: "new", DesiredSince: noon, Fresh: true,
		Result: &compile.Result{
			Config: frrtemplates.Config{Routers: []frrtemplates.Router{{
				ASN:       64512,
				Neighbors: []frrtemplates.Neighbor{{End: frrtemplates.End{Address: tor}, RemoteASN: 64513}},
				Families: []frrtemplates.RouterFamily{
					{Family: frrtemplates.IPv4, Networks: make([]frrtemplates.Network, 3)},
					{Family: frrtemplates.IPv6, Networks: make([]frrtemplates.Network, 2)},
				},
			}}},
			Origins: compile.Origins{Peers: map[compile.NeighborKey]string{{End: frrtemplates.End{Address: tor}}: "tor-a"}},
		},
		Report: &report.Report{AppliedHash: "new", AttemptedHash: "new", FRR: report.FRR{Version: "10.3"}},
	}
}

func TestNodeConditions(t *testing.T) {
	tests := map[string]struct {
		edit              func(*View)
		ready, programmed string
	}{
		"all is well":        {func(*View) {}, "True Reporting", "True Applied"},
		"no report":          {func(v *View) { v.Report, v.Fresh, v.ReportError = nil, false, "no report.json" }, "False ReloaderNotReporting no report.json", "Unknown ReloaderNotReporting no report.json"},
		"old report":         {func(v *View) { v.Fresh = false }, "False ReloaderNotReporting the reloader's last report is older than 10s", "Unknown ReloaderNotReporting"},
		"bgpd silent":        {func(v *View) { v.Report.FRR.Version = "" }, "False FRRNotRunning bgpd does not answer", "True Applied"},
		"daemons silent":     {func(v *View) { v.Report.FRR.Daemons = map[string]bool{"zebra": false, "bgpd": true, "bfdd": false} }, "False FRRNotRunning bfdd, zebra: no answer", "True Applied"},
		"FRR refuses":        {func(v *View) { v.Report.FRR.Error = "another FRR" }, "False FRRNotRunning another FRR", "True Applied"},
		"FRR unsupported":    {func(v *View) { v.Report.FRR.Unsupported = true }, "False FRRUnsupported FRR 10.3 is not", "True Applied"},
		"disk full":          {func(v *View) { v.WriteError = "no space left" }, "True Reporting", "False ApplyFailed no space left"},
		"file refused":       {func(v *View) { v.Report.FileError = "truncated" }, "True Reporting", "False ApplyFailed truncated"},
		"apply failed":       {func(v *View) { v.behind("new", "% Unknown command") }, "True Reporting", "False ApplyFailed % Unknown command"},
		"under way":          {func(v *View) { v.behind("old", "") }, "True Reporting", "absent"},
		"overdue":            {func(v *View) { v.behind("old", ""); v.Now = noon.Add(PendingGrace) }, "True Reporting", "False Pending"},
		"back to the good":   {func(v *View) { v.Report.AttemptedHash, v.Report.LastApply = "bad", &report.Apply{Error: "x"} }, "True Reporting", "True Applied"},
		"an older failure":   {func(v *View) { v.behind("old", "x"); v.Now = noon.Add(PendingGrace) }, "True Reporting", "False Pending"},
		"a very long error":  {func(v *View) { v.WriteError = strings.Repeat("ä", 5000) }, "True Reporting", "False ApplyFailed ä"},
		"the same, repeated": {func(v *View) { v.behind("new", "x"); v.Now = noon.Add(time.Hour) }, "True Reporting", "False ApplyFailed x"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			view := goodView()
			test.edit(&view)
			next := Node(view, v1alpha1.BGPNodeStatus{}, 1)
			check(t, next.Conditions, v1alpha1.ConditionReady, test.ready)
			if test.programmed == "absent" {
				test.programmed = "False Pending" // from first sight
				kept := Node(view, Node(goodView(), v1alpha1.BGPNodeStatus{}, 1), 1)
				check(t, kept.Conditions, v1alpha1.ConditionProgrammed, "True Applied")
			}
			check(t, next.Conditions, v1alpha1.ConditionProgrammed, test.programmed)
			if again := Node(view, next, 1); CompareNode(next, again) != ChangeNone {
				t.Errorf("said twice it differs: %+v, %+v", next, again)
			}
		})
	}
}

func (v *View) behind(attempted, applyError string) {
	v.Report.AppliedHash, v.Report.AttemptedHash = "old", attempted
	if applyError != "" {
		v.Report.LastApply = &report.Apply{Error: applyError}
	}
}

func check(t *testing.T, conditions []metav1.Condition, kind, want string) {
	t.Helper()
	c := meta.FindStatusCondition(conditions, kind)
	if c == nil {
		t.Fatalf("no %s", kind)
	}
	if got := string(c.Status) + " " + c.Reason + " " + c.Message; !strings.HasPrefix(got, want) {
		t.Errorf("%s: %q, want %q…", kind, got, want)
	}
	if len(c.Message) > maxMessage || c.Message == "" || c.ObservedGeneration != 1 {
		t.Errorf("%s: message of %d bytes, generation %d", kind, len(c.Message), c.ObservedGeneration)
	}
}

func TestNodeStatus(t *testing.T) {
	view := goodView()
	view.Report.LastApply = &report.Apply{Steps: []string{"vty-remove", "frr-reload"}, Duration: 1234 * time.Millisecond, Time: noon.Add(5 * time.Millisecond)}
	for range 100 {
		view.Result.Issues = append(view.Result.Issues, compile.Issue{
			Object: compile.ObjectRef{Kind: "BGPPeer", Name: "tor-b"}, Reason: "SecretNotFound", Message: strings.Repeat("é", 2000),
		})
	}
	got := Node(view, v1alpha1.BGPNodeStatus{}, 1)
	if len(got.Issues) != 64 || len(got.Issues[0].Message) > 1024 || got.Issues[0].Kind != "BGPPeer" || got.Issues[0].Reason != "SecretNotFound" {
		t.Errorf("issues: %d, %+v", len(got.Issues), got.Issues[0])
	}
	at := metav1.NewTime(noon)
	want := &v1alpha1.ApplyStatus{Method: "vty-remove+frr-reload", DurationMilliseconds: 1234, Outcome: v1alpha1.ApplyApplied, Time: &at}
	if !reflect.DeepEqual(got.LastApply, want) {
		t.Errorf("lastApply %+v, want %+v", got.LastApply, want)
	}
	if got.Routes == nil || *got.Routes != (v1alpha1.RouteCount{IPv4: 3, IPv6: 2}) || got.DesiredHash != "new" || got.AppliedHash != "new" || got.FRRVersion != "10.3" {
		t.Errorf("got %+v", got)
	}
}

func TestCompareNode(t *testing.T) {
	base := goodView()
	base.Report.LastApply = &report.Apply{Time: noon}
	old := Node(base, v1alpha1.BGPNodeStatus{}, 1)
	tests := map[string]struct {
		edit func(*View)
		want Change
	}{
		"nothing":         {func(*View) {}, ChangeNone},
		"later":           {func(v *View) { v.Now = noon.Add(time.Hour) }, ChangeNone},
		"hashes":          {func(v *View) { v.DesiredHash, v.Report.AppliedHash = "next", "next" }, ChangeCounters},
		"timing":          {func(v *View) { v.Report.LastApply.Time = noon.Add(time.Minute) }, ChangeCounters},
		"routes":          {func(v *View) { v.Result.Config.Routers = nil }, ChangeCounters},
		"FRR's version":   {func(v *View) { v.Report.FRR.Version = "8.4.4" }, ChangeTransition},
		"an error":        {func(v *View) { v.Report.LastApply.Error = "x" }, ChangeTransition},
		"an issue":        {func(v *View) { v.Result.Issues = []compile.Issue{{Reason: "x"}} }, ChangeTransition},
		"reloader silent": {func(v *View) { v.Fresh = false }, ChangeTransition},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			view := goodView()
			view.Report.LastApply = &report.Apply{Time: noon}
			test.edit(&view)
			if got := CompareNode(old, Node(view, old, 1)); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestSessions(t *testing.T) {
	since := noon.Add(-time.Hour)
	seen := report.Session{
		Address: "192.0.2.1", LocalASN: 64512, RemoteASN: 64513, State: "Established", Since: &since, Flaps: 2,
		LastResetReason: "Hold Timer Expired", LastResetTime: &since, IPv4: &report.Prefixes{Sent: 3, Accepted: 1},
	}
	tests := map[string]struct {
		edit  func(*View)
		state v1alpha1.SessionState
		flaps int64
	}{
		"not shown by FRR": {func(*View) {}, "Idle", 0},
		"established":      {func(v *View) { v.Report.Sessions = []report.Session{seen} }, "Established", 2},
		"reloader silent":  {func(v *View) { v.Report.Sessions, v.Fresh = []report.Session{seen}, false }, "Unknown", 2},
		"bgpd silent":      {func(v *View) { v.Report.FRR.Version = "" }, "Unknown", 0},
		"bgpd gone": {func(v *View) {
			s := seen
			s.State = "Idle"
			v.Report.Sessions, v.Report.FRR.Version = []report.Session{s}, ""
		}, "Idle", 2},
		"bgpd hangs":             {func(v *View) { v.Report.Sessions, v.Report.FRR.Version = []report.Session{seen}, "" }, "Unknown", 2},
		"never reported":         {func(v *View) { v.Report, v.Fresh = nil, false }, "Unknown", 0},
		"the same address apart": {func(v *View) { s := seen; s.VRF = "red"; v.Report.Sessions = []report.Session{s} }, "Idle", 0},
		"on its way down":        {func(v *View) { s := seen; s.State = "Clearing"; v.Report.Sessions = []report.Session{s} }, "Idle", 2},
		"foreign neighbors":      {func(v *View) { s := seen; s.Address = "192.0.2.99"; v.Report.Sessions = []report.Session{s} }, "Idle", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			view := goodView()
			test.edit(&view)
			sessions := Sessions(view)
			if len(sessions) != 1 || sessions[0].Name != v1alpha1.SessionName("node-a", "tor-a") || sessions[0].Spec.Peer != "tor-a" {
				t.Fatalf("sessions %+v", sessions)
			}
			got := sessions[0].Status
			if got.State != test.state || (test.flaps > 0 && (got.Flaps == nil || *got.Flaps != test.flaps)) || got.Address != "192.0.2.1" || got.LocalASN != 64512 || got.RemoteASN != 64513 {
				t.Errorf("got %+v, want %s with %d flaps", got, test.state, test.flaps)
			}
		})
	}
}

func TestNegotiatedParameters(t *testing.T) {
	for name, c := range map[string]struct {
		state      string
		graceful   bool
		pending    []report.Parameter
		negotiated v1alpha1.GracefulRestart
		needed     []v1alpha1.SessionParameter
	}{
		"down":           {"Active", true, []report.Parameter{report.HoldTime}, "", nil},
		"negotiated":     {"Established", true, nil, "Negotiated", nil},
		"not negotiated": {"Established", false, nil, "NotNegotiated", nil},
		"all pending": {
			"Established", false, []report.Parameter{report.HoldTime, report.KeepaliveTime, report.GracefulRestart}, "NotNegotiated",
			[]v1alpha1.SessionParameter{"holdTime", "keepaliveTime", "enableGracefulRestart"},
		},
		"of another release": {"Established", false, []report.Parameter{"colour"}, "NotNegotiated", nil},
	} {
		view := goodView()
		view.Report.Sessions = []report.Session{{Address: "192.0.2.1", State: c.state, GracefulRestart: c.graceful, Pending: c.pending}}
		got := Sessions(view)[0].Status
		if got.GracefulRestart != c.negotiated || !slices.Equal(got.RestartNeeded, c.needed) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSessionChanges(t *testing.T) {
	at := func(d time.Duration) *metav1.Time { m := metav1.NewTime(noon.Add(d)); return &m }
	base := func() v1alpha1.BGPSessionStatus {
		return v1alpha1.BGPSessionStatus{
			State: "Established", Since: at(0), Prefixes: v1alpha1.SessionPrefixes{IPv4: &v1alpha1.PrefixCount{Sent: 1}},
			LastReset: &v1alpha1.SessionReset{Reason: "Admin", Time: at(0)},
		}
	}
	tests := map[string]struct {
		edit func(*v1alpha1.BGPSessionStatus)
		want Change
	}{
		"nothing":         {func(*v1alpha1.BGPSessionStatus) {}, ChangeNone},
		"a clock's error": {func(s *v1alpha1.BGPSessionStatus) { s.Since, s.LastReset.Time = at(time.Second), at(-time.Second) }, ChangeNone},
		"prefixes":        {func(s *v1alpha1.BGPSessionStatus) { s.Prefixes.IPv4.Sent = 2 }, ChangeCounters},
		"state":           {func(s *v1alpha1.BGPSessionStatus) { s.State = "Active" }, ChangeTransition},
		"a flap between":  {func(s *v1alpha1.BGPSessionStatus) { s.Flaps = ptr.To(int64(1)); s.Since = at(time.Minute) }, ChangeTransition},
		"another reset":   {func(s *v1alpha1.BGPSessionStatus) { s.LastReset.Reason = "Hold Timer Expired" }, ChangeTransition},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			next := base()
			test.edit(&next)
			if got := CompareSession(base(), SteadySession(base(), next)); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestNodeTellsWhatItHoldsBack(t *testing.T) {
	view := goodView()
	for i := range 70 {
		key := types.NamespacedName{Namespace: "shop", Name: fmt.Sprintf("s%02d", i)}
		view.Result.Withheld = append(view.Result.Withheld, compile.Withheld{Service: key, Why: compile.WhyGateClosed},
			compile.Withheld{Service: types.NamespacedName{Namespace: "other", Name: key.Name}, Why: compile.WhyNoEndpoint})
	}
	before := Node(view, v1alpha1.BGPNodeStatus{}, 1)
	if before.HeldBack != nil {
		t.Errorf("a moment's wait is told: %+v", before.HeldBack)
	}
	view.HoldingBack = true
	held := Node(view, before, 1)
	if held.HeldBack == nil || held.HeldBack.Total != 70 || len(held.HeldBack.Services) != 64 || held.HeldBack.Services[0] != "shop/s00" {
		t.Fatalf("%+v", held.HeldBack)
	}
	if got := CompareNode(before, held); got != ChangeTransition {
		t.Errorf("that it holds back is %v", got)
	}
	view.Result.Withheld = view.Result.Withheld[:2]
	fewer := Node(view, held, 1)
	if got := CompareNode(held, fewer); got != ChangeCounters {
		t.Errorf("fewer of them is %v", got)
	}
	view.Result.Withheld, view.HoldingBack = nil, false
	if none := Node(view, fewer, 1); none.HeldBack != nil || CompareNode(fewer, none) != ChangeTransition {
		t.Errorf("%+v", none.HeldBack)
	}
}
