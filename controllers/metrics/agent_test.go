package metrics

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/controllers/bigmap"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/reloader/report"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// view of a node with two peers: one Established with BFD, one down.
func view() status.View {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	return status.View{
		Node: "n", Now: noon, DesiredHash: "x", Fresh: true,
		Result: &compile.Result{
			Config: frrtemplates.Config{Routers: []frrtemplates.Router{{
				Neighbors: []frrtemplates.Neighbor{{End: frrtemplates.End{Address: a}}, {End: frrtemplates.End{Address: b}}},
				Families:  []frrtemplates.RouterFamily{{Family: frrtemplates.IPv4, Networks: make([]frrtemplates.Network, 2)}},
			}}},
			Origins:  compile.Origins{Prefixes: bigmap.Of(map[netip.Prefix][]compile.Need{netip.MustParsePrefix("203.0.113.7/32"): {{Service: types.NamespacedName{Namespace: "shop", Name: "web"}}}}), Peers: map[compile.NeighborKey]string{{End: frrtemplates.End{Address: a}}: "tor-a", {End: frrtemplates.End{Address: b}}: "tor-b"}},
			Withheld: []compile.Withheld{{Service: types.NamespacedName{Namespace: "shop", Name: "db"}, Why: compile.WhyNoEndpoint}},
			Issues:   []compile.Issue{{Reason: "SecretNotFound"}, {Reason: "SecretNotFound"}},
		},
		Drain:       drain.State{Stage: drain.Withdrawn, Since: noon, Confirmed: noon},
		DrainLimits: snapshot.DrainLimits{Connections: time.Hour},
		Connections: ptr.To[int64](7),
		Relay: &status.RelayView{Fresh: true, Report: &exchange.Report{
			Learning: true, Owned: map[netip.Addr]int{a: 3, b: 4}, Preserved: 4, Learned: map[string]int{"m": 5},
			Problems: []exchange.Problem{{Reason: exchange.ReasonMTU}, {Reason: exchange.ReasonMTU}},
			Counters: exchange.Counters{Relayed: 1, Flooded: 2, Claimed: 3, Unclaimed: 4, Told: 8, Reset: 10, NotTold: 9, Limited: 5, PathMTUFlooded: 6, PathMTUAccepted: 7},
		}},
		Report: &report.Report{
			AppliedHash: "x", FRR: report.FRR{Version: "10.3"},
			LastApply: &report.Apply{Time: noon, Duration: 1500 * time.Millisecond},
			Applies: []report.ApplyCount{
				{Path: report.PathVty, Count: 3, Duration: 300 * time.Millisecond},
				{Path: report.PathReload, Failed: true, Count: 1, Duration: 2 * time.Second},
			},
			Sessions: []report.Session{
				{
					Address: "192.0.2.1", State: "Established", Since: &noon, Flaps: 3,
					IPv4: &report.Prefixes{Sent: 2, Accepted: 1}, BFD: &report.BFD{State: "Up"},
					Messages: &report.Messages{Sent: report.MessageCount{Open: 1, Update: 4, Keepalive: 9, RouteRefresh: 2}, Received: report.MessageCount{Open: 1, Notification: 3}},
				},
				{Address: "2001:db8::1", State: "Active"},
			},
		},
	}
}

const whole = `
# HELP herald_session_up 1 if the session with the peer is Established, 0 if not; absent while FRR or the reloader does not answer.
# TYPE herald_session_up gauge
herald_session_up{address="192.0.2.1",peer="tor-a",vrf=""} 1
herald_session_up{address="2001:db8::1",peer="tor-b",vrf=""} 0
# HELP herald_session_flaps_total How often the session left Established since bgpd started.
# TYPE herald_session_flaps_total counter
herald_session_flaps_total{address="192.0.2.1",peer="tor-a",vrf=""} 3
herald_session_flaps_total{address="2001:db8::1",peer="tor-b",vrf=""} 0
# HELP herald_session_since_timestamp_seconds When the session entered or left Established, seconds since 1970.
# TYPE herald_session_since_timestamp_seconds gauge
herald_session_since_timestamp_seconds{address="192.0.2.1",peer="tor-a",vrf=""} 1.7673552e+09
# HELP herald_session_bfd_up 1 if BFD (RFC 5880) says that the path to the peer is Up; absent where BFD does not watch the session.
# TYPE herald_session_bfd_up gauge
herald_session_bfd_up{address="192.0.2.1",peer="tor-a",vrf=""} 1
# HELP herald_session_prefixes Prefixes sent to the peer, or accepted from it.
# TYPE herald_session_prefixes gauge
herald_session_prefixes{address="192.0.2.1",direction="accepted",family="ipv4",peer="tor-a",vrf=""} 1
herald_session_prefixes{address="192.0.2.1",direction="sent",family="ipv4",peer="tor-a",vrf=""} 2
# HELP herald_session_messages_total BGP messages since bgpd started.
# TYPE herald_session_messages_total counter
herald_session_messages_total{address="192.0.2.1",direction="received",peer="tor-a",type="keepalive",vrf=""} 0
herald_session_messages_total{address="192.0.2.1",direction="received",peer="tor-a",type="notification",vrf=""} 3
herald_session_messages_total{address="192.0.2.1",direction="received",peer="tor-a",type="open",vrf=""} 1
herald_session_messages_total{address="192.0.2.1",direction="received",peer="tor-a",type="route-refresh",vrf=""} 0
herald_session_messages_total{address="192.0.2.1",direction="received",peer="tor-a",type="update",vrf=""} 0
herald_session_messages_total{address="192.0.2.1",direction="sent",peer="tor-a",type="keepalive",vrf=""} 9
herald_session_messages_total{address="192.0.2.1",direction="sent",peer="tor-a",type="notification",vrf=""} 0
herald_session_messages_total{address="192.0.2.1",direction="sent",peer="tor-a",type="open",vrf=""} 1
herald_session_messages_total{address="192.0.2.1",direction="sent",peer="tor-a",type="route-refresh",vrf=""} 2
herald_session_messages_total{address="192.0.2.1",direction="sent",peer="tor-a",type="update",vrf=""} 4
# HELP herald_routes Prefixes that this node wants to announce.
# TYPE herald_routes gauge
herald_routes{family="ipv4"} 2
herald_routes{family="ipv6"} 0
# HELP herald_issues Objects that this node refuses, by reason: see BGPNode's status.issues.
# TYPE herald_issues gauge
herald_issues{reason="SecretNotFound"} 2
# HELP herald_reloader_reporting 1 if the reloader has reported within the last 10 seconds.
# TYPE herald_reloader_reporting gauge
herald_reloader_reporting 1
# HELP herald_programmed 1 if FRR runs the configuration that this node wants.
# TYPE herald_programmed gauge
herald_programmed 1
# HELP herald_last_apply_failed 1 if FRR refused the last configuration that was tried.
# TYPE herald_last_apply_failed gauge
herald_last_apply_failed 0
# HELP herald_last_apply_timestamp_seconds When the last configuration was tried, seconds since 1970.
# TYPE herald_last_apply_timestamp_seconds gauge
herald_last_apply_timestamp_seconds 1.7673552e+09
# HELP herald_last_apply_duration_seconds How long the last try took.
# TYPE herald_last_apply_duration_seconds gauge
herald_last_apply_duration_seconds 1.5
# HELP herald_apply_duration_seconds Tries to give FRR a configuration since the reloader started: how many, and how long they took together.
# TYPE herald_apply_duration_seconds summary
herald_apply_duration_seconds_sum{outcome="Applied",path="vty"} 0.3
herald_apply_duration_seconds_count{outcome="Applied",path="vty"} 3
herald_apply_duration_seconds_sum{outcome="Failed",path="frr-reload"} 2
herald_apply_duration_seconds_count{outcome="Failed",path="frr-reload"} 1
# HELP herald_relay_reporting 1 if the relay has reported within the last 10 seconds; absent where there is none.
# TYPE herald_relay_reporting gauge
herald_relay_reporting 1
# HELP herald_relay_learning 1 if connections of FlowPolicies' Services are preserved here; absent while the relay does not report.
# TYPE herald_relay_learning gauge
herald_relay_learning 1
# HELP herald_relay_path_mtu 1 if ICMP about the path MTU is relayed; absent while the relay does not report.
# TYPE herald_relay_path_mtu gauge
herald_relay_path_mtu 0
# HELP herald_relay_problems What keeps the relay from doing what it is to, by reason; absent while the relay does not report.
# TYPE herald_relay_problems gauge
herald_relay_problems{reason="TunnelMTUTooSmall"} 2
# HELP herald_drain_stage 1 for the stage of the node's drain; absent while it does not drain.
# TYPE herald_drain_stage gauge
herald_drain_stage{stage="Serving"} 1
# HELP herald_drain_since_timestamp_seconds When the node's drain began, seconds since 1970; absent while it does not drain.
# TYPE herald_drain_since_timestamp_seconds gauge
herald_drain_since_timestamp_seconds 1.7673552e+09
# HELP herald_drain_connections Connections that the draining node still owns; absent while nobody counts them.
# TYPE herald_drain_connections gauge
herald_drain_connections 7
# HELP herald_drain_safe_to_shutdown 1 if the draining node may be shut down; absent while it does not drain.
# TYPE herald_drain_safe_to_shutdown gauge
herald_drain_safe_to_shutdown 0
# HELP herald_relay_owned_connections Established connections to Services' addresses that this node has the state of.
# TYPE herald_relay_owned_connections gauge
herald_relay_owned_connections 7
# HELP herald_relay_preserved_connections Those of herald_relay_owned_connections that a FlowPolicy preserves.
# TYPE herald_relay_preserved_connections gauge
herald_relay_preserved_connections 4
# HELP herald_relay_learned_flows Connections that this node knows another owner of.
# TYPE herald_relay_learned_flows gauge
herald_relay_learned_flows 5
# HELP herald_relay_packets_total Packets since the relay's rules were made (not_told: since it started), by what became of them.
# TYPE herald_relay_packets_total counter
herald_relay_packets_total{fate="relayed"} 1
herald_relay_packets_total{fate="flooded"} 2
herald_relay_packets_total{fate="claimed"} 3
herald_relay_packets_total{fate="unclaimed"} 4
herald_relay_packets_total{fate="told"} 8
herald_relay_packets_total{fate="reset"} 10
herald_relay_packets_total{fate="not_told"} 9
herald_relay_packets_total{fate="limited"} 5
herald_relay_packets_total{fate="path_mtu_flooded"} 6
herald_relay_packets_total{fate="path_mtu_accepted"} 7
`

func TestAgent(t *testing.T) {
	now, known := view(), true
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(&Agent{View: func() (status.View, bool) { return now, known }})
	if err := testutil.GatherAndCompare(registry, strings.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	series := func(name string) int {
		t.Helper()
		n, err := testutil.GatherAndCount(registry, name)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	t.Run("M5 a peer's series go with it", func(t *testing.T) {
		now = view()
		now.Result.Config.Routers[0].Neighbors = now.Result.Config.Routers[0].Neighbors[1:]
		for name, want := range map[string]int{"herald_session_up": 1, "herald_session_flaps_total": 1, "herald_session_prefixes": 0, "herald_session_bfd_up": 0} {
			if got := series(name); got != want {
				t.Errorf("%s: %d series, want %d", name, got, want)
			}
		}
	})
	t.Run("what the alert HeraldFRRSilent goes by: FRR never started", func(t *testing.T) {
		now = view()
		now.Report.FRR, now.Report.Sessions = report.FRR{Error: "bgpd doesn't answer"}, nil
		if got := series("herald_session_up"); got != 0 {
			t.Errorf("%d sessions are told of", got)
		}
		err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP herald_reloader_reporting 1 if the reloader has reported within the last 10 seconds.
# TYPE herald_reloader_reporting gauge
herald_reloader_reporting 1
# HELP herald_routes Prefixes that this node wants to announce.
# TYPE herald_routes gauge
herald_routes{family="ipv4"} 2
herald_routes{family="ipv6"} 0
`), "herald_reloader_reporting", "herald_routes")
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("M9 a dead reloader never looks healthy", func(t *testing.T) {
		now = view()
		now.Fresh = false
		if got := series("herald_session_up"); got != 0 {
			t.Errorf("%d sessions are told of", got)
		}
		err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP herald_programmed 1 if FRR runs the configuration that this node wants.
# TYPE herald_programmed gauge
herald_programmed 0
# HELP herald_reloader_reporting 1 if the reloader has reported within the last 10 seconds.
# TYPE herald_reloader_reporting gauge
herald_reloader_reporting 0
`), "herald_programmed", "herald_reloader_reporting")
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("M9 a dead relay never looks healthy", func(t *testing.T) {
		now = view()
		now.Relay.Fresh = false
		for name, want := range map[string]int{"herald_relay_reporting": 1, "herald_relay_learning": 0, "herald_relay_packets_total": 0} {
			if got := series(name); got != want {
				t.Errorf("%s: %d series, want %d", name, got, want)
			}
		}
	})
	t.Run("a node that doesn't drain tells no drain", func(t *testing.T) {
		now = view()
		now.Drain, now.Connections = drain.State{}, nil
		for _, name := range []string{"herald_drain_stage", "herald_drain_since_timestamp_seconds", "herald_drain_connections", "herald_drain_safe_to_shutdown"} {
			if got := series(name); got != 0 {
				t.Errorf("%s: %d series", name, got)
			}
		}
	})
	t.Run("nothing is told before anything is known", func(t *testing.T) {
		known = false
		if got := series("herald_reloader_reporting"); got != 0 {
			t.Errorf("%d series", got)
		}
	})
}
