package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/controllers/install"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/internal/cluster"
	"github.com/herald-lb/herald/internal/version"
)

// managerFlags are the flags of "herald manager".
type managerFlags struct {
	kubeconfig  string
	namespace   string
	leaderElect bool
	metrics     metricsFlags
	probes      string
	logLevel    string
	annotations status.Annotations
	podName     string
	frrImage    string
}

func newManagerCommand() *cobra.Command {
	flags := managerFlags{}
	command := &cobra.Command{
		Use:   "manager",
		Short: "Allocate addresses and report status, once per cluster",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return runManager(command.Context(), flags)
		},
	}
	set := command.Flags()
	set.StringVar(&flags.kubeconfig, "kubeconfig", "", "file to reach the cluster with (default: $KUBECONFIG, ~/.kube/config, the pod's ServiceAccount)")
	set.StringVar(&flags.namespace, "namespace", "herald-system", "namespace of Herald: of the leader's lease and of the agents' pods")
	set.BoolVar(&flags.leaderElect, "leader-elect", false, "run only while holding the lease; needed with more than one replica")
	flags.metrics.add(set)
	set.StringVar(&flags.probes, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 switches them off")
	set.BoolVar(&flags.annotations.MetalLB, "metallb-annotations", false, "read metallb.io/loadBalancerIPs, address-pool and allow-shared-ip of Services too (and metallb.universe.tf/...), as Herald's ips, pool and sharing-key")
	set.StringVar(&flags.podName, "pod-name", os.Getenv("POD_NAME"), "name of the manager's own pod, whose image the agents have (env POD_NAME)")
	set.StringVar(&flags.frrImage, "frr-image", cmp.Or(os.Getenv("RELATED_IMAGE_FRR"), install.DefaultFRRImage), "image with FRR where the Herald object names none (env RELATED_IMAGE_FRR)")
	set.StringVar(&flags.logLevel, "log-level", "info", "debug, info or error")
	return command
}

func runManager(ctx context.Context, flags managerFlags) error {
	collectEarly()
	setLogLevel, err := setupLogs(flags.logLevel)
	if err != nil {
		return err
	}
	client, err := cluster.Config(flags.kubeconfig, "manager")
	if err != nil {
		return err
	}
	if err := cluster.Preflight(client); err != nil {
		return err
	}
	if err := controllers.CheckSole(ctx, client, flags.namespace); err != nil {
		return err
	}
	self, err := controllers.OwnPod(ctx, client, flags.podName, install.Self{
		Namespace: flags.namespace, Version: version.Version, FRRImage: flags.frrImage,
	})
	if err != nil {
		return err
	}
	mgr, err := controllers.NewManager(client, controllers.Options{
		Namespace: flags.namespace, LeaderElect: flags.leaderElect, Lease: controllers.DefaultLease,
		Metrics: flags.metrics.options(), Registry: ctrlmetrics.Registry, Probes: flags.probes, Annotations: flags.annotations, Self: self, SetLogLevel: setLogLevel,
	})
	if err != nil {
		return err
	}
	ctrl.Log.WithName("manager").Info("starting", "version", version.Version, "leaderElection", flags.leaderElect)
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("manager: %w", err)
	}
	return nil
}
