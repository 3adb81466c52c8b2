package main

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/controllers/metrics"
)

// metricsFlags say where metrics are, and for whom.
type metricsFlags struct {
	address, certificates string
	secure                bool
}

func (f *metricsFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.address, "metrics-bind-address", "0", "address of the metrics endpoint; 0 switches it off")
	set.BoolVar(&f.secure, "metrics-secure", true, "serve metrics over HTTPS, to those whom the cluster allows get of the URL /metrics; false: over HTTP, to everybody")
	set.StringVar(&f.certificates, "metrics-cert-dir", "", "directory with tls.crt and tls.key for the metrics endpoint, read again when they change; without, one is made at each start and every 60 days that no authority has signed")
}

func (f *metricsFlags) options() metricsserver.Options {
	options := metricsserver.Options{BindAddress: f.address, SecureServing: f.secure, CertDir: f.certificates}
	if f.secure {
		options.FilterProvider = filters.WithAuthenticationAndAuthorization
		// HTTP/2 would let few clients ask for much (CVE-2023-44487).
		options.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.NextProtos, c.MinVersion = []string{"http/1.1"}, tls.VersionTLS12 }}
		if f.certificates == "" {
			certificates := &selfSigned{now: time.Now}
			options.TLSOpts = append(options.TLSOpts, func(c *tls.Config) { c.GetCertificate = certificates.get })
		}
	}
	return options
}

// servicesHandler tells of each Service on the node. It is asked apart: a scrape of
// all else stays as small as the node's number of peers.
func servicesHandler(agent *controllers.Agent) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&metrics.Services{View: agent.Reports.View})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
}
