package metrics

import (
	"math/big"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/allocator"
	"github.com/herald-lb/herald/controllers/status"
)

func cluster() *Cluster {
	return &Cluster{
		Pools: map[string]allocator.Usage{
			"public": {
				IPv4: &allocator.Count{Total: big.NewInt(4), Assigned: big.NewInt(3), Free: big.NewInt(1)},
				IPv6: &allocator.Count{Total: new(big.Int).Lsh(big.NewInt(1), 64), Assigned: new(big.Int), Free: new(big.Int).Lsh(big.NewInt(1), 64)},
			},
			"refused": {},
		},
		Services:  map[Allocated]int{{true, v1alpha1.ReasonAllocated}: 3, {false, v1alpha1.ReasonPoolExhausted}: 2},
		Refused:   map[Refused]int{{"BGPPeer", v1alpha1.ReasonSecretNotFound}: 1},
		Reporting: map[string]bool{"node1": true, "node2": false},
		Nodes:     &v1alpha1.HeraldNodes{Desired: 3, Ready: 2, Programmed: 1},
	}
}

const ofCluster = `
# HELP herald_pool_addresses Addresses of an IPAddressPool: total, assigned to Services, free.
# TYPE herald_pool_addresses gauge
herald_pool_addresses{family="ipv4",pool="public",state="assigned"} 3
herald_pool_addresses{family="ipv4",pool="public",state="free"} 1
herald_pool_addresses{family="ipv4",pool="public",state="total"} 4
herald_pool_addresses{family="ipv6",pool="public",state="assigned"} 0
herald_pool_addresses{family="ipv6",pool="public",state="free"} 1.8446744073709552e+19
herald_pool_addresses{family="ipv6",pool="public",state="total"} 1.8446744073709552e+19
# HELP herald_services Services that are Herald's to give addresses to, by the reason of their condition Allocated.
# TYPE herald_services gauge
herald_services{allocated="false",reason="PoolExhausted"} 2
herald_services{allocated="true",reason="Allocated"} 3
# HELP herald_objects_refused Objects whose condition Accepted is False, by its reason.
# TYPE herald_objects_refused gauge
herald_objects_refused{kind="BGPPeer",reason="SecretNotFound"} 1
# HELP herald_agent_reporting 1 if an agent vouches for the node's BGPNode, 0 if it is silent.
# TYPE herald_agent_reporting gauge
herald_agent_reporting{bgpnode="node1"} 1
herald_agent_reporting{bgpnode="node2"} 0
# HELP herald_nodes Nodes, as the Herald object counts them: desired to run Herald, ready, programmed.
# TYPE herald_nodes gauge
herald_nodes{state="desired"} 3
herald_nodes{state="programmed"} 1
herald_nodes{state="ready"} 2
`

func TestManager(t *testing.T) {
	now := cluster()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(&Manager{Cluster: func() *Cluster { return now }})
	if err := testutil.GatherAndCompare(registry, strings.NewReader(ofCluster)); err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	now = nil // another one leads
	if n, err := testutil.GatherAndCount(registry); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestServices(t *testing.T) {
	const head = "# HELP herald_service_announced 1 if this node announces the Service on at least one session, 0 if not, for the reason.\n# TYPE herald_service_announced gauge\n"
	const withheld = `herald_service_announced{reason="NoEndpoint",service_name="db",service_namespace="shop"} 0` + "\n"
	tests := map[string]struct {
		change func(*status.View)
		want   string
	}{
		"announced": {func(*status.View) {}, `herald_service_announced{reason="",service_name="web",service_namespace="shop"} 1`},
		"no session is up": {func(v *status.View) { v.Report.Sessions[0].State = "Active" },
			`herald_service_announced{reason="NoSession",service_name="web",service_namespace="shop"} 0`},
		"FRR runs something else": {func(v *status.View) { v.DesiredHash = "y" },
			`herald_service_announced{reason="NotProgrammed",service_name="web",service_namespace="shop"} 0`},
		"M9 the reloader is silent": {func(v *status.View) { v.Fresh = false },
			`herald_service_announced{reason="NotProgrammed",service_name="web",service_namespace="shop"} 0`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			now := view()
			test.change(&now)
			collector := &Services{View: func() (status.View, bool) { return now, true }}
			if err := testutil.CollectAndCompare(collector, strings.NewReader(head+withheld+test.want+"\n")); err != nil {
				t.Error(err)
			}
		})
	}
}
