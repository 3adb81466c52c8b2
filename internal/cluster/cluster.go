package cluster

import (
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/internal/version"
)

// MinimumVersion of the API server: the first one whose CEL library has ip() and
// cidr(), which the CRDs' rules use.
const MinimumVersion = "1.31"

// preflightTimeout bounds each question of Preflight.
const preflightTimeout = 10 * time.Second

// Config reads a kubeconfig: the given file, else $KUBECONFIG, else
// ~/.kube/config, else the ServiceAccount of the pod. There is no rate limit on
// the client's side: the server's priority and fairness governs, and a limit here
// would delay announcements.
func Config(kubeconfig, component string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if clientcmd.IsEmptyConfig(err) || errors.Is(err, rest.ErrNotInCluster) {
		return nil, errors.New("no cluster to talk to: pass --kubeconfig FILE, set KUBECONFIG, or run in a pod with a ServiceAccount")
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w: check the file given by --kubeconfig or KUBECONFIG", err)
	}
	config.QPS = -1
	config.UserAgent = "herald-" + component + "/" + version.Version
	return config, nil
}

// Preflight says in one line why the cluster can't be used: it doesn't answer,
// is too old, or lacks Herald's CRDs.
func Preflight(config *rest.Config) error {
	config = rest.CopyConfig(config)
	config.Timeout = preflightTimeout
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	if err := checkVersion(client, config.Host); err != nil {
		return err
	}
	return checkKinds(client)
}

func checkVersion(client discovery.ServerVersionInterface, host string) error {
	info, err := client.ServerVersion()
	if err != nil {
		return fmt.Errorf("API server %s: %w: check that it runs and that the kubeconfig is for it", host, err)
	}
	found, err := utilversion.ParseGeneric(info.GitVersion)
	if err != nil {
		return fmt.Errorf("API server %s: version %q: %w", host, info.GitVersion, err)
	}
	if found.LessThan(utilversion.MustParseGeneric(MinimumVersion)) {
		return fmt.Errorf("API server %s has Kubernetes %s, Herald needs %s or newer: its CRDs use ip() and cidr() of CEL; upgrade the cluster", host, info.GitVersion, MinimumVersion)
	}
	return nil
}

// plurals of Herald's Kinds.
var plurals = []string{"bgpadvertisements", "bfdprofiles", "bgpnodes", "bgppeers", "bgpsessions", "communities", "flowpolicies", "frrsnippets", "heralds", "ipaddresspools"}

func checkKinds(client discovery.ServerResourcesInterface) error {
	list, err := client.ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("API group %s: %w", v1alpha1.GroupVersion, err)
	}
	found := map[string]bool{}
	for i := 0; err == nil && i < len(list.APIResources); i++ {
		found[list.APIResources[i].Name] = true
	}
	var missing []string
	for _, plural := range plurals {
		if !found[plural] {
			missing = append(missing, plural+"."+v1alpha1.GroupName)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("CRDs are missing or old (%s): install them with \"kubectl apply --server-side -k config/crd\"", strings.Join(missing, ", "))
	}
	return nil
}
