// Command herald allocates addresses for Services of type LoadBalancer and
// announces them over BGP: "herald manager" once per cluster, "herald agent" on
// every node, and beside it "herald relay".
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/herald-lb/herald/internal/version"
)

func main() {
	if err := newRoot().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintf(os.Stderr, "herald: %v\n", err)
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "herald",
		Short:         "Announce Kubernetes Services over BGP with FRR",
		Version:       version.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newManagerCommand(), newAgentCommand(), newInstallReloaderCommand(), newRelayCommand())
	return root
}
