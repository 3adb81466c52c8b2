package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/herald-lb/herald/controllers/status"
)

var (
	relayReporting = desc("relay_reporting",
		"1 if the relay has reported within the last 10 seconds; absent where there is none.")
	relayLearning = desc("relay_learning",
		"1 if connections of FlowPolicies' Services are preserved here; absent while the relay does not report.")
	relayPathMTU = desc("relay_path_mtu",
		"1 if ICMP about the path MTU is relayed; absent while the relay does not report.")
	relayProblems = desc("relay_problems",
		"What keeps the relay from doing what it is to, by reason; absent while the relay does not report.", "reason")
	relayOwned = desc("relay_owned_connections",
		"Established connections to Services' addresses that this node has the state of.")
	relayPreserved = desc("relay_preserved_connections",
		"Those of herald_relay_owned_connections that a FlowPolicy preserves.")
	relayLearned = desc("relay_learned_flows",
		"Connections that this node knows another owner of.")
	relayPackets = desc("relay_packets_total",
		"Packets since the relay's rules were made (not_told: since it started), by what became of them.", "fate")
)

func collectRelay(out chan<- prometheus.Metric, view *status.RelayView) {
	if view == nil {
		return
	}
	gauge(out, relayReporting, truth(view.Fresh))
	if !view.Fresh || view.Report == nil {
		return
	}
	gauge(out, relayLearning, truth(view.Report.Learning))
	gauge(out, relayPathMTU, truth(view.Report.PathMTU))
	problems := map[string]int{}
	for _, problem := range view.Report.Problems {
		problems[problem.Reason]++
	}
	for reason, n := range problems {
		gauge(out, relayProblems, float64(n), reason)
	}
	gauge(out, relayOwned, float64(total(view.Report.Owned)))
	gauge(out, relayPreserved, float64(view.Report.Preserved))
	gauge(out, relayLearned, float64(total(view.Report.Learned)))
	c := view.Report.Counters
	for fate, count := range map[string]uint64{
		"relayed": c.Relayed, "flooded": c.Flooded, "claimed": c.Claimed, "unclaimed": c.Unclaimed, "told": c.Told, "reset": c.Reset, "not_told": c.NotTold, "limited": c.Limited,
		"path_mtu_flooded": c.PathMTUFlooded, "path_mtu_accepted": c.PathMTUAccepted,
	} {
		out <- prometheus.MustNewConstMetric(relayPackets, prometheus.CounterValue, float64(count), fate)
	}
}

func total[K comparable](counts map[K]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}
