package controllers_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/herald-lb/herald/controllers"
)

var _ = Describe("Metrics of the manager", func() {
	It("tells pools, Services without an address, refused objects and silent agents, while it leads", func() {
		registry, standby := prometheus.NewPedanticRegistry(), prometheus.NewPedanticRegistry()
		leader := startManager(controllers.Options{LeaderElect: true, Registry: registry})
		create(newPool("only", "203.0.113.4-203.0.113.5"), newService("a", "4"), newService("b", "4"), newService("c", "4"), newPool("z-refused", "203.0.113.5/32"), newNode("node1", nil))
		reports("node1", true)
		told := func(in prometheus.Gatherer) func() error {
			return func() error {
				return testutil.GatherAndCompare(in, strings.NewReader(`
# HELP herald_pool_addresses Addresses of an IPAddressPool: total, assigned to Services, free.
# TYPE herald_pool_addresses gauge
herald_pool_addresses{family="ipv4",pool="only",state="assigned"} 2
herald_pool_addresses{family="ipv4",pool="only",state="free"} 0
herald_pool_addresses{family="ipv4",pool="only",state="total"} 2
# HELP herald_services Services that are Herald's to give addresses to, by the reason of their condition Allocated.
# TYPE herald_services gauge
herald_services{allocated="false",reason="PoolExhausted"} 1
herald_services{allocated="true",reason="Allocated"} 2
# HELP herald_objects_refused Objects whose condition Accepted is False, by its reason.
# TYPE herald_objects_refused gauge
herald_objects_refused{kind="IPAddressPool",reason="Overlap"} 1
# HELP herald_agent_reporting 1 if an agent vouches for the node's BGPNode, 0 if it is silent.
# TYPE herald_agent_reporting gauge
herald_agent_reporting{bgpnode="node1"} 0
`))
			}
		}
		Eventually(told(registry)).Should(Succeed())

		startManager(controllers.Options{LeaderElect: true, Registry: standby})
		Consistently(func() (int, error) { return testutil.GatherAndCount(standby) }).Should(BeZero())
		leader.end()
		Eventually(told(standby)).Should(Succeed())
	})
})
