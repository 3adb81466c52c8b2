package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/reloader/report"
)

// session's labels: the BGPPeer, and which neighbor it is; the default VRF is
// empty.
var session = []string{"peer", "address", "vrf"}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("herald_"+name, help, labels, nil)
}

var (
	sessionUp = desc("session_up",
		"1 if the session with the peer is Established, 0 if not; absent while FRR or the reloader does not answer.", session...)
	sessionSince = desc("session_since_timestamp_seconds",
		"When the session entered or left Established, seconds since 1970.", session...)
	sessionFlaps = desc("session_flaps_total",
		"How often the session left Established since bgpd started.", session...)
	sessionPrefixes = desc("session_prefixes",
		"Prefixes sent to the peer, or accepted from it.", append(slices.Clone(session), "family", "direction")...)
	sessionMessages = desc("session_messages_total",
		"BGP messages since bgpd started.", append(slices.Clone(session), "direction", "type")...)
	bfdUp = desc("session_bfd_up",
		"1 if BFD (RFC 5880) says that the path to the peer is Up; absent where BFD does not watch the session.", session...)
	nodeRoutes = desc("routes",
		"Prefixes that this node wants to announce.", "family")
	nodeIssues = desc("issues",
		"Objects that this node refuses, by reason: see BGPNode's status.issues.", "reason")
	reporting = desc("reloader_reporting",
		"1 if the reloader has reported within the last 10 seconds.")
	programmed = desc("programmed",
		"1 if FRR runs the configuration that this node wants.")
	applyFailed = desc("last_apply_failed",
		"1 if FRR refused the last configuration that was tried.")
	applyTime = desc("last_apply_timestamp_seconds",
		"When the last configuration was tried, seconds since 1970.")
	applyDuration = desc("last_apply_duration_seconds",
		"How long the last try took.")
	applies = desc("apply_duration_seconds",
		"Tries to give FRR a configuration since the reloader started: how many, and how long they took together.", "path", "outcome")
)

// Agent is a collector of what an agent knows.
type Agent struct {
	// View is what it knows now; false: nothing yet.
	View func() (status.View, bool)
}

// Describe implements prometheus.Collector.
func (a *Agent) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		sessionUp, sessionSince, sessionFlaps, sessionPrefixes, sessionMessages, bfdUp,
		nodeRoutes, nodeIssues, reporting, programmed, applyFailed, applyTime, applyDuration, applies,
		relayReporting, relayLearning, relayPathMTU, relayProblems, relayOwned, relayPreserved, relayLearned, relayPackets,
		drainStage, drainSince, drainConnections, drainSafe,
	} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (a *Agent) Collect(out chan<- prometheus.Metric) {
	view, known := a.View()
	if !known {
		return
	}
	for _, s := range status.Sessions(view) {
		collectSession(out, s)
	}
	collectNode(out, view)
	collectRelay(out, view.Relay)
	collectDrain(out, view)
}

func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func collectSession(out chan<- prometheus.Metric, s status.Session) {
	// The address behind an interface may change: the series is the interface's.
	labels := []string{s.Spec.Peer, cmp.Or(s.Status.Interface, s.Status.Address), s.Status.VRF}
	if s.Status.State != v1alpha1.SessionUnknown {
		gauge(out, sessionUp, truth(s.Status.State == v1alpha1.SessionEstablished), labels...)
	}
	if s.Status.Since != nil {
		gauge(out, sessionSince, float64(s.Status.Since.Unix()), labels...)
	}
	if s.Status.Flaps != nil {
		out <- prometheus.MustNewConstMetric(sessionFlaps, prometheus.CounterValue, float64(*s.Status.Flaps), labels...)
	}
	if s.Status.BFD != nil {
		gauge(out, bfdUp, truth(s.Status.BFD.State == v1alpha1.BFDUp), labels...)
	}
	if m := s.Messages; m != nil {
		collectMessages(out, m.Sent, append(slices.Clone(labels), "sent"))
		collectMessages(out, m.Received, append(slices.Clone(labels), "received"))
	}
	for family, count := range map[string]*v1alpha1.PrefixCount{"ipv4": s.Status.Prefixes.IPv4, "ipv6": s.Status.Prefixes.IPv6} {
		if count != nil {
			gauge(out, sessionPrefixes, float64(count.Sent), append(slices.Clone(labels), family, "sent")...)
			gauge(out, sessionPrefixes, float64(count.Accepted), append(slices.Clone(labels), family, "accepted")...)
		}
	}
}

func collectMessages(out chan<- prometheus.Metric, m report.MessageCount, labels []string) {
	for kind, count := range map[string]int64{
		"open": m.Open, "update": m.Update, "notification": m.Notification, "keepalive": m.Keepalive, "route-refresh": m.RouteRefresh,
	} {
		out <- prometheus.MustNewConstMetric(sessionMessages, prometheus.CounterValue, float64(count), append(slices.Clone(labels), kind)...)
	}
}

func collectNode(out chan<- prometheus.Metric, view status.View) {
	if view.Result != nil {
		routes := status.CountRoutes(view.Result.Config)
		gauge(out, nodeRoutes, float64(routes.IPv4), "ipv4")
		gauge(out, nodeRoutes, float64(routes.IPv6), "ipv6")
		reasons := map[string]int{}
		for _, issue := range status.Issues(view) {
			reasons[issue.Reason]++
		}
		for reason, n := range reasons {
			gauge(out, nodeIssues, float64(n), reason)
		}
	}
	gauge(out, reporting, truth(view.Fresh))
	if view.Report == nil {
		return
	}
	gauge(out, programmed, truth(view.Fresh && view.Report.AppliedHash == view.DesiredHash))
	if last := view.Report.LastApply; last != nil {
		gauge(out, applyFailed, truth(last.Error != ""))
		gauge(out, applyTime, float64(last.Time.UnixMilli())/1000)
		gauge(out, applyDuration, last.Duration.Seconds())
	}
	for _, count := range view.Report.Applies {
		outcome := v1alpha1.ApplyApplied
		if count.Failed {
			outcome = v1alpha1.ApplyFailed
		}
		out <- prometheus.MustNewConstSummary(applies, uint64(count.Count), count.Duration.Seconds(), nil, string(count.Path), string(outcome))
	}
}
