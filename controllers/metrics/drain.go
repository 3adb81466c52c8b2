package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/controllers/status"
)

var (
	drainStage = desc("drain_stage",
		"1 for the stage of the node's drain; absent while it does not drain.", "stage")
	drainSince = desc("drain_since_timestamp_seconds",
		"When the node's drain began, seconds since 1970; absent while it does not drain.")
	drainConnections = desc("drain_connections",
		"Connections that the draining node still owns; absent while nobody counts them.")
	drainSafe = desc("drain_safe_to_shutdown",
		"1 if the draining node may be shut down; absent while it does not drain.")
)

func collectDrain(out chan<- prometheus.Metric, view status.View) {
	if view.Drain.Stage == drain.None {
		return
	}
	verdict := view.DrainVerdict()
	gauge(out, drainStage, 1, string(verdict.Stage))
	gauge(out, drainSince, float64(view.Drain.Since.Unix()))
	if view.Connections != nil {
		gauge(out, drainConnections, float64(*view.Connections))
	}
	gauge(out, drainSafe, truth(verdict.Safe))
}
