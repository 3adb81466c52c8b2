package metrics

import (
	"math/big"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/allocator"
)

var (
	poolAddresses = desc("pool_addresses",
		"Addresses of an IPAddressPool: total, assigned to Services, free.", "pool", "family", "state")
	services = desc("services",
		"Services that are Herald's to give addresses to, by the reason of their condition Allocated.", "allocated", "reason")
	refused = desc("objects_refused",
		"Objects whose condition Accepted is False, by its reason.", "kind", "reason")
	agentReporting = desc("agent_reporting",
		"1 if an agent vouches for the node's BGPNode, 0 if it is silent.", "bgpnode")
	nodes = desc("nodes",
		"Nodes, as the Herald object counts them: desired to run Herald, ready, programmed.", "state")
)

// Allocated says what became of a Service's demand for addresses.
type Allocated struct {
	OK     bool
	Reason string
}

// Refused is why objects of a kind are refused.
type Refused struct{ Kind, Reason string }

// Cluster is what a manager that leads knows.
type Cluster struct {
	Pools    map[string]allocator.Usage
	Services map[Allocated]int
	Refused  map[Refused]int
	// Reporting nodes: whether an agent vouches for a BGPNode, by name.
	Reporting map[string]bool
	// Nodes is nil where there is no Herald object.
	Nodes *v1alpha1.HeraldNodes
}

// Manager is a collector of what the manager knows.
type Manager struct {
	// Cluster is what it knows now; nil: nothing yet, or another one leads.
	Cluster func() *Cluster
}

// Describe implements prometheus.Collector.
func (m *Manager) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolAddresses, services, refused, agentReporting, nodes} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Manager) Collect(out chan<- prometheus.Metric) {
	cluster := m.Cluster()
	if cluster == nil {
		return
	}
	for pool, usage := range cluster.Pools {
		for family, count := range map[string]*allocator.Count{"ipv4": usage.IPv4, "ipv6": usage.IPv6} {
			if count == nil {
				continue
			}
			for state, n := range map[string]*big.Int{"total": count.Total, "assigned": count.Assigned, "free": count.Free} {
				value, _ := new(big.Float).SetInt(n).Float64()
				gauge(out, poolAddresses, value, pool, family, state)
			}
		}
	}
	for what, n := range cluster.Services {
		gauge(out, services, float64(n), map[bool]string{true: "true", false: "false"}[what.OK], what.Reason)
	}
	for what, n := range cluster.Refused {
		gauge(out, refused, float64(n), what.Kind, what.Reason)
	}
	for node, is := range cluster.Reporting {
		gauge(out, agentReporting, truth(is), node)
	}
	if n := cluster.Nodes; n != nil {
		for state, count := range map[string]int32{"desired": n.Desired, "ready": n.Ready, "programmed": n.Programmed} {
			gauge(out, nodes, float64(count), state)
		}
	}
}
