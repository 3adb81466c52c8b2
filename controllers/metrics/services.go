package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// ServicesPath is where Services tells: apart, for it has a series for each Service.
const ServicesPath = "/metrics/services"

// Why a node that should announce a Service doesn't; the other reasons are
// compile's.
const (
	reasonNotProgrammed = "NotProgrammed"
	reasonNoSession     = "NoSession"
)

var serviceAnnounced = desc("service_announced",
	"1 if this node announces the Service on at least one session, 0 if not, for the reason.", "service_namespace", "service_name", "reason")

// Services is a collector of what becomes of each Service on this node.
type Services struct {
	// View is what the agent knows now; false: nothing yet.
	View func() (status.View, bool)
}

// Describe implements prometheus.Collector.
func (s *Services) Describe(descs chan<- *prometheus.Desc) { descs <- serviceAnnounced }

// Collect implements prometheus.Collector.
func (s *Services) Collect(out chan<- prometheus.Metric) {
	view, known := s.View()
	if !known || view.Result == nil {
		return
	}
	tell := func(service types.NamespacedName, reason string) {
		gauge(out, serviceAnnounced, truth(reason == ""), service.Namespace, service.Name, reason)
	}
	obstacle := obstacleOf(view)
	wanted := map[types.NamespacedName]bool{}
	for _, needs := range view.Result.Origins.Prefixes.All() {
		for _, need := range needs {
			if !wanted[need.Service] {
				wanted[need.Service] = true
				tell(need.Service, obstacle)
			}
		}
	}
	for _, withheld := range view.Result.Withheld {
		if !wanted[withheld.Service] {
			tell(withheld.Service, string(withheld.Why))
		}
	}
}

// obstacleOf is what keeps the node from announcing anything new.
func obstacleOf(view status.View) string {
	if !view.Fresh || view.Report == nil || view.Report.AppliedHash != view.DesiredHash {
		return reasonNotProgrammed
	}
	for _, session := range status.Sessions(view) {
		if session.Status.State == v1alpha1.SessionEstablished {
			return ""
		}
	}
	return reasonNoSession
}
