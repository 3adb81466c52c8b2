package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("Writes to the API", func() {
	It("M10 stay within bounds while Services and a session churn", func(ctx SpecContext) {
		mayReset("tor-c")
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		podOn(ctx, "node1", "web")
		stays := webService(0)
		create(ctx, stays)
		addr := addressOf(ctx, stays)
		expectEverywhere(ctx, addr, allNodes...)
		before, began := apiWrites(ctx), time.Now()

		const churned = 40
		node2 := site.NodeAddresses(router.IPv4, "node2")[0]
		for i := 1; i <= churned; i++ {
			svc := webService(i)
			create(ctx, svc)
			expectAt(ctx, "tor-a", addressOf(ctx, svc), allNodes...)
			if i == churned/2 {
				Expect(site.Router("tor-c").Disable(ctx, node2)).To(Succeed())
				expectAt(ctx, "tor-c", addr, "node1", "node3")
				Expect(site.Router("tor-c").Enable(ctx, node2)).To(Succeed())
			}
			remove(ctx, svc)
		}
		expectEverywhere(ctx, addr, allNodes...)
		took := time.Since(began)
		writes := apiWrites(ctx)
		for what := range writes {
			writes[what] -= before[what]
		}
		GinkgoWriter.Printf("in %s: %v\n", took, writes)

		// Counts at most once an interval for each object; every state that the
		// session of node2 went through on its way down and up at once.
		intervals := float64(took/counters + 1)
		sessions := float64(len(allNodes) * len(site.Routers()) * len(families))
		const states = 20
		Expect(writes["bgpnodes/status"]).To(And(BeNumerically(">", 0), BeNumerically("<=", intervals*float64(len(allNodes)))))
		Expect(writes["bgpsessions/status"]).To(And(BeNumerically(">", 0), BeNumerically("<=", intervals*sessions+states)))
		Expect(writes["bgpnodes"]+writes["bgpsessions"]).To(BeZero(), "nothing is made or deleted anew")
		// The address, and what is announced: True, and once more with AllNodes at most.
		Expect(writes["services/status"]).To(And(BeNumerically(">=", churned), BeNumerically("<=", 3*(churned+2))))
	}, SpecTimeout(specTimeout))
})

// apiWrites counts the API server's successful writes since it started, by
// resource and subresource.
func apiWrites(ctx context.Context) map[string]float64 {
	GinkgoHelper()
	config := site.ControlPlane().Config()
	client, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/metrics", nil)
	Expect(err).NotTo(HaveOccurred())
	answer, err := client.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer answer.Body.Close()
	Expect(answer.StatusCode).To(Equal(http.StatusOK))
	parser := expfmt.NewTextParser(model.LegacyValidation)
	metrics, err := parser.TextToMetricFamilies(answer.Body)
	Expect(err).NotTo(HaveOccurred())
	writes := map[string]float64{}
	for _, metric := range metrics["apiserver_request_total"].GetMetric() {
		labels := map[string]string{}
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		what := labels["resource"]
		if labels["subresource"] != "" {
			what = fmt.Sprintf("%s/%s", what, labels["subresource"])
		}
		switch labels["verb"] {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE":
			if labels["code"][0] == '2' {
				writes[what] += metric.GetCounter().GetValue()
			}
		}
	}
	return writes
}
