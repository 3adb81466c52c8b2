package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/controllers/metrics"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/internal/cluster"
	"github.com/herald-lb/herald/internal/version"
	relay "github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/reloader/exchange"
)

type agentFlags struct {
	kubeconfig, probes, logLevel string
	metrics                      metricsFlags
	countersInterval             time.Duration
	options                      controllers.AgentOptions
}

func newAgentCommand() *cobra.Command {
	flags := &agentFlags{options: controllers.AgentOptions{Version: version.Version}}
	command := &cobra.Command{
		Use:   "agent",
		Short: "Makes this node's FRR configuration and publishes what FRR does",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return runAgent(command.Context(), flags) },
	}
	set := command.Flags()
	set.StringVar(&flags.kubeconfig, "kubeconfig", "", "file to reach the cluster with (default: $KUBECONFIG, ~/.kube/config, the pod's ServiceAccount)")
	set.StringVar(&flags.probes, "health-probe-bind-address", ":8082", "address of /healthz and /readyz; 0 switches them off")
	flags.metrics.add(set)
	set.StringVar(&flags.logLevel, "log-level", "info", "debug, info or error")
	set.StringVar(&flags.options.Node, "node-name", os.Getenv("NODE_NAME"), "name of this machine's Node (env NODE_NAME)")
	set.StringVar(&flags.options.ExchangeDir, "exchange-dir", exchange.DefaultDir, "directory shared with the reloader")
	set.StringVar(&flags.options.RelayDir, "relay-dir", relay.DefaultDir, "directory shared with the relay; empty: there is none")
	set.StringVar(&flags.options.SecretsNamespace, "secrets-namespace", v1alpha1.DefaultSecretsNamespace, "namespace of the peers' password Secrets")
	set.DurationVar(&flags.countersInterval, "counters-interval", status.DefaultPace().CountersInterval,
		"least time between two writes of counts and timings to one status; transitions are written at once")
	return command
}

func runAgent(ctx context.Context, flags *agentFlags) error {
	collectEarly()
	if flags.options.Node == "" {
		return errors.New("no node name: set --node-name, or NODE_NAME from the pod's spec.nodeName")
	}
	if err := controllers.CheckExchangeDir(flags.options.ExchangeDir); err != nil {
		return err
	}
	setLogLevel, err := setupLogs(flags.logLevel)
	if err != nil {
		return err
	}
	flags.options.SetLogLevel = setLogLevel
	flags.options.Pace = status.PaceEvery(flags.countersInterval)
	flags.options.Metrics = ctrlmetrics.Registry
	flags.options.Log = ctrl.Log.WithName("agent").WithValues("node", flags.options.Node)
	config, err := cluster.Config(flags.kubeconfig, "agent")
	if err != nil {
		return err
	}
	if err := controllers.FindNode(ctx, config, flags.options.Node, flags.options.Log); err != nil || ctx.Err() != nil {
		return err
	}
	if err := cluster.Preflight(config); err != nil {
		return err
	}
	if _, err := os.Stat(flags.options.RelayDir); err != nil && flags.options.RelayDir != "" {
		ctrl.Log.Info("nothing is relayed: there is no directory shared with the relay", "relayDir", flags.options.RelayDir)
		flags.options.RelayDir = ""
	}
	managerOptions, err := flags.options.ManagerOptions()
	if err != nil {
		return err
	}
	managerOptions.HealthProbeBindAddress = flags.probes
	managerOptions.Metrics = flags.metrics.options()
	mgr, err := ctrl.NewManager(config, managerOptions)
	if err != nil {
		return err
	}
	return startAgent(ctx, mgr, flags.options)
}

func startAgent(ctx context.Context, mgr manager.Manager, options controllers.AgentOptions) error {
	agent, err := controllers.SetupAgent(mgr, options)
	if err != nil {
		return err
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("agent", agent.Ready)); err != nil {
		return err
	}
	if err := mgr.AddMetricsServerExtraHandler(metrics.ServicesPath, servicesHandler(agent)); err != nil {
		return err
	}
	options.Log.Info("starting", "version", version.Version, "exchangeDir", options.ExchangeDir)
	return mgr.Start(ctx)
}
