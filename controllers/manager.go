package controllers

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/install"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/internal/cluster"
)

const (
	// leaseName is the name of the leader's Lease.
	leaseName = "manager.herald-lb.io"
	// reportingController is the name that Herald's events carry.
	reportingController = "herald-lb.io/manager"
)

// Lease says how leadership passes on: a leader that can't renew the lease gives
// up after RenewDeadline, another one takes it Duration after the last renewal.
// Between the two no write may be under way: writeTimeout is shorter.
type Lease struct {
	Duration, RenewDeadline, RetryPeriod time.Duration
	// KeepOnStop leaves the lease to run out when the leader stops, as in a crash.
	KeepOnStop bool
}

// DefaultLease is what "herald manager" uses.
var DefaultLease = Lease{Duration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second}

// Options of the manager.
type Options struct {
	// Namespace of the leader's lease and of the agents' pods.
	Namespace string
	// LeaderElect: run only while holding the lease.
	LeaderElect bool
	Lease       Lease
	// Metrics is the endpoint of metrics.
	Metrics metricsserver.Options
	// Registry takes what the manager knows of the cluster; nil: nobody asks.
	Registry prometheus.Registerer
	// Probes is the address to listen on; "0" is none.
	Probes string
	// Annotations of Services that are read, also where the Herald object names none.
	Annotations status.Annotations
	// SetLogLevel is told the Herald object's, empty where it says none; nil: it stays.
	SetLogLevel func(v1alpha1.LogLevel)
	// Self is what the manager knows of itself; its Namespace is that of Options.
	Self install.Self
}

// NewManager is the whole manager, ready to start.
func NewManager(client *rest.Config, options Options) (ctrl.Manager, error) {
	scheme, err := cluster.NewScheme()
	if err != nil {
		return nil, fmt.Errorf("scheme: %w", err)
	}
	yes := true
	lease := options.Lease
	mgr, err := ctrl.NewManager(client, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         CacheOptions(options.Namespace),
		Metrics:                       options.Metrics,
		HealthProbeBindAddress:        options.Probes,
		LeaderElection:                options.LeaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       options.Namespace,
		LeaderElectionReleaseOnCancel: !lease.KeepOnStop,
		LeaseDuration:                 &lease.Duration,
		RenewDeadline:                 &lease.RenewDeadline,
		RetryPeriod:                   &lease.RetryPeriod,
		Controller: config.Controller{
			// Standbys keep their caches warm, so that a new leader starts at once.
			EnableWarmup: &yes,
			// Tests run several managers in one process.
			SkipNameValidation: &yes,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("manager: %w", err)
	}
	for name, add := range map[string]func(string, healthz.Checker) error{"healthz": mgr.AddHealthzCheck, "readyz": mgr.AddReadyzCheck} {
		if err := add("ping", healthz.Ping); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	options.Self.Namespace = options.Namespace
	return mgr, setup(mgr, options)
}
